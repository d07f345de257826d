"""What people and programs can ask of the ledger, and do to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import JsonValue, ValidationError

from services.jobs.audit import store as audit
from services.jobs.breakers.store import BreakerStore, OpenBreaker
from services.jobs.dead_letters.store import LetterStore
from services.jobs.errors import AlreadyCleared, JobNotFound, KeyReused, NotRetryable, UnknownJobType
from services.jobs.health.store import HealthStore, OldestWaiting
from services.jobs.listing.store import ListFilter, listed
from services.jobs.models import RETRYABLE_BY_HAND, HistoryEntry, JobState, NewJob, Order, new_job, statistics
from services.jobs.partitions import Partitions
from services.jobs.pruner import Cleared, Pruner
from services.jobs.store import HistoryView, JobView, Kin, Ledger, in_ledger
from shared import tracing
from shared.clock import Clock
from shared.contracts.base import Job
from shared.contracts.jobs import JOB_BY_TYPE
from shared.db.pool import Connection, Pool, connection
from shared.errors import FieldError, InvalidInput
from shared.ids import derived_id, new_id
from shared.messaging.topology import WORK_BY_TYPE
from shared.web.bodies import pointed
from shared.web.identity import Identity

COMPLETED_SHOWN: Final = 100
FAILED_SHOWN: Final = 50
KIN_SHOWN: Final = 50
CLEAR_SECONDS: Final = 3.0
"""The gateway waits 5 s for an answer to begin."""
_BY_HAND: Final = "by-hand"


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A job with its history."""

    job: JobView
    history: Sequence[HistoryView]


@dataclass(frozen=True, slots=True)
class WholeJob:
    """A job with its history and the jobs around it."""

    shown: ShownJob
    kin: Kin


