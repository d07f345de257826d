"""Putting jobs into their queues. The jobs table is its own outbox: a row without `published_at` is still to go."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar
from uuid import UUID

from services.jobs.models import JobState, NewJob
from services.jobs.store import DueJob, Ledger, in_ledger
from shared.contracts.envelope import Envelope
from shared.db.pool import Connection, Pool, connection
from shared.errors import Unavailable
from shared.log import get_logger
from shared.messaging.publisher import Publisher
from shared.messaging.work import JobMessage

log = get_logger(__name__)

BATCH: Final = 500
SOURCE: Final = "jobs"

ClaimedT = TypeVar("ClaimedT", NewJob, DueJob)


class JobPublisher:
    """Publishes jobs, confirmed, and marks their rows.

    Killed between the confirm and the mark, it leaves a row that is published again: two live copies are harmless,
    since every effect is guarded by the job's id.
    """

    def __init__(self, pool: Pool, publisher: Publisher, ledger: Ledger) -> None:
        self._pool = pool
        self._publisher = publisher
        self._ledger = ledger
        self._in_doubt: set[UUID] = set()

    @property
    def is_in_doubt(self) -> bool:
        """Whether jobs may be claimed by this process that it does not publish: no look at the rows shows them."""
        return bool(self._in_doubt)

    async def run_once(self) -> int:
        """Publish what is due and unpublished: released retries, jobs whose time has come, what a crash left."""
        await self._release()
        published = 0
        while True:
            due = await self.claimed(lambda conn: self._ledger.claim_due(conn, BATCH))
            published += await self.publish(due)
            if len(due) < BATCH:
                return published

    async def claimed(self, claim: Callable[[Connection], Awaitable[Sequence[ClaimedT]]]) -> Sequence[ClaimedT]:
        """Run `claim` in a transaction; returns the jobs that it claimed for us to publish. Raises `Unavailable`.

        When the answer to its COMMIT is lost the jobs may be claimed, and by nobody who knows: they are let go before
        the next `run_once`, which takes them up, not when the claim is over.
        """
        jobs: Sequence[ClaimedT] = ()

        async def note(conn: Connection) -> None:
            nonlocal jobs
            jobs = await claim(conn)

        try:
            await in_ledger(self._pool, note)
        except Unavailable:
            self._in_doubt.update(job.id for job in jobs)
            raise
        self._in_doubt.difference_update(job.id for job in jobs)
        return jobs

    async def _release(self) -> None:
        if self._in_doubt:
            in_doubt = list(self._in_doubt)
            async with connection(self._pool) as conn:
                await self._ledger.release(conn, in_doubt)
            self._in_doubt.difference_update(in_doubt)

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
