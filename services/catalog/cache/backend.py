"""aiocache's interface over a bounded memory: what its own memory backend lacks is a bound, and a clear that clears.

https://aiocache.aio-libs.org/en/v0.12.3/ (`BaseCache`). No timers per key: what is past its time is never given out,
and one sweeper frees it.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from aiocache.base import BaseCache
from aiocache.serializers import NullSerializer

from services.catalog.cache.lru import Counts, Entry, Lru

TTL_SECONDS: Final = 60.0
FOR_EVER: Final = float("inf")
MonotonicClock = Callable[[], float]


class BoundedCache(BaseCache):  # type: ignore[misc]
    """At most `max_entries` entries in this process's memory."""

    NAME = "bounded"

    def __init__(
        self,
        max_entries: int,
        *,
        max_bytes: int = 2**62,
        ttl: float | None = TTL_SECONDS,
        clock: MonotonicClock = time.monotonic,
        **options: Any,
    ) -> None:
        # timeout=0: nothing here waits, and asyncio.wait_for costs more than the look-up.
        super().__init__(serializer=NullSerializer(), timeout=0, ttl=ttl, **options)
        self.entries: Lru[Any] = Lru(max_entries, max_bytes)
        self._clock = clock

    @property
    def counts(self) -> Counts:
        """What it did so far."""
        return self.entries.counts

    def sweep(self) -> int:
        """Free what is past its time; how many."""
        return self.entries.sweep(self._clock())

    async def _get(self, key: str, encoding: str = "utf-8", _conn: object = None) -> Any:
        entry = self.entries.find(key, self._clock())
        if entry is None:
            self.counts.misses += 1
            return None
        self.counts.hits += 1
        return entry.value

    async def _gets(self, key: str, encoding: str = "utf-8", _conn: object = None) -> Any:
        return await self._get(key)

    async def _multi_get(self, keys: Sequence[str], encoding: str = "utf-8", _conn: object = None) -> list[Any]:
        return [await self._get(key) for key in keys]

    async def _set(
        self, key: str, value: Any, ttl: float | None = None, _cas_token: Any = None, _conn: object = None
    ) -> int:
        if _cas_token is not None:
            entry = self.entries.find(key, self._clock())
            if entry is None or entry.value != _cas_token:
                return 0
        self.entries.keep(key, Entry(value, {}, self._expiry(ttl)))
        return 1

    async def _multi_set(
        self, pairs: Sequence[tuple[str, Any]], ttl: float | None = None, _conn: object = None
    ) -> bool:
        for key, value in pairs:
            await self._set(key, value, ttl)
        return True

    async def _add(self, key: str, value: Any, ttl: float | None = None, _conn: object = None) -> bool:
        if await self._exists(key):
            raise ValueError(f"Key {key} already exists, use .set to update the value")
        await self._set(key, value, ttl)
        return True

    async def _exists(self, key: str, _conn: object = None) -> bool:
        return self.entries.find(key, self._clock()) is not None

    async def _increment(self, key: str, delta: int, _conn: object = None) -> int:
        entry = self.entries.find(key, self._clock())
        if entry is None:
            await self._set(key, delta)
            return delta
        try:
            entry.value = int(entry.value) + delta
        except ValueError:
            raise TypeError("Value is not an integer") from None
        return int(entry.value)

    async def _expire(self, key: str, ttl: float | None, _conn: object = None) -> bool:
        entry = self.entries.find(key, self._clock())
        if entry is None:
            return False
        entry.expires_at = self._expiry(ttl)
        return True

    async def _delete(self, key: str, _conn: object = None) -> int:
        return int(self.entries.drop(key))

    async def _clear(self, namespace: str | None = None, _conn: object = None) -> bool:
        if namespace is None:
            self.entries.clear()
        else:
            for key in [key for key in self.entries if key.startswith(namespace)]:
                self.entries.drop(key)
        return True

    async def _raw(self, command: str, *args: Any, encoding: str = "utf-8", _conn: object = None, **kwargs: Any) -> Any:
        raise NotImplementedError("there is nothing rawer behind this cache")

    async def _redlock_release(self, key: str, value: Any) -> int:
        entry = self.entries.find(key, self._clock())
        return int(entry is not None and entry.value == value and self.entries.drop(key))

    def _expiry(self, ttl: float | None) -> float:
        return self._clock() + ttl if ttl else FOR_EVER
