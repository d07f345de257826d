"""What the addresses of the live feeds promise."""

from typing import Annotated, Final, NotRequired

from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from services.catalog.realtime.routes import FeedQuery, PublicQuery
from shared.web.operations import Answer, Group, Operation


class ResumeHeaders(BaseModel):
    """Where a feed goes on; browsers send it by themselves."""

    last_event_id: Annotated[
        str | None, Field(alias="Last-Event-ID", description="The `id` of the last event that was heard.")
    ] = None


class FeedEvent(TypedDict):
    """One server-sent event. `data` is JSON, `id` is where a feed goes on; the names are in the description."""

    event: str
    data: str
    id: NotRequired[str]


def _feed(path: str, name: str, summary: str, query: type[FeedQuery]) -> Operation:
    return Operation(
        route=f"GET {path}",
        id=name,
        summary=summary,
        description="Server-sent events. A feed that goes on where it broke off misses nothing of the last 24 hours, "
        "or is told to read anew. It begins with `ready`; `reset` asks to read anew, `live` tells when events stop or "
        "go on coming, `end` closes it.",
        query=query,
        headers=ResumeHeaders,
        answers={
            200: Answer(FeedEvent, "Events as they happen, each of this form.", media_types=("text/event-stream",))
        },
    )


FEEDS: Final = Group(
    "Live feeds",
    "What changes, as it changes.",
    (
        _feed("/api/stream", "followCatalogue", "Follow the catalogue", PublicQuery),
        _feed("/api/vendor/stream", "followOwn", "Follow your products, stock, jobs and notifications", FeedQuery),
        _feed("/api/admin/stream", "followMarketplace", "Follow what admins are told", FeedQuery),
        _feed("/api/admin/jobs/stream", "followJobs", "Follow the jobs", FeedQuery),
    ),
)
