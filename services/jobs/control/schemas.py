"""The bodies of control."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator
from typing_extensions import TypedDict

from services.jobs.breakers.store import OpenBreaker
from services.jobs.control.store import FailedFilter, PausedType
from services.jobs.control.usecases import BULK_LIMIT, BULK_STATES, BulkAction
from services.jobs.listing.store import ListFilter
from services.jobs.models import JobState
from services.jobs.schemas import KnownType
from shared.web.bodies import Body, Moment, Query

PerSecond = Annotated[float, Field(gt=0, le=1000)]
"""How many jobs of a bulk are let go each second."""


class RetryFailedBody(Body):
    """Which failed jobs to retry, how fast, and whether only to count them.

    `cause` is an error without its numbers and ids, as the groups of failed jobs have it: of the newest 10,000.
    """

    type: KnownType | None = None
    error_class: Annotated[str, Field(max_length=200)] | None = None
    cause: Annotated[str, Field(max_length=400)] | None = None
    since: Moment | None = None
    per_second: PerSecond = 20.0
    dry_run: bool = True

    @property
    def where(self) -> FailedFilter:
        """The filter as a value."""
        return FailedFilter(type=self.type, error_class=self.error_class, cause=self.cause, since=self.since)


class StatesBody(Body):
    """The jobs of a bulk, whose states are asked for."""

    ids: Annotated[tuple[UUID, ...], Field(max_length=BULK_LIMIT)]


class BulkBody(Body):
    """What to do to the jobs of a list: its filters as `GET /api/admin/jobs/list` takes them.

    By default they are only counted. Retried jobs are published `per_second` each second.
    """

    action: BulkAction
    type: KnownType | None = None
    state: JobState | None = None
    cause: UUID | None = None
    priority: Annotated[int, Field(ge=1, le=5)] | None = None
    q: Annotated[str, Field(min_length=3, max_length=200)] | None = None
    since: Moment | None = None
    until: Moment | None = None
    per_second: PerSecond = 20.0
    dry_run: bool = True

    @model_validator(mode="after")
    def _is_meant(self) -> Self:
        if self.state is not None and self.state not in BULK_STATES[self.action]:
            raise ValueError(f"{self.state} jobs cannot be told to {self.action}")
        if self.q is not None and self.cause is not None:
            raise ValueError("give either q or cause: an id in q finds the cause's jobs too")
        return self

    @property
    def where(self) -> ListFilter:
        """The filter as a value."""
        return ListFilter(self.type, self.state, self.priority, self.cause, None, self.q, self.since, self.until)


class BulkShown(TypedDict):
    """What a bulk action would do or does; with `more` there are others that fit: ask again."""

    action: BulkAction
    jobs: int
    over_seconds: float
    dry_run: bool
    more: bool


class CancelledShown(TypedDict):
    """How far a cancelling is: at once, or once the worker that has the job hears of it."""

    id: UUID
    state: JobState


class BulkRetryShown(TypedDict):
    """What a bulk retry would do or does. `more` says that others fit, so ask again; `ids` are the retried jobs."""

    jobs: int
    over_seconds: float
    dry_run: bool
    more: bool
    ids: Sequence[UUID]


class StatesShown(TypedDict):
    """How many of the jobs asked for are in which state; those that are not kept are in none."""

    states: Mapping[str, int]


class TypeEventsQuery(Query):
    """Of which type, and how many of the newest."""

    type: KnownType | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 48


class TypesShown(TypedDict):
    """Types that stand: those that people paused, and those whose dependency is away."""

    items: Sequence[PausedType]
    breakers: Sequence[OpenBreaker]
    next: None
