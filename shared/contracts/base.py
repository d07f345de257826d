"""What every message has in common. Messages are frozen, strict, and ignore fields they do not know."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Text = Annotated[str, StringConstraints(max_length=500)]
"""A small value a person wrote: a title, a name."""

Priority = Annotated[int, Field(ge=1, le=5)]
"""1 is the highest and 5 the lowest, wherever a person or an API sees it."""


class Contract(BaseModel):
    """A value that crosses a service boundary. Fields are only ever added, with a default."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Event(Contract):
    """A fact, in the past tense: one writer, any readers."""

    type: ClassVar[str]
    """The routing key, on the wire for ever; the class may be renamed."""
    subject_field: ClassVar[str | None] = None
    """The field whose value is the envelope's `subject`."""

    vendor_id: UUID | None = None

    @property
    def subject(self) -> str | None:
        """What the event is about, as a string: an id."""
        return None if self.subject_field is None else str(getattr(self, self.subject_field))


class Job(Contract):
    """An order, in the imperative: one reader. Its effect is guarded by the job's id."""

    type: ClassVar[str]
    once_only_by: ClassVar[str]
    """How a second copy of the same job is kept without effect; a job without a guard is refused."""


class Money(Contract):
    """An amount in the currency's smallest unit."""

    amount_minor: Annotated[int, Field(ge=0, le=10**12)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class Reason(Contract):
    """Why a product was rejected: a code of the marketplace's list and what the admin adds to it."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    note: Annotated[str, StringConstraints(max_length=1000)] = ""


class Audience(Contract):
    """Who is meant; people and addresses are looked up when the message is delivered."""

    kind: Literal["admins", "vendor"]
    vendor_id: UUID | None = None
