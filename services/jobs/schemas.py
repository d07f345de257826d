"""The bodies and queries of the jobs api, and jobs as they are answered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, model_validator
from typing_extensions import TypedDict

from services.jobs.breakers.store import OpenBreaker
from services.jobs.health.store import OldestWaiting
from services.jobs.health.usecases import WorkHealth
from services.jobs.listing.store import ListFilter
from services.jobs.models import JobState
from services.jobs.schedules.store import HELD
from services.jobs.store import HistoryView, JobBrief, JobView, Kin
from shared.contracts.base import Priority
from shared.contracts.jobs import JOB_BY_TYPE
from shared.web.bodies import Body, Moment, Query
from shared.web.paging import PageQuery

JobType = Annotated[str, Field(max_length=100, json_schema_extra={"enum": sorted(JOB_BY_TYPE)})]
"""Known ones are told by name in the error of an unknown one."""


def _known(job_type: str) -> str:
    if job_type not in JOB_BY_TYPE:
        raise ValueError(f"one of {', '.join(JOB_BY_TYPE)}")
    return job_type


KnownType = Annotated[JobType, AfterValidator(_known)]
"""A job type that there is: a filter by any other would find nothing, which looks like good news."""


class JobsQuery(Query):
    """`GET /api/admin/jobs?action=…`."""

    action: Literal["stats", "health", "completed", "failed", "job"]
    id: UUID | None = None


class RetryAction(Body):
    """`{"action": "retry", "id": …}`."""

    action: Literal["retry"]
    id: UUID


class ClearHistoryAction(Body):
    """`{"action": "clear-history"}`."""

    action: Literal["clear-history"]


class ListQuery(PageQuery):
    """Filters of a list of jobs, newest first.

    `q` is the id of a job or of its cause, or a part of its last error; `since` and `until` are of its cause's time.
    """

    type: KnownType | None = None
    state: JobState | None = None
    cause: UUID | None = None
    priority: Annotated[int, Field(ge=1, le=5)] | None = None
    q: Annotated[str, Field(min_length=3, max_length=200)] | None = None
    since: Moment | None = None
    until: Moment | None = None

    @model_validator(mode="after")
    def _is_one_search(self) -> Self:
        if self.q is not None and self.cause is not None:
            raise ValueError("give either q or cause: an id in q finds the cause's jobs too")
        return self

    @property
    def where(self) -> ListFilter:
        """The filter as a value."""
        return ListFilter(
            type=self.type,
            state=self.state,
            priority=self.priority,
            cause=self.cause,
            q=self.q,
            since=self.since,
            until=self.until,
        )


class VendorListQuery(PageQuery):
    """What a vendor may filter its own jobs by."""

    cause: UUID | None = None


class EnqueueBody(Body):
    """A job by hand. The same `idempotency_key` of the same account makes one job within a UTC day."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"type": "cleanup-cache", "payload": {}, "priority": 2, "max_attempts": 5}]}
    )

    type: JobType
    payload: dict[str, JsonValue]
    """What the type's message holds, as `GET /api/asyncapi.json` says."""
    priority: Priority | None = None
    max_attempts: Annotated[int, Field(ge=1, le=20)] | None = None
    run_at: Moment | None = None
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    copy_of: UUID | None = None
    """The job it is a changed copy of: it is then named as what led to this one."""


ErrorShown = TypedDict("ErrorShown", {"class": str, "message": str | None})
"""What went wrong: the class of the error, and its message."""


class AttemptShown(TypedDict):
    """One attempt that ended. `retry_at` is when the next one was to begin."""

    number: int | None
    worker: str | None
    outcome: str | None
    started_at: datetime | None
    run_ms: int | None
    error: ErrorShown | None
    retry_at: datetime | None


class JobShown(TypedDict):
    """A job with its attempts in order. `error` is what keeps it from being done; `progress` is 0 to 1.

    `target` tells jobs of one type and cause apart; `cause` is the event that asked for it, of the type `cause_type`;
    `parent` is the job that led to it, if one did.
    """

    id: UUID
    type: str
    priority: int
    state: JobState
    target: str
    attempt: int
    max_attempts: int
    payload: dict[str, JsonValue]
    cause: UUID | None
    cause_type: str | None
    parent: UUID | None
    vendor_id: UUID | None
    created_at: datetime
    run_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    retry_at: datetime | None
    wait_ms: int | None
    run_ms: int | None
    progress: float | None
    result: JsonValue
    error: ErrorShown | None
    attempts: list[AttemptShown]


