"""Having every gateway replica clear or expire its caches, and counting what they did: the job `cleanup-cache`."""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from services.catalog import audit
from services.catalog.cache import store
from services.catalog.cache.models import Clearing, Mode
from services.catalog.models import Actor
from shared.clock import Clock
from shared.contracts.events import CacheClearRequested
from shared.contracts.jobs import CleanupCache
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection, transaction
from shared.ids import new_id

CLEARS_FROM_HOUR: Final = 2
CLEARS_UNTIL_HOUR: Final = 4
"""Off-peak, in the installation's time zone: a cold cache then costs nobody a wait."""
WAIT_SECONDS: Final = 20.0
ASK_AGAIN_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and the replicas that lived when it was made: id and name."""

    request_id: UUID
    mode: Mode
    replicas: tuple[tuple[UUID, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheClearing:
    """Asks for caches to be cleared. The hours are those of `zone`."""

    pool: Pool
    outbox: Outbox
    zone: ZoneInfo
    clock: Clock

    async def work(self, job: CleanupCache, *, job_id: UUID, wait_seconds: float = WAIT_SECONDS) -> Clearing:
        """Ask, once for a job, and wait for the replicas. Run again it waits for the same request."""
        return await self.outcome(await self.ask(self._mode(job), job_id=job_id), wait_seconds=wait_seconds)

    async def ask(self, mode: Mode, *, job_id: UUID | None = None, actor: Actor | None = None) -> Asked:
        """Write the request and its event. With `job_id` a repetition finds the request of the first time."""
        async with transaction(self.pool) as conn:
            request_id, asked_mode, is_new = await store.request(conn, new_id(), mode, job_id=job_id)
            if is_new:
                await self.outbox.add(conn, CacheClearRequested(request_id=request_id, mode=asked_mode))
                if actor is not None:
                    await audit.record(conn, actor, "cache.cleared", kind="cache", object_id=request_id, mode=mode)
            live = await store.replicas(conn)
        return Asked(request_id, asked_mode, tuple((replica.id, replica.name) for replica in live))

    async def outcome(self, asked: Asked, *, wait_seconds: float) -> Clearing:
        """Wait until all replicas answered or the time is over, which names the missing.

        One that stops in the meantime is not waited for; one that was killed is missing.
        """
        give_up_at = time.monotonic() + wait_seconds
        while True:
            async with connection(self.pool) as conn:
                answers = await store.answers(conn, asked.request_id)
                silent = {replica_id: name for replica_id, name in asked.replicas if replica_id not in answers}
                gone = await store.left(conn, silent) if silent else set()
            missing = tuple(name for replica_id, name in silent.items() if replica_id not in gone)
            if not missing or time.monotonic() >= give_up_at:
                return Clearing(
                    mode=asked.mode,
                    replicas=len(answers) + len(missing),
                    answered=len(answers),
                    removed=dict(answers.values()),
                    missing=missing,
                )
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    def _mode(self, job: CleanupCache) -> Mode:
        if job.mode != "auto":
            return job.mode
        return mode_at(job.due_at or self.clock(), self.zone)


def mode_at(at: datetime, zone: ZoneInfo) -> Mode:
    """What is done at a time: between two and four at night everything goes, else only what is out of date."""
    return "clear" if CLEARS_FROM_HOUR <= at.astimezone(zone).hour < CLEARS_UNTIL_HOUR else "expire"
