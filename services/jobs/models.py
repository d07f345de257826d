"""Jobs, their states, and what a report does to a job. Pure: no I/O and no clock."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import JsonValue

from shared.contracts.base import Job
from shared.contracts.reports import AttemptReport, Outcome
from shared.ids import derived_id
from shared.messaging.topology import WORK_BY_TYPE


class JobState(StrEnum):
    """Where a job is."""

    SCHEDULED = "scheduled"
    """Waits in the ledger for its time."""
    PENDING = "pending"
    """Waits in its queue, or is about to be published."""
    PROCESSING = "processing"
    RETRYING = "retrying"
    """An attempt failed; waits in a retry queue, or in the ledger when the wait is long."""
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL: Final = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})
RETRYABLE_BY_HAND: Final = frozenset(
    {
        JobState.FAILED,  # out of attempts, or not worth another until somebody mended the cause
        JobState.CANCELLED,  # stopped by a person, who may think again
    }
)


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it enters the ledger."""

    id: UUID
    type: str
    priority: int
    max_attempts: int
    timeout_ms: int
    payload: Mapping[str, JsonValue]
    target: str
    cause: UUID | None
    cause_type: str | None
    caused_at: datetime
    vendor_id: UUID | None
    traceparent: str | None
    run_at: datetime | None = None
    parent: UUID | None = None
    """The job that led to it."""

    @property
    def state(self) -> JobState:
        """Its first state."""
        return JobState.PENDING if self.run_at is None else JobState.SCHEDULED


@dataclass(frozen=True, slots=True)
class Order:
    """A job that an event asks for. `target` tells jobs of one type and cause apart; `round` an asking again."""

    job: Job
    target: str
    priority: int | None = None
    round: int = 1


def new_job(
    order: Order,
    *,
    cause: UUID,
    cause_type: str,
    caused_at: datetime,
    vendor_id: UUID | None = None,
    traceparent: str | None = None,
    max_attempts: int | None = None,
    run_at: datetime | None = None,
    parent: UUID | None = None,
) -> NewJob:
    """The job of an order. Its id is derived, so the same cause never makes a second one."""
    work = WORK_BY_TYPE[order.job.type]
    return NewJob(
        id=derived_id(caused_at, cause, work.type, order.target, order.round),
        type=work.type,
        priority=order.priority or work.priority,
        max_attempts=max_attempts or work.attempts,
        timeout_ms=round(work.timeout_seconds * 1000),
        payload=order.job.model_dump(mode="json"),
        target=order.target,
        cause=cause,
        cause_type=cause_type,
        caused_at=caused_at,
        vendor_id=vendor_id,
        traceparent=traceparent,
        run_at=run_at,
        parent=parent,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a job's row decides what a report does to it."""

    id: UUID
    type: str
    state: JobState
    attempt: int
    fence: int
    cause: UUID | None
    cause_type: str | None
    target: str
    vendor_id: UUID | None
    due_at: datetime | None = None
    """Since when it could have been begun."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    run_ms: int | None = None
    retry_at: datetime | None = None
    waits_in_ledger: bool = False
    result: JsonValue = None
    error_class: str | None = None
    error_message: str | None = None


_STATE_AFTER: Final = {
    Outcome.STARTED: JobState.PROCESSING,
    Outcome.COMPLETED: JobState.COMPLETED,
    Outcome.RETRYING: JobState.RETRYING,
    Outcome.FAILED: JobState.FAILED,
    Outcome.CANCELLED: JobState.CANCELLED,
}


def after_report(job: Standing, report: AttemptReport, *, now: datetime) -> Standing:
    """The job after one report.

    `completed` of any fence wins over every state but `completed`. Every other report changes nothing when its fence
    is superseded, when the job is final, or when it tells of an earlier attempt than the last one known. An attempt
    that was not spent leaves its number to the next one.
    """
    if job.state is JobState.COMPLETED:
        return job
    if report.outcome is not Outcome.COMPLETED:
        is_late = report.attempt < job.attempt or (
            report.outcome is Outcome.STARTED and report.attempt == job.attempt and job.state is JobState.RETRYING
        )
        if report.fence != job.fence or job.state in FINAL or is_late:
            return job
    state = _STATE_AFTER[report.outcome]
    error = report.error
    return replace(
        job,
        state=state,
        attempt=max(job.attempt, report.attempt) if report.is_spent else report.attempt - 1,
        started_at=job.started_at or report.started_at,
        finished_at=now if state in FINAL else None,
        run_ms=job.run_ms if report.outcome is Outcome.STARTED else report.run_ms,
        retry_at=report.retry_at if state is JobState.RETRYING else None,
        waits_in_ledger=state is JobState.RETRYING and report.waits_in_ledger,
        result=report.result if state is JobState.COMPLETED else job.result,
        error_class=job.error_class if error is None else error.error_class,
        error_message=job.error_message if error is None else error.message,
    )


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One line of a job's history: an attempt's report, or what a person did."""

    job_id: UUID
    state: JobState
    outcome: str
    attempt: int | None = None
    fence: int | None = None
    worker: str | None = None
    started_at: datetime | None = None
    run_ms: int | None = None
    error_class: str | None = None
    error_message: str | None = None
    retry_at: datetime | None = None
    actor: str | None = None


def entry_of(report: AttemptReport, state: JobState) -> HistoryEntry:
    """The history line of a report."""
    return HistoryEntry(
        job_id=report.job_id,
        state=state,
        outcome=report.outcome.value if report.is_spent else "postponed",
        attempt=report.attempt,
        fence=report.fence,
        worker=report.worker,
        started_at=report.started_at,
        run_ms=report.run_ms,
        error_class=None if report.error is None else report.error.error_class,
        error_message=None if report.error is None else report.error.message,
        retry_at=report.retry_at,
    )


@dataclass(slots=True)
class CounterDeltas:
    """Changes to the counts of (type, state), summed so that each counter row is written once."""

    by_key: dict[tuple[str, str], int] = field(default_factory=dict)

    def moved(self, job_type: str, *, before: JobState | None, after: JobState | None, n: int = 1) -> None:
        """`n` jobs came (`before` is None), went (`after` is None), or changed their state."""
        if before is after:
            return
        for state, delta in ((before, -n), (after, n)):
            if state is not None:
                key = (job_type, state.value)
                self.by_key[key] = self.by_key.get(key, 0) + delta

    def in_key_order(self) -> list[tuple[str, str, int]]:
        """Rows to add, in the order in which every writer locks them."""
        return [(kind, state, n) for (kind, state), n in sorted(self.by_key.items()) if n]


def statistics(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Counts by state over all types, and their sum."""
    by_state = dict.fromkeys((state.value for state in JobState), 0)
    for state, n in counts:
        by_state[state] += n
    return {"total": sum(by_state.values()), **by_state}
