"""The queries and bodies of the notifier's API, and what it answers."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from services.notifier.letters import Letter
from services.notifier.lines import said_of
from services.notifier.models import (
    ADMIN_KINDS,
    VENDOR_KINDS,
    InboxPage,
    Notification,
    Preference,
    Recipients,
    Subscription,
)
from shared.web.bodies import ONE_LINE, Body


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
    push: bool = True

    @classmethod
    def of(cls, preference: Preference) -> Self:
        """The item of a preference."""
        return cls(kind=preference.kind, in_app=preference.in_app, email=preference.email, push=preference.push)

    def preference(self) -> Preference:
        """The preference in it."""
        return Preference(self.kind, in_app=self.in_app, email=self.email, push=self.push)


class PreferencesBody(Body):
    """`GET` answers it and `PUT` takes it; with `PUT`, kinds left out are on again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"items": [{"kind": "stock_low", "in_app": True, "email": False, "push": True}]}]
        }
    )

    items: Annotated[tuple[PreferenceItem, ...], Field(max_length=len(ADMIN_KINDS) + len(VENDOR_KINDS))]


class NotificationItem(BaseModel):
    """One line of an inbox in words, with the path of what it is about. `read_at` is this reader's."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    kind: str
    title: str
    text: str
    path: str
    params: dict[str, JsonValue]
    created_at: datetime
    read_at: datetime | None

    @classmethod
    def of(cls, line: Notification) -> Self:
        """The item of a line."""
        said = said_of(line.kind, line.params)
        return cls(
            id=line.id,
            kind=line.kind,
            title=said.title,
            text=said.text,
            path=said.path,
            params=line.params,
            created_at=line.created_at,
            read_at=line.read_at,
        )


class InboxAnswer(BaseModel):
    """A page of an inbox, newest first. `unread` is of the whole inbox, counted up to 1000."""

    model_config = ConfigDict(frozen=True)

    items: tuple[NotificationItem, ...]
    next: str | None
    unread: int

    @classmethod
    def of(cls, page: InboxPage, following: str | None) -> Self:
        """The answer for a page."""
        return cls(items=tuple(NotificationItem.of(line) for line in page.items), next=following, unread=page.unread)


class UnreadAnswer(BaseModel):
    """How many lines are unread now."""

    model_config = ConfigDict(frozen=True)

    unread: int


class PushKeys(Body):
    """What a browser's messages are encrypted with (RFC 8291), in base64url."""

    p256dh: Annotated[str, StringConstraints(max_length=100)]
    auth: Annotated[str, StringConstraints(max_length=30)]


class SubscriptionBody(Body):
    """`POST /api/push-subscriptions`: what `PushSubscription.toJSON()` gives, and what the browser is called."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "endpoint": "https://push.example.com/send/8Wv1",
                    "keys": {
                        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcx"
                        "aOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
                        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
                    },
                    "name": "Firefox on Linux",
                }
            ]
        }
    )

    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=1000)]
    keys: PushKeys
    expiration_time: Annotated[float | None, Field(alias="expirationTime")] = None
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), ONE_LINE] = "A browser"


class SubscriptionItem(BaseModel):
    """A browser that shows the caller's notifications. Its address and keys are told to nobody."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    created_at: datetime

    @classmethod
    def of(cls, subscription: Subscription) -> Self:
        """The item of a browser."""
        return cls(id=subscription.id, name=subscription.name, created_at=subscription.subscribed_at)


class SubscriptionsAnswer(BaseModel):
    """The caller's browsers, newest first, and the key that browsers subscribe with; null: there is no web push."""

    model_config = ConfigDict(frozen=True)

    public_key: str | None
    items: tuple[SubscriptionItem, ...]


class PreviewBody(Body):
    """`POST /api/admin/letters/preview`: a job's letter and params; to the admins without `vendor_id`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "letter": "product_rejected",
                    "params": {
                        "product_id": "01890a5d-ac96-774b-bcce-b302099a8057",
                        "title": "Hand-turned bowl",
                        "reasons": [{"code": "images", "note": "Lighter, please."}],
                    },
                    "vendor_id": "01890a5d-ac96-774b-bcce-b302099a8058",
                }
            ]
        }
    )

    letter: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    params: dict[str, JsonValue]
    vendor_id: UUID | None = None


class PreviewAnswer(BaseModel):
    """A letter as the first of `to` would get it; `unwanted` are those who want none of its kind."""

    model_config = ConfigDict(frozen=True)

    to: tuple[str, ...]
    unwanted: tuple[str, ...]
    subject: str
    html: str
    text: str

    @classmethod
    def of(cls, letter: Letter, recipients: Recipients) -> Self:
        """The answer for a letter."""
        return cls(
            to=tuple(person.name for person in recipients.wanted),
            unwanted=tuple(person.name for person in recipients.unwanted),
            subject=letter.subject,
            html=letter.html,
            text=letter.text,
        )
