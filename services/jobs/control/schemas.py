"""The bodies of control."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict

from services.jobs.breakers.store import OpenBreaker
from services.jobs.control.store import FailedFilter, PausedType
from services.jobs.models import JobState
from shared.web.bodies import Body, Moment


class RetryFailedBody(Body):
    """Which failed jobs to retry, how fast, and whether only to count them."""

    type: Annotated[str, Field(max_length=100)] | None = None
    error_class: Annotated[str, Field(max_length=200)] | None = None
    since: Moment | None = None
    per_second: Annotated[float, Field(gt=0, le=1000)] = 20.0
    dry_run: bool = True

    @property
    def where(self) -> FailedFilter:
        """The filter as a value."""
        return FailedFilter(type=self.type, error_class=self.error_class, since=self.since)


class CancelledShown(TypedDict):
    """How far a cancelling is: at once, or once the worker that has the job hears of it."""

    id: UUID
    state: JobState


class BulkRetryShown(TypedDict):
    """What a bulk retry would do or does."""

    jobs: int
    over_seconds: float
    dry_run: bool


class TypesShown(TypedDict):
    """Types that stand: those that people paused, and those whose dependency is away."""

    items: Sequence[PausedType]
    breakers: Sequence[OpenBreaker]
    next: None
