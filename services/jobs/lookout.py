"""One look a second at what waits in the ledger, for all that do something about it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from services.jobs.schedules.store import HELD
from shared.db.pool import Pool, connection
from shared.lifecycle import background, every, whenever

LOOK_SECONDS: Final = 1.0
LOOK: Final = """
    -- Whether jobs are to be published, slots wait for others to end, and workers are to be told something. An open
    -- breaker may have to be handed over.
    SELECT EXISTS (
        SELECT FROM jobs.jobs
        WHERE published_at IS NULL AND state IN ('scheduled', 'pending', 'retrying')
          AND coalesce(run_at, created_at) <= now() AND (claimed_until IS NULL OR claimed_until < now())
    ) AS due, EXISTS (
        SELECT FROM jobs.jobs WHERE published_at IS NULL AND state = 'scheduled' AND coalesce(run_at, created_at) = $1
    ) AS held, EXISTS (SELECT FROM jobs.controls WHERE published_at IS NULL) OR EXISTS (
        SELECT FROM jobs.breakers WHERE is_open
    ) AS untold
"""


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
    due: Part
    held: Part
    untold: Part

    async def run_once(self) -> None:
        """Take a look. Raises `Unavailable` when the database is away."""
        async with connection(self.pool) as conn:
            found = await conn.fetchrow(LOOK, HELD)
        assert found is not None
        for name, part in self._parts().items():
            if found[name] or part.is_wanted():
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
