"""One look a second at what waits in the ledger, for all that do something about it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from services.jobs.store import Ledger
from shared.db.pool import Pool, connection
from shared.lifecycle import background, every, whenever

LOOK_SECONDS: Final = 1.0


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Part:
    """Does something about it. `is_wanted` tells what only this process knows to be left."""

    run_once: Callable[[], Awaitable[object]]
    is_wanted: Callable[[], bool] = _never
    wake: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookout:
    """Wakes whom it concerns; each is at it by itself. What fails, or is left by a crash, is there at the next look."""

    pool: Pool
    ledger: Ledger
    due: Part
    held: Part
    untold: Part

    async def run_once(self) -> None:
        """Take a look. Raises `Unavailable` when the database is away."""
        async with connection(self.pool) as conn:
            waiting = await self.ledger.waiting(conn)
        for name, part in self._parts().items():
            if getattr(waiting, name) or part.is_wanted():
                part.wake.set()

    @asynccontextmanager
    async def looking(self) -> AsyncIterator[None]:
        """Look every second while the block runs."""
        async with AsyncExitStack() as stack:
            for name, part in self._parts().items():
                await stack.enter_async_context(background(whenever(part.wake, part.run_once), name=f"{name} jobs"))
            await stack.enter_async_context(background(every(LOOK_SECONDS, self.run_once), name="lookout"))
            yield

    def _parts(self) -> dict[str, Part]:
        return {"due": self.due, "held": self.held, "untold": self.untold}
