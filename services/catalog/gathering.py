"""Loads by key that are wished for in one turn of the event loop, as one load of them all."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Final, Generic, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_KEYS: Final = 50
"""Of one load: whoever is first in a large one waits for the last."""

LoadAll: TypeAlias = Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]
"""Gets at least one key, and some perhaps twice; what it does not find is None to who wished for it."""


class Gathering(Generic[K, V]):
    """What many wish for at once costs one way to the database. Nobody waits for others to come."""

    def __init__(self, load_all: LoadAll[K, V], *, max_keys: int = MAX_KEYS) -> None:
        self._load_all = load_all
        self._max_keys = max_keys
        self._wishes: list[tuple[K, asyncio.Future[V | None]]] = []
        self._loads: set[asyncio.Task[None]] = set()

    async def load(self, key: K) -> V | None:
        """One of them. Raises what `load_all` raises, as does everybody's of the same load."""
        loop = asyncio.get_running_loop()
        if not self._wishes:
            loop.call_soon(self._begin)
        granted: asyncio.Future[V | None] = loop.create_future()
        self._wishes.append((key, granted))
        return await granted

    def _begin(self) -> None:
        """What a load logs is logged under the request of whoever wished first."""
        wishes, self._wishes = self._wishes, []
        for first in range(0, len(wishes), self._max_keys):
            load = asyncio.create_task(self._grant(wishes[first : first + self._max_keys]))
            self._loads.add(load)
            load.add_done_callback(self._loads.discard)

    async def _grant(self, wishes: Sequence[tuple[K, "asyncio.Future[V | None]"]]) -> None:
        """Who does not wait any more has a future that is done."""
        try:
            found = await self._load_all([key for key, _ in wishes])
        except Exception as exc:  # noqa: BLE001 - told to whoever waits
            for _, granted in wishes:
                if not granted.done():
                    granted.set_exception(exc)
        else:
            for key, granted in wishes:
                if not granted.done():
                    granted.set_result(found.get(key))
        finally:
            for _, granted in wishes:
                granted.cancel()  # no effect on one that is done