@dataclass(frozen=True, slots=True)
class Page:
    """A page of jobs; `next` is the cursor of the one after."""

    items: Sequence[ShownJob]
    next: UUID | None


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job somebody enters by hand. `payload` must fit the type's contract."""

    type: str
    payload: dict[str, JsonValue]
    priority: int | None = None
    max_attempts: int | None = None
    run_at: datetime | None = None
    idempotency_key: str | None = None
    copy_of: UUID | None = None
    """The job it is a changed copy of."""


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A job by hand; not new if its idempotency key had made it before."""

    shown: ShownJob
    is_new: bool


class JobsDesk:
    """The ledger as its api uses it. Every change is one transaction with its audit row."""

    def __init__(
        self,
        pool: Pool,
        ledger: Ledger,
        *,
        health: HealthStore,
        letters: LetterStore,
        partitions: Partitions,
        pruner: Pruner,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._ledger = ledger
        self._health = health
        self._breakers = BreakerStore()
        self._letters = letters
        self._partitions = partitions
        self._pruner = pruner
        self._clock = clock

    async def oldest(self) -> Sequence[OldestWaiting]:
        """How long the oldest job of each type and priority has waited for its first attempt."""
        async with connection(self._pool) as conn:
            return await self._health.oldest_waiting(conn, list(WORK_BY_TYPE))

    async def stats(self) -> dict[str, Any]:
        """Jobs kept, by state; `total` is the sum of all seven. Read from counters, never counted."""
        async with connection(self._pool) as conn:
            counted = statistics(await self._ledger.counts(conn))
            return {**counted, "active_workers": await self._health.active_workers(conn)}

    async def open_breakers(self) -> Sequence[OpenBreaker]:
        """The types that nobody works on because what they depend on is away."""
        async with connection(self._pool) as conn:
            return await self._breakers.all_open(conn)

    async def latest(self, state: JobState) -> list[ShownJob]:
        """The last 100 completed or 50 failed jobs, newest first."""
        limit = FAILED_SHOWN if state is JobState.FAILED else COMPLETED_SHOWN
        async with connection(self._pool) as conn:
            return await self._with_history(conn, await self._ledger.latest(conn, state, limit))

    async def get(self, job_id: UUID) -> ShownJob:
        """One job. Raises `JobNotFound`."""
        async with connection(self._pool) as conn:
            job = await self._ledger.get(conn, job_id)
            if job is None:
                raise JobNotFound(f"No job {job_id} is kept.")
            return (await self._with_history(conn, [job]))[0]

    async def whole(self, job_id: UUID) -> WholeJob:
        """One job with what caused it and what it led to. Raises `JobNotFound`."""
        async with connection(self._pool) as conn:
            job = await self._ledger.get(conn, job_id)
            if job is None:
                raise JobNotFound(f"No job {job_id} is kept.")
            shown = (await self._with_history(conn, [job]))[0]
            return WholeJob(shown, await self._ledger.kin(conn, job, limit=KIN_SHOWN))

    async def page(self, where: ListFilter, *, before: UUID | None, limit: int) -> Page:
        """Jobs that fit the filter, newest first."""
        async with connection(self._pool) as conn:
            jobs = await listed(conn, where, before=before, limit=limit + 1)
            shown = await self._with_history(conn, jobs[:limit])
        return Page(shown, next=jobs[limit - 1].id if len(jobs) > limit else None)

    async def retry(self, job_id: UUID, *, by: Identity, request_id: str | None) -> ShownJob:
        """Send a failed or cancelled job round again, with a new fence and its type's attempts once more.

        Raises `JobNotFound`, `NotRetryable`. The ledger process publishes it within a second.
        """

        async def reopen(conn: Connection) -> None:
            job = (await self._ledger.lock(conn, [job_id])).get(job_id)
            if job is None:
                raise JobNotFound(f"No job {job_id} is kept.")
            if job.state not in RETRYABLE_BY_HAND:
                raise NotRetryable(f"The job is {job.state}; only a failed or cancelled one can be retried.")
            await self._ledger.reopen(
                conn, job, attempts=WORK_BY_TYPE[job.type].attempts, actor=f"{by.role} {by.account_id}"
            )
            await self._letters.drop_of_jobs(conn, [job_id])
            detail = {"type": job.type, "was": job.state.value}
            await audit.record(conn, by, "job.retry", about=("job", job_id), detail=detail, request_id=request_id)

        await in_ledger(self._pool, reopen)
        return await self.get(job_id)

    async def clear_history(self, *, by: Identity, request_id: str | None) -> Cleared:
        """Delete final jobs, all that a few seconds suffice for. Open ones stay.

        The audit line is written with the first batch and counts each batch in its own transaction: after a crash it
        says exactly what is gone.
        """
        line: UUID | None = None

        async def note(conn: Connection, deleted: int) -> None:
            nonlocal line
            if line is None:
                line = await audit.record(conn, by, "jobs.clear_history", about=("jobs", ""), request_id=request_id)
            await audit.add_up(conn, line, "cleared", deleted)

        cleared = await self._pruner.clear_history(note, seconds=CLEAR_SECONDS)
        if line is None:  # there was nothing to clear, and it is on record that somebody wanted to
            await in_ledger(self._pool, lambda conn: note(conn, 0))
        return cleared

    async def enqueue(self, request: JobRequest, *, by: Identity, request_id: str | None) -> Enqueued:
        """Write a job by hand; the ledger process publishes it. The same key within 24 hours finds the first one.

        Raises `UnknownJobType`, `InvalidInput`, `KeyReused`, `AlreadyCleared`.
        """
        contract = JOB_BY_TYPE.get(request.type)
        if contract is None:
            known = ", ".join(JOB_BY_TYPE)
            raise UnknownJobType(
                f"There is no job type {request.type!r}.",
                errors=[FieldError("/type", "unknown_job_type", f"one of {known}")],
            )
        try:
            # A reader ignores what it does not know; who makes a job by hand is told of it.
            payload = contract.model_validate_json(orjson.dumps(request.payload), extra="forbid")
        except TypeError as exc:  # an integer over 64 bits
            errors = [FieldError("/payload", "invalid_json", str(exc))]
            raise InvalidInput(f"The payload does not fit {request.type}.", errors=errors) from exc
        except ValidationError as exc:
            errors = [
                FieldError(f"/payload{error.pointer}", error.code, error.detail)
                for error in pointed(exc, request.payload)
            ]
            raise InvalidInput(f"The payload does not fit {request.type}.", errors=errors) from exc
        now, vendor_id = self._clock(), await self._vendor_of(request, payload)
        job, earlier = _job_asked_for(request, payload, by=by, now=now, vendor_id=vendor_id), None
        if request.idempotency_key is not None:  # the day may have changed since the first time
            earlier = _job_asked_for(request, payload, by=by, now=now - timedelta(days=1), vendor_id=vendor_id)
        await self._partitions.ensure_for([job.id])

        async def write(conn: Connection) -> tuple[UUID, bool]:
            for known in (job, earlier):
                made = None if known is None else await self._made_before(conn, known, since=now - timedelta(days=1))
                if made is not None:
                    return made, False
            if await self._ledger.insert(conn, [job], claim_seconds=0):
                detail: dict[str, Any] = {"type": job.type, "priority": job.priority}
                if job.parent is not None:
                    detail["copy_of"] = job.parent
                    await self._note_copy(conn, job.parent, by)
                await audit.record(conn, by, "job.enqueue", about=("job", job.id), detail=detail, request_id=request_id)
                return job.id, True
            if await self._ledger.get(conn, job.id) is None:
                raise AlreadyCleared("This idempotency key was used today for a job that is done and cleared away.")
            return job.id, False

        job_id, is_new = await in_ledger(self._pool, write)
        return Enqueued(await self.get(job_id), is_new=is_new)

    async def _vendor_of(self, request: JobRequest, payload: Job) -> UUID | None:
        """Whom a job by hand is about: its payload says so, or the job it is a copy of. Raises `InvalidInput`."""
        named: UUID | None = getattr(payload, "vendor_id", None)
        if request.copy_of is None:
            return named
        async with connection(self._pool) as conn:
            original = await self._ledger.get(conn, request.copy_of)
        if original is None:
            unknown = FieldError("/copy_of", "job_not_found", "no such job is kept")
            raise InvalidInput("The job to copy is not there.", errors=[unknown])
        return named or original.vendor_id

    async def _note_copy(self, conn: Connection, original_id: UUID, by: Identity) -> None:
        original = (await self._ledger.lock(conn, [original_id])).get(original_id)
        if original is not None:  # pruned a moment ago
            entry = HistoryEntry(original_id, original.state, "copied", actor=f"{by.role} {by.account_id}")
            await self._ledger.note_moves(conn, [entry], [])

    async def _made_before(self, conn: Connection, job: NewJob, *, since: datetime) -> UUID | None:
        """The job that the same key made in the last 24 hours. Raises `KeyReused` if that one is another."""
        for made in await listed(conn, ListFilter(cause=job.cause), before=None, limit=1):
            if made.created_at < since:
                return None
            asked = (job.type, job.payload, job.priority, job.max_attempts)
            if (made.type, made.payload, made.priority, made.max_attempts) != asked:
                reused = FieldError("/idempotency_key", "idempotency_key_reused", "another job has it")
                raise KeyReused("This key was used for another job.", errors=[reused])
            return made.id
        return None

    async def _with_history(self, conn: Connection, jobs: Sequence[JobView]) -> list[ShownJob]:
        history = await self._ledger.history(conn, [job.id for job in jobs]) if jobs else {}
        return [ShownJob(job, history[job.id]) for job in jobs]


def _job_asked_for(request: JobRequest, payload: Job, *, by: Identity, now: datetime, vendor_id: UUID | None) -> NewJob:
    """The job of a request. The same key of the same account gives the same id within a UTC day."""
    key = request.idempotency_key
    caused_at = now if key is None else now.replace(hour=0, minute=0, second=0, microsecond=0)
    cause = new_id() if key is None else derived_id(caused_at, by.account_id, key)
    return new_job(
        Order(payload, target=str(cause), priority=request.priority),
        cause=cause,
        cause_type=_BY_HAND,
        caused_at=caused_at,
        vendor_id=vendor_id,
        traceparent=tracing.current(),
        max_attempts=request.max_attempts,
        run_at=request.run_at if request.run_at is not None and request.run_at > now else None,
        parent=request.copy_of,
    )
