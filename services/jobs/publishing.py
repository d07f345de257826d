"""Putting jobs into their queues. The jobs table is its own outbox: a row without `published_at` is still to go."""

import asyncio
from collections.abc import Sequence
from typing import Final

from services.jobs.models import JobState, NewJob
from services.jobs.store import DueJob, Ledger, in_ledger
from shared.contracts.envelope import Envelope
from shared.db.pool import Pool, connection
from shared.errors import Unavailable
from shared.log import get_logger
from shared.messaging.publisher import Publisher
from shared.messaging.work import JobMessage

log = get_logger(__name__)

BATCH: Final = 500
SOURCE: Final = "jobs"


class JobPublisher:
    """Publishes jobs, confirmed, and marks their rows.

    Killed between the confirm and the mark, it leaves a row that is published again: two live copies are harmless,
    since every effect is guarded by the job's id.
    """

    def __init__(self, pool: Pool, publisher: Publisher, ledger: Ledger) -> None:
        self._pool = pool
        self._publisher = publisher
        self._ledger = ledger

    async def run_once(self) -> int:
        """Publish what is due and unpublished: released retries, jobs whose time has come, what a crash left."""
        published = 0
        while True:
            due = await in_ledger(self._pool, lambda conn: self._ledger.claim_due(conn, BATCH))
            published += await self.publish(due)
            if len(due) < BATCH:
                return published

    async def publish(self, jobs: Sequence[DueJob]) -> int:
        """Publish these now; returns how many were confirmed. The others stay unpublished and are taken up again."""
        if not jobs:
            return 0
        outcomes = await asyncio.gather(
            *(_message_of(job).publish(self._publisher) for job in jobs), return_exceptions=True
        )
        confirmed = [job for job, outcome in zip(jobs, outcomes, strict=True) if outcome is None]
        for outcome in outcomes:
            if outcome is not None and not isinstance(outcome, Unavailable):
                raise outcome
        if len(confirmed) < len(jobs):
            log.warning("jobs_not_published", count=len(jobs) - len(confirmed))
        if confirmed:
            async with connection(self._pool) as conn:
                await self._ledger.mark_published(conn, confirmed)
        return len(confirmed)


def due_now(job: NewJob) -> DueJob:
    """A job that was just written, as it is published."""
    return DueJob(
        id=job.id,
        type=job.type,
        priority=job.priority,
        state=JobState.PENDING,
        attempt=0,
        max_attempts=job.max_attempts,
        timeout_ms=job.timeout_ms,
        fence=1,
        payload=dict(job.payload),
        cause=job.cause,
        caused_at=job.caused_at,
        traceparent=job.traceparent,
    )


def _message_of(job: DueJob) -> JobMessage:
    envelope = Envelope(
        id=job.id,
        source=SOURCE,
        type=job.type,
        time=job.caused_at,
        dataschema=f"urn:souk:{job.type}:1",
        traceparent=job.traceparent,
        causationid=job.cause,
        data=job.payload,
    )
    return JobMessage(
        envelope=envelope,
        priority=job.priority,
        attempt=job.attempt + 1,
        max_attempts=job.max_attempts,
        fence=job.fence,
        timeout_ms=job.timeout_ms,
    )
