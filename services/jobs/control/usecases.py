"""What operators do. Each is one transaction with its audit row; the ledger process tells the workers."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.jobs.audit import store as audit
from services.jobs.breakers.store import BreakerStore, OpenBreaker, TypeEvent
from services.jobs.control.store import ControlStore, FailedFilter, FailureGroup, PausedType
from services.jobs.dead_letters.store import LetterStore
from services.jobs.errors import AlreadyOver, JobNotFound, UnknownJobType
from services.jobs.listing.store import ListFilter, ids_of
from services.jobs.models import FINAL, RETRYABLE_BY_HAND, HistoryEntry, JobState
from services.jobs.schedules.overlap import endings
from services.jobs.store import Ledger, in_ledger
from shared.clock import Clock
from shared.contracts.events import JobsChanged
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool, connection
from shared.errors import FieldError, InvalidInput
from shared.messaging.topology import WORK_BY_TYPE
from shared.web.identity import Identity

BULK_LIMIT: Final = 5_000
"""Jobs of one bulk retry; ask again for more."""
LONGEST_SPREAD_SECONDS: Final = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class BulkRetry:
    """What a bulk retry would do or did: how many jobs, and over how many seconds they are published.

    `is_all` is False where more fit than are retried at once; `ids` are the retried ones.
    """

    jobs: int
    over_seconds: float
    is_dry_run: bool
    is_all: bool
    ids: Sequence[UUID] = ()


class BulkAction(StrEnum):
    """What can be done to many jobs."""

    RETRY = "retry"
    CANCEL = "cancel"


BULK_STATES: Final[Mapping[BulkAction, Sequence[JobState]]] = {
    BulkAction.RETRY: tuple(state for state in JobState if state in RETRYABLE_BY_HAND),
    BulkAction.CANCEL: tuple(state for state in JobState if state not in FINAL),
}
"""In which states an action finds the jobs it is about."""


@dataclass(frozen=True, slots=True)
class BulkDone:
    """What a bulk action would do or did; `is_all` is false when there are more that fit."""

    action: BulkAction
    jobs: int
    over_seconds: float
    is_dry_run: bool
    is_all: bool


class ControlDesk:
    """Cancel, pause, resume, retry many, failures by cause."""

    def __init__(self, pool: Pool, ledger: Ledger, store: ControlStore, clock: Clock) -> None:
        self._pool = pool
        self._ledger = ledger
        self._store = store
        self._letters = LetterStore()
        self._breakers = BreakerStore()
        self._clock = clock
        self._outbox = Outbox("jobs")

    async def cancel(self, job_id: UUID, *, by: Identity, request_id: str | None) -> JobState:
        """Cancel a job; returns the state it is in now. Raises `JobNotFound`, `AlreadyOver`.

        A waiting job is cancelled at once and its message dropped by whoever gets it. One that runs is asked: its own
        report decides, and an effect that has happened makes it completed.
        """

        async def write(conn: Connection) -> JobState:
            before = await self._ledger.lock(conn, [job_id])
            job = before.get(job_id)
            if job is None:
                raise JobNotFound(f"No job {job_id} is kept.")
            if job.state in FINAL:
                raise AlreadyOver(f"The job is {job.state}.")
            entry = HistoryEntry(job_id=job_id, state=job.state, outcome="cancel_asked", actor=_name(by))
            if job.state is not JobState.PROCESSING:
                job = replace(job, state=JobState.CANCELLED, finished_at=self._clock(), retry_at=None)
                entry = replace(entry, state=job.state, outcome="cancelled")
                await self._ledger.save(conn, before, [job], [entry])
                for told in endings([job]):
                    await self._outbox.add(conn, told, cause=told.cause_id)
            else:
                await self._ledger.save(conn, before, [], [entry])
            await self._store.add_cancels(conn, [(job_id, job.fence)])
            detail = {"type": job.type, "state": job.state.value}
            await audit.record(conn, by, "job.cancel", about=("job", job_id), detail=detail, request_id=request_id)
            return job.state

        return await in_ledger(self._pool, write)

    async def pause(self, job_type: str, *, by: Identity, request_id: str | None) -> None:
        """Have no worker take jobs of a type; what runs, finishes. Safe to do twice. Raises `UnknownJobType`."""
        _known(job_type)

        async def write(conn: Connection) -> None:
            if await self._store.pause(conn, job_type, _name(by)):
                await self._breakers.note(conn, job_type, "paused", actor=_name(by))
                await self._outbox.add(conn, JobsChanged(types=(job_type,)))
                await audit.record(conn, by, "job_type.pause", about=("job_type", job_type), request_id=request_id)

        await in_ledger(self._pool, write)

    async def resume(self, job_type: str, *, by: Identity, request_id: str | None) -> None:
        """Let workers take jobs of a type again. Safe to do twice. Raises `UnknownJobType`."""
        _known(job_type)

        async def write(conn: Connection) -> None:
            if await self._store.resume(conn, job_type):
                await self._breakers.note(conn, job_type, "resumed", actor=_name(by))
                await self._outbox.add(conn, JobsChanged(types=(job_type,)))
                await audit.record(conn, by, "job_type.resume", about=("job_type", job_type), request_id=request_id)

        await in_ledger(self._pool, write)

    async def paused(self) -> Sequence[PausedType]:
        """The paused types."""
        async with connection(self._pool) as conn:
            return await self._store.paused(conn)

    async def open_breakers(self) -> Sequence[OpenBreaker]:
        """The types whose dependency is away."""
        async with connection(self._pool) as conn:
            return await self._breakers.all_open(conn)

    async def type_events(self, job_type: str | None, *, limit: int) -> Sequence[TypeEvent]:
        """What stopped types and let them go on in the last 30 days, newest first; of one type or of all."""
        async with connection(self._pool) as conn:
            return await self._breakers.history(conn, job_type, limit)

    async def groups(self) -> Sequence[FailureGroup]:
        """Failed jobs by cause."""
        async with connection(self._pool) as conn:
            return await self._store.groups(conn)

    async def states(self, ids: Sequence[UUID]) -> dict[JobState, int]:
        """In which states these jobs are; those that are not kept are not counted."""
        async with connection(self._pool) as conn:
            return await self._store.states(conn, ids)

    async def retry_failed(
        self,
        where: FailedFilter,
        *,
        per_second: float,
        is_dry_run: bool,
        by: Identity,
        request_id: str | None,
    ) -> BulkRetry:
        """Retry the failed jobs that fit, at most 5,000, `per_second` of them each second; or only count them."""

        async def write(conn: Connection) -> BulkRetry:
            fitting = await self._store.failed(conn, where, BULK_LIMIT + 1)
            ids, is_all = fitting[:BULK_LIMIT], len(fitting) <= BULK_LIMIT
            over = spread_over(len(ids), per_second)
            if is_dry_run:
                return BulkRetry(len(ids), over, is_dry_run=True, is_all=is_all)
            retried = await self._retry_all(conn, ids, per_second=per_second, by=by)
            named = {name: value for name, value in asdict(where).items() if value is not None}
            detail = {**named, "jobs": len(retried)}
            await audit.record(conn, by, "jobs.retry", about=("jobs", ""), detail=detail, request_id=request_id)
            over = spread_over(len(retried), per_second)
            return BulkRetry(len(retried), over, is_dry_run=False, is_all=is_all, ids=retried)

        return await in_ledger(self._pool, write)

    async def bulk(
        self,
        action: BulkAction,
        where: ListFilter,
        *,
        per_second: float,
        is_dry_run: bool,
        by: Identity,
        request_id: str | None,
    ) -> BulkDone:
        """Retry or cancel the jobs of a list, at most 5,000 at once; or only count them.

        Of the list only those count that are in a state for it. Retried ones are published `per_second` each second.
        """

        async def write(conn: Connection) -> tuple[int, bool]:
            ids = await self._fitting(conn, action, where)
            chosen, is_all = ids[:BULK_LIMIT], len(ids) <= BULK_LIMIT
            if action is BulkAction.RETRY:
                spread_over(len(chosen), per_second)
            if is_dry_run:
                return len(chosen), is_all
            if action is BulkAction.RETRY:
                done = len(await self._retry_all(conn, chosen, per_second=per_second, by=by))
            else:
                done = await self._cancel_all(conn, chosen, by=by)
            named = {name: value for name, value in asdict(where).items() if value is not None}
            await audit.record(
                conn, by, f"jobs.{action}", about=("jobs", ""), detail={**named, "jobs": done}, request_id=request_id
            )
            return done, is_all

        jobs, is_all = await in_ledger(self._pool, write)
        seconds = round(jobs / per_second, 1) if action is BulkAction.RETRY else 0.0
        return BulkDone(action, jobs, seconds, is_dry_run, is_all)

    async def _fitting(self, conn: Connection, action: BulkAction, where: ListFilter) -> list[UUID]:
        """The ids that an action is about, one more than it takes on at once if there are more."""
        states = BULK_STATES[action] if where.state is None else [where.state]
        found: list[UUID] = []
        for state in states:
            if state in BULK_STATES[action]:
                found += await ids_of(conn, replace(where, state=state), limit=BULK_LIMIT + 1 - len(found))
        return found

    async def _retry_all(self, conn: Connection, ids: Sequence[UUID], *, per_second: float, by: Identity) -> list[UUID]:
        locked = await self._ledger.lock(conn, ids)
        over = [locked[id_] for id_ in ids if id_ in locked and locked[id_].state in RETRYABLE_BY_HAND]
        attempts = {job_type: work.attempts for job_type, work in WORK_BY_TYPE.items()}
        await self._ledger.reopen_all(conn, over, attempts=attempts, seconds=1 / per_second, actor=_name(by))
        retried = [job.id for job in over]
        await self._letters.drop_of_jobs(conn, retried)
        return retried

    async def _cancel_all(self, conn: Connection, ids: Sequence[UUID], *, by: Identity) -> int:
        """As `cancel`, of many: those that run are asked."""
        before = await self._ledger.lock(conn, ids)
        open_ones = [job for job in before.values() if job.state not in FINAL]
        after = [
            replace(job, state=JobState.CANCELLED, finished_at=self._clock(), retry_at=None)
            for job in open_ones
            if job.state is not JobState.PROCESSING
        ]
        entries = [
            HistoryEntry(
                job_id=job.id,
                state=job.state if job.state is JobState.PROCESSING else JobState.CANCELLED,
                outcome="cancel_asked" if job.state is JobState.PROCESSING else "cancelled",
                actor=_name(by),
            )
            for job in open_ones
        ]
        await self._ledger.save(conn, before, after, entries)
        for told in endings(after):
            await self._outbox.add(conn, told, cause=told.cause_id)
        await self._store.add_cancels(conn, [(job.id, job.fence) for job in open_ones])
        return len(open_ones)


def spread_over(jobs: int, per_second: float) -> float:
    """Over how many seconds so many jobs are let go. Raises `InvalidInput` for a rate that takes over a week."""
    seconds = jobs / per_second
    if seconds > LONGEST_SPREAD_SECONDS:
        wrong = FieldError("/per_second", "too_slow", "so slow that the last job would begin after more than a week")
        raise InvalidInput(f"{jobs} jobs would take too long.", errors=[wrong])
    return round(seconds, 1)


def _name(by: Identity) -> str:
    return f"{by.role} {by.account_id}"


def _known(job_type: str) -> None:
    if job_type not in WORK_BY_TYPE:
        raise UnknownJobType(f"There is no job type {job_type!r}; there are {', '.join(WORK_BY_TYPE)}.")
