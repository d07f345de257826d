"""The job `cleanup-jobs`: drop what the retention no longer keeps, in small batches without long locks."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

import asyncpg
from pydantic import JsonValue

from services.jobs import partitions
from services.jobs.activity import store as activity
from services.jobs.models import JobState
from services.jobs.partitions import Partitions
from services.jobs.store import Ledger, in_ledger
from shared.clock import Clock
from shared.contracts.jobs import CleanupJobs
from shared.db.pool import Connection, Pool, connection
from shared.log import get_logger
from shared.messaging.attempt import Attempt
from shared.messaging.topology import CLEANUP_JOBS

log = get_logger(__name__)

BATCH: Final = 1000
PATIENCE_MS: Final = 100
"""How long dropping a day may wait for the table, and with it everybody else."""
LOCK_WAITS_SECONDS: Final = (0.2, 1.0, 3.0)
MESSAGES_LIVE: Final = timedelta(hours=48)
"""A job that ended longer ago than any message lives needs no tombstone."""

Note = Callable[[Connection, int], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Cleared:
    """How many jobs were deleted, and whether those were all."""

    jobs: int
    is_all: bool


class Pruner:
    """Deletes final jobs by the retention of each state. Safe to run twice, also at once.

    A crash leaves whole batches and whole days done, with their counters.
    """

    def __init__(
        self,
        pool: Pool,
        ledger: Ledger,
        known_days: Partitions,
        keep_days: Mapping[JobState, int],
        clock: Clock,
        *,
        seconds: float = CLEANUP_JOBS.timeout_seconds * 0.8,
    ) -> None:
        self._pool = pool
        self._ledger = ledger
        self._partitions = known_days
        self._keep_days = keep_days
        self._clock = clock
        self._seconds = seconds

    async def cleanup_jobs(self, _: CleanupJobs, __: Attempt) -> JsonValue:
        """Handle one `cleanup-jobs`; the result counts what was deleted, by state, and the days dropped whole.

        Days of which nothing is kept go at once, the rest row by row. Short of the job's time limit it stops, and says
        with `is_finished` that the next one has more to do.
        """
        give_up_at = time.monotonic() + self._seconds
        now = self._clock()
        ended_before = {state: now - timedelta(days=days) for state, days in self._keep_days.items()}
        deleted: Counter[str] = Counter({state.value: 0 for state in self._keep_days})
        dropped = await self._drop_days(ended_before, deleted)
        for state, before in ended_before.items():
            deleted[state.value] += await self._prune(state, before, give_up_at)
        dropped += await self._drop_days(ended_before, deleted)  # what row by row has become empty
        forgotten = await self._forget_tombstones(give_up_at)
        async with connection(self._pool) as conn:
            await activity.forget(conn)
        return {
            "deleted": dict(deleted),
            "days_dropped": dropped,
            "tombstones_forgotten": forgotten,
            "is_finished": time.monotonic() < give_up_at,
        }

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

    async def _prune(self, state: JobState, before: datetime, give_up_at: float) -> int:
        deleted = 0
        while time.monotonic() < give_up_at:
            count = await in_ledger(
                self._pool, lambda conn: self._ledger.prune(conn, state, finished_before=before, limit=BATCH)
            )
            if not count:
                break
            deleted += count
        return deleted

    async def _forget_tombstones(self, give_up_at: float) -> int:
        forgotten = 0
        while time.monotonic() < give_up_at:
            count = await in_ledger(self._pool, lambda conn: self._ledger.forget_tombstones(conn, limit=BATCH))
            if not count:
                break
            forgotten += count
        return forgotten

    async def _drop_days(self, ended_before: Mapping[JobState, datetime], deleted: Counter[str]) -> int:
        """Drop the days of which nothing is kept; returns how many. One that somebody reads all the time stays."""
        keep = {state.value: min(before, self._clock() - MESSAGES_LIVE) for state, before in ended_before.items()}
        async with connection(self._pool) as conn:
            days = await partitions.days(conn, before=max(keep.values()).date())
        dropped = 0
        for day in days:
            for wait_seconds in LOCK_WAITS_SECONDS:
                try:
                    gone = await in_ledger(self._pool, partial(self._drop_day, day=day, keep=keep))
                except asyncpg.LockNotAvailableError:
                    log.info("day_in_use", day=day.isoformat())
                    await asyncio.sleep(wait_seconds)
                    continue
                if gone is not None:
                    for (_, state), n in gone.items():
                        deleted[state] += n
                    self._partitions.forget(day)
                    dropped += 1
                break
        return dropped

    async def _drop_day(
        self, conn: Connection, *, day: date, keep: Mapping[str, datetime]
    ) -> dict[tuple[str, str], int] | None:
        """Drop one day with its counts, if nothing of it is kept. Raises `asyncpg.LockNotAvailableError`.

        Counted before everybody is stopped, and looked at again after it: nobody deletes in between, and whatever else
        happens to a job (a retry by hand, a late report, an event that was held up) makes it one that is kept.
        """
        await self._ledger.delete_alone(conn)
        if await partitions.is_needed(conn, day, keep):
            return None
        counts = await partitions.counted(conn, day)
        await partitions.stop_all(conn, patience_ms=PATIENCE_MS)
        if await partitions.is_needed(conn, day, keep):
            return None
        await self._ledger.uncount(conn, counts)
        await partitions.drop(conn, day)
        return counts
