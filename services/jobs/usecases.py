"""What people and programs can ask of the ledger, and do to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from pydantic import JsonValue, ValidationError

from services.jobs.errors import AlreadyCleared, JobNotFound, KeyReused, NotRetryable, UnknownJobType
from services.jobs.health.store import HealthStore
from services.jobs.models import RETRYABLE_BY_HAND, JobState, Order, new_job, statistics
from services.jobs.partitions import Partitions
from services.jobs.pruner import Pruner
from services.jobs.store import HistoryView, JobFilter, JobView, Ledger, in_ledger
from shared.clock import Clock
from shared.contracts.jobs import JOB_BY_TYPE
from shared.db.pool import Connection, Pool, connection
from shared.errors import FieldError, InvalidInput
from shared.ids import derived_id, new_id
from shared.messaging.topology import WORK_BY_TYPE
from shared.web.bodies import pointed
from shared.web.identity import Identity

COMPLETED_SHOWN: Final = 100
FAILED_SHOWN: Final = 50
_BY_HAND: Final = "by-hand"


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A job with its history."""

    job: JobView
    history: Sequence[HistoryView]


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


class JobsDesk:
    """The ledger as its api uses it. Every change is one transaction with its audit row."""

    def __init__(
        self,
        pool: Pool,
        ledger: Ledger,
        *,
        health: HealthStore,
        partitions: Partitions,
        pruner: Pruner,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._ledger = ledger
        self._health = health
        self._partitions = partitions
        self._pruner = pruner
        self._clock = clock

    async def stats(self) -> dict[str, Any]:
        """Jobs kept, by state; `total` is the sum of all seven. Read from counters, never counted."""
        async with connection(self._pool) as conn:
            counted = statistics(await self._ledger.counts(conn))
            return {**counted, "active_workers": await self._health.active_workers(conn)}

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

    async def page(self, where: JobFilter, *, before: UUID | None, limit: int) -> Page:
        """Jobs that fit the filter, newest first."""
        async with connection(self._pool) as conn:
            jobs = await self._ledger.page(conn, where, before=before, limit=limit + 1)
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
            await self._ledger.audit(
                conn, by, "job.retry", job_id=job_id, detail={"was": job.state.value}, request_id=request_id
            )

        await in_ledger(self._pool, reopen)
        return await self.get(job_id)

    async def clear_history(self, *, by: Identity, request_id: str | None) -> int:
        """Delete all final jobs; returns how many. Open ones stay."""
        cleared = await self._pruner.clear_history()
        async with connection(self._pool) as conn:
            await self._ledger.audit(conn, by, "jobs.clear_history", detail={"cleared": cleared}, request_id=request_id)
        return cleared

    async def enqueue(self, request: JobRequest, *, by: Identity, request_id: str | None) -> ShownJob:
        """Write a job by hand; the ledger process publishes it.

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
            payload = contract.model_validate_json(orjson.dumps(request.payload))
        except TypeError as exc:  # an integer over 64 bits
            errors = [FieldError("/payload", "invalid_json", str(exc))]
            raise InvalidInput(f"The payload does not fit {request.type}.", errors=errors) from exc
        except ValidationError as exc:
            errors = [FieldError(f"/payload{error.pointer}", error.code, error.detail) for error in pointed(exc)]
            raise InvalidInput(f"The payload does not fit {request.type}.", errors=errors) from exc
        now = self._clock()
        key = request.idempotency_key
        # The same key of the same account gives the same id within a UTC day, so the primary key finds the first.
        caused_at = now if key is None else now.replace(hour=0, minute=0, second=0, microsecond=0)
        cause = new_id() if key is None else derived_id(caused_at, by.account_id, key)
        job = new_job(
            Order(payload, target=str(cause), priority=request.priority),
            cause=cause,
            cause_type=_BY_HAND,
            caused_at=caused_at,
            vendor_id=getattr(payload, "vendor_id", None),
            max_attempts=request.max_attempts,
            run_at=request.run_at if request.run_at is not None and request.run_at > now else None,
        )
        await self._partitions.ensure_for([job.id])

        async def write(conn: Connection) -> None:
            for made in await self._ledger.page(conn, JobFilter(cause=cause), before=None, limit=1):
                if (made.type, made.payload, made.priority, made.max_attempts) != (
                    job.type,
                    job.payload,
                    job.priority,
                    job.max_attempts,
                ):
                    reused = FieldError("/idempotency_key", "idempotency_key_reused", "another job has it today")
                    raise KeyReused("This key was used for another job.", errors=[reused])
            if await self._ledger.insert(conn, [job], claim_seconds=0):
                await self._ledger.audit(
                    conn, by, "job.enqueue", job_id=job.id, detail={"type": job.type}, request_id=request_id
                )
            elif await self._ledger.get(conn, job.id) is None:
                raise AlreadyCleared("This idempotency key was used today for a job that is done and cleared away.")

        await in_ledger(self._pool, write)
        return await self.get(job.id)

    async def _with_history(self, conn: Connection, jobs: Sequence[JobView]) -> list[ShownJob]:
        history = await self._ledger.history(conn, [job.id for job in jobs]) if jobs else {}
        return [ShownJob(job, history[job.id]) for job in jobs]
