"""The bodies of control."""

from typing import Annotated

from pydantic import Field

from services.jobs.control.store import FailedFilter
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