class LineShown(TypedDict):
    """One line of a job's history: what happened, in which state it left the job, and who did it."""

    at: datetime
    outcome: str
    state: JobState
    attempt: int | None
    worker: str | None
    started_at: datetime | None
    run_ms: int | None
    error: ErrorShown | None
    retry_at: datetime | None
    actor: str | None


class WholeJobShown(JobShown):
    """A job with all of its history, and the jobs around it.

    `parent_job` led to it, `led_to` are those it led to, `beside` are others of the same event; 50 at most of each.
    """

    history: list[LineShown]
    parent_job: JobBrief | None
    led_to: Sequence[JobBrief]
    beside: Sequence[JobBrief]


class StatsShown(TypedDict):
    """Jobs kept, by state; `total` is the sum of the seven. `active_workers` were heard of in 30 s."""

    total: int
    scheduled: int
    pending: int
    processing: int
    retrying: int
    completed: int
    failed: int
    cancelled: int
    active_workers: int


class StatsAnswer(TypedDict):
    """`action=stats`."""

    success: Literal[True]
    stats: StatsShown
    oldest_waiting: Sequence[OldestWaiting]
    open_breakers: Sequence[OpenBreaker]


class HealthAnswer(TypedDict):
    """`action=health`."""

    success: Literal[True]
    health: WorkHealth


class JobsAnswer(TypedDict):
    """`action=completed` and `action=failed`."""

    success: Literal[True]
    jobs: list[JobShown]


class JobAnswer(TypedDict):
    """`action=job`, and what a retry answers."""

    success: Literal[True]
    job: JobShown


class ClearedAnswer(TypedDict):
    """How many jobs were cleared away; `more` says that there are others left, so ask again."""

    success: Literal[True]
    cleared: int
    more: bool


def job_shown(job: JobView, history: Sequence[HistoryView]) -> JobShown:
    """A job in the shape of the API: times in RFC 3339, waits in milliseconds, its attempts in order.

    `error` is what keeps it from being done; once it is completed, only its attempts tell what went wrong before.
    """
    return {
        "id": job.id,
        "type": job.type,
        "priority": job.priority,
        "state": job.state,
        "target": job.target,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "payload": job.payload,
        "cause": job.cause,
        "cause_type": job.cause_type,
        "parent": job.parent,
        "vendor_id": job.vendor_id,
        "created_at": job.created_at,
        "run_at": None if job.run_at == HELD else job.run_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "retry_at": job.retry_at,
        "wait_ms": _milliseconds(job.run_at or job.created_at, job.started_at),
        "run_ms": job.run_ms,
        "progress": job.progress,
        "result": job.result,
        "error": None if job.state is JobState.COMPLETED else _error(job.error_class, job.error_message),
        "attempts": [_attempt_shown(line) for line in history if _ended_an_attempt(line)],
    }


def whole_job_shown(job: JobView, history: Sequence[HistoryView], kin: Kin) -> WholeJobShown:
    """A job alone, with everything that is known of it."""
    return {
        **job_shown(job, history),
        "history": [_line_shown(line) for line in history],
        "parent_job": kin.parent,
        "led_to": kin.led_to,
        "beside": kin.beside,
    }


def _line_shown(line: HistoryView) -> LineShown:
    entry = line.entry
    return {
        "at": line.at,
        "outcome": entry.outcome,
        "state": entry.state,
        "attempt": entry.attempt,
        "worker": entry.worker,
        "started_at": entry.started_at,
        "run_ms": entry.run_ms,
        "error": _error(entry.error_class, entry.error_message),
        "retry_at": entry.retry_at,
        "actor": entry.actor,
    }


def _attempt_shown(line: HistoryView) -> AttemptShown:
    entry = line.entry
    return {
        "number": entry.attempt,
        "worker": entry.worker,
        "outcome": entry.outcome,
        "started_at": entry.started_at,
        "run_ms": entry.run_ms,
        "error": _error(entry.error_class, entry.error_message),
        "retry_at": entry.retry_at,
    }


def _ended_an_attempt(line: HistoryView) -> bool:
    return line.entry.attempt is not None and line.entry.outcome != "started"


def _error(error_class: str | None, message: str | None) -> ErrorShown | None:
    return None if error_class is None else {"class": error_class, "message": message}


def _milliseconds(start: datetime, end: datetime | None) -> int | None:
    return None if end is None else max(0, round((end - start).total_seconds() * 1000))
