"""CloudEvents 1.0 in structured JSON: the envelope of every event and every job."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from shared.contracts.base import Contract

CONTENT_TYPE = "application/cloudevents+json"


class Envelope(BaseModel):
    """Who says what, when, about what; `data` is the contract of `type`.

    `id` is a UUIDv7. `time` is when the fact happened or the job was caused. For a job, `causationid` is the
    id of the event it came from.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: UUID
    source: Annotated[str, Field(max_length=100)]
    type: Annotated[str, Field(max_length=100)]
    subject: Annotated[str, Field(max_length=200)] | None = None
    time: datetime
    dataschema: str | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    traceparent: str | None = None
    causationid: UUID | None = None
    data: dict[str, JsonValue]


def wrap(
    content: Contract,
    *,
    identifier: UUID,
    kind: str,
    source: str,
    subject: str | None,
    time: datetime,
    traceparent: str | None = None,
    cause: UUID | None = None,
) -> Envelope:
    """Put a contract into its envelope."""
    return Envelope(
        id=identifier,
        source=source,
        type=kind,
        subject=subject,
        time=time,
        dataschema=f"urn:souk:{kind}:1",
        traceparent=traceparent,
        causationid=cause,
        data=content.model_dump(mode="json"),
    )
