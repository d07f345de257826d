"""The bodies and queries of the jobs api, and jobs as they are answered."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, model_validator

from services.jobs.listing.store import ListFilter
from services.jobs.models import JobState
from services.jobs.schedules.store import HELD
from services.jobs.store import HistoryView, JobView
from shared.contracts.base import Priority
from shared.web.bodies import Body, Moment, Query


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


class ListQuery(Query):
    """Filters of a list of jobs, newest first; `cursor` is what `next` said.

    `q` is the id of a job or of its cause, or a part of its last error; `since` and `until` are of its cause's time.
    """

    type: str | None = None
    state: JobState | None = None
    cause: UUID | None = None
    priority: Annotated[int, Field(ge=1, le=5)] | None = None
    q: Annotated[str, Field(min_length=3, max_length=200)] | None = None
    since: Moment | None = None
    until: Moment | None = None
    cursor: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 48

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


class VendorListQuery(Query):
    """What a vendor may filter its own jobs by."""

    cause: UUID | None = None
    cursor: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 48


class EnqueueBody(Body):
    """A job by hand. The same `idempotency_key` of the same account makes one job within a UTC day."""

    type: Annotated[str, Field(max_length=100)]
    payload: dict[str, JsonValue]
    priority: Priority | None = None
    max_attempts: Annotated[int, Field(ge=1, le=20)] | None = None
    run_at: Moment | None = None
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = None


def job_shown(job: JobView, history: Sequence[HistoryView]) -> dict[str, Any]:
    """A job in the shape of the API: times in RFC 3339, waits in milliseconds, its attempts in order.

    `error` is what keeps it from being done; once it is completed, only its attempts tell what went wrong before.
    """
    return {
        "id": job.id,
        "type": job.type,
        "priority": job.priority,
        "state": job.state,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "payload": job.payload,
        "cause": job.cause,
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


def _attempt_shown(line: HistoryView) -> dict[str, Any]:
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


def _error(error_class: str | None, message: str | None) -> dict[str, str | None] | None:
    return None if error_class is None else {"class": error_class, "message": message}


def _milliseconds(start: datetime, end: datetime | None) -> int | None:
    return None if end is None else max(0, round((end - start).total_seconds() * 1000))
