"""The job `cleanup-cache`: ask every gateway replica to clear or expire its caches, and say how many there are."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.clock import Clock
from shared.contracts.events import CacheClearRequested
from shared.contracts.jobs import CleanupCache
from shared.db.outbox import Outbox
from shared.db.pool import Pool, transaction
from shared.ids import new_id

CLEARS_FROM_HOUR: Final = 2
CLEARS_UNTIL_HOUR: Final = 4
"""Off-peak, in the installation's time zone: a cold cache then costs nobody a wait."""

Mode = Literal["clear", "expire"]

REQUEST: Final = """
    -- One request for a job, however often it runs; no row back when there is one.
    INSERT INTO catalog.cache_clear_requests (id, mode, job_id) VALUES ($1, $2, $3)
    ON CONFLICT (job_id) DO NOTHING
    RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Clearing:
    """What came of a request."""

    mode: Mode
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheClearing:
    """Asks for caches to be cleared. The hours are those of `zone`."""

    pool: Pool
    outbox: Outbox
    zone: ZoneInfo
    clock: Clock

    async def request(self, job: CleanupCache, *, job_id: UUID) -> Clearing:
        """Write the request and its event, once for a job.

        There are no caches yet, so no replica has one to clear: the count is zero, and nothing is waited for.
        """
        mode = self._mode(job)
        async with transaction(self.pool) as conn:
            request_id = await conn.fetchval(REQUEST, new_id(), mode, job_id)
            if request_id is not None:
                await self.outbox.add(conn, CacheClearRequested(request_id=request_id, mode=mode))
        return Clearing(mode, replicas=0)

    def _mode(self, job: CleanupCache) -> Mode:
        if job.mode != "auto":
            return job.mode
        return mode_at(job.due_at or self.clock(), self.zone)


def mode_at(at: datetime, zone: ZoneInfo) -> Mode:
    """What is done at a time: between two and four at night everything goes, else only what is out of date."""
    return "clear" if CLEARS_FROM_HOUR <= at.astimezone(zone).hour < CLEARS_UNTIL_HOUR else "expire"
