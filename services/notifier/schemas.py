"""The queries and bodies of the notifier's API, and what it answers."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from services.notifier.models import ADMIN_KINDS, VENDOR_KINDS, InboxPage, Notification, Preference
from shared.web.bodies import Body, Query


class InboxQuery(Query):
    """`GET /api/notifications`; `cursor` is what `next` said."""

    cursor: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 48


class ReadBody(Body):
    """`POST /api/notifications/read`: some lines by id, or all there are."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"all": True}]})

    ids: Annotated[list[UUID], Field(min_length=1, max_length=100)] | None = None
    all: Literal[True] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.ids is None) == (self.all is None):
            raise ValueError("give either ids or all")
        return self


class PreferenceItem(Body):
    """What one person wants of one kind of message."""

    kind: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    in_app: bool
    email: bool

    @classmethod
    def of(cls, preference: Preference) -> Self:
        """The item of a preference."""
        return cls(kind=preference.kind, in_app=preference.in_app, email=preference.email)

    def preference(self) -> Preference:
        """The preference in it."""
        return Preference(self.kind, in_app=self.in_app, email=self.email)


class PreferencesBody(Body):
    """`GET` answers it and `PUT` takes it; with `PUT`, kinds left out are on again."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"items": [{"kind": "stock_low", "in_app": True, "email": False}]}]}
    )

    items: Annotated[tuple[PreferenceItem, ...], Field(max_length=len(ADMIN_KINDS) + len(VENDOR_KINDS))]


class NotificationItem(BaseModel):
    """One line of an inbox. `kind` and `params` make its words and its link; `read_at` is this reader's."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    kind: str
    params: dict[str, JsonValue]
    created_at: datetime
    read_at: datetime | None

    @classmethod
    def of(cls, line: Notification) -> Self:
        """The item of a line."""
        return cls(id=line.id, kind=line.kind, params=line.params, created_at=line.created_at, read_at=line.read_at)


class InboxAnswer(BaseModel):
    """A page of an inbox, newest first. `unread` is of the whole inbox, counted up to 1000."""

    model_config = ConfigDict(frozen=True)

    items: tuple[NotificationItem, ...]
    next: UUID | None
    unread: int

    @classmethod
    def of(cls, page: InboxPage) -> Self:
        """The answer for a page."""
        return cls(items=tuple(NotificationItem.of(line) for line in page.items), next=page.next, unread=page.unread)


class UnreadAnswer(BaseModel):
    """How many lines are unread now."""

    model_config = ConfigDict(frozen=True)

    unread: int
