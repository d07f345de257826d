"""The job `cleanup-jobs`: drop what the retention no longer keeps, in small batches without long locks."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from pydantic import JsonValue

from services.jobs.models import JobState
from services.jobs.partitions import Partitions
from services.jobs.store import Ledger, in_ledger
from shared.clock import Clock
from shared.contracts.jobs import CleanupJobs
from shared.db.pool import Connection, Pool
from shared.messaging.attempt import Attempt

BATCH: Final = 1000

Note = Callable[[Connection, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Cleared:
    """How many jobs were deleted, and whether those were all."""

    jobs: int
    is_all: bool


class Pruner:
    """Deletes final jobs by the retention of each state. Safe to run twice; a crash leaves whole batches done."""

    def __init__(
        self, pool: Pool, ledger: Ledger, partitions: Partitions, keep_days: Mapping[JobState, int], clock: Clock
    ) -> None:
        self._pool = pool
        self._ledger = ledger
        self._partitions = partitions
        self._keep_days = keep_days
        self._clock = clock

    async def cleanup_jobs(self, _: CleanupJobs, __: Attempt) -> JsonValue:
        """Handle one `cleanup-jobs`; the result counts what was deleted, by state."""
        deleted: dict[str, JsonValue] = {}
        for state, days in self._keep_days.items():
            deleted[state.value] = await self._prune(state, days)
        await in_ledger(self._pool, self._ledger.forget_tombstones)
        today = self._clock().date()
        dropped = await self._partitions.drop_empty(before=today - timedelta(days=min(self._keep_days.values())))
        return {"deleted": deleted, "days_dropped": dropped}

    async def clear_history(self, note: Note, *, seconds: float) -> Cleared:
        """Delete final jobs for `seconds`; `note` hears in each batch's transaction how many that one deletes."""
        give_up_at, cleared = time.monotonic() + seconds, 0
        for state in self._keep_days:
            while count := await in_ledger(self._pool, partial(self._clear, state=state, note=note)):
                cleared += count
                if time.monotonic() >= give_up_at:
                    return Cleared(cleared, is_all=False)
        return Cleared(cleared, is_all=True)

    async def _clear(self, conn: Connection, *, state: JobState, note: Note) -> int:
        deleted = await self._ledger.prune(conn, state, finished_before=self._clock(), limit=BATCH)
        if deleted:
            await note(conn, deleted)
        return deleted

    async def _prune(self, state: JobState, days: int) -> int:
        before = self._clock() - timedelta(days=days)
        deleted = 0
        while count := await in_ledger(
            self._pool,
            lambda conn: self._ledger.prune(conn, state, finished_before=before, limit=BATCH),
        ):
            deleted += count
        return deleted
