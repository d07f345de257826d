"""Values of the notifier."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import JsonValue

MAX_LISTED: Final = 50
"""Accounts a job's result names of each sort; the rest is only counted, so that a result stays below 16 KB."""
MAX_LISTED_ANSWER_CHARS: Final = 150


@dataclass(frozen=True, slots=True)
class Contact:
    """A person to write to, as the catalog knows them at the time of sending. `version` is the account row's."""

    account_id: UUID
    email: str
    name: str
    version: int = 1


@dataclass(frozen=True, slots=True)
class Recipients:
    """Who would get a letter, and who would not because they do not want such letters."""

    wanted: tuple[Contact, ...]
    unwanted: tuple[Contact, ...]


@dataclass(frozen=True, slots=True)
class SmtpAnswer:
    """What the mail server said last, e.g. `250 2.0.0 queued as 4F1`. The recipient's address is left out of `text`."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()


class DeliveryOutcome(StrEnum):
    """How an attempt to hand one mail to the server ended, where that is final."""

    SENT = "sent"
    """The server took it: never sent again for this job."""
    REFUSED = "refused"
    """The server will not take it; a retry by hand asks again."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One recipient's mail of one job, and the server's answer to it (`250 2.0.0 queued as 4F1`)."""

    job_id: UUID
    account_id: UUID
    message_id: str
    outcome: DeliveryOutcome
    answer: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Notification:
    """One line of an audience's inbox. `vendor_id` null means the marketplace's admins.

    `hidden_from` are the accounts that wanted no such lines when it was written.
    """

    id: UUID
    vendor_id: UUID | None
    kind: str
    params: dict[str, JsonValue]
    dedupe_key: str
    created_at: datetime
    hidden_from: tuple[UUID, ...] = ()
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who looks into an inbox: their shop's, or, `vendor_id` null, the marketplace's."""

    account_id: UUID
    vendor_id: UUID | None


@dataclass(frozen=True, slots=True)
class InboxPage:
    """Lines of an inbox, newest first. `unread` is of the whole inbox, counted up to `MAX_UNREAD`."""

    items: tuple[Notification, ...]
    next: UUID | None
    unread: int


@dataclass(frozen=True, slots=True)
class Preference:
    """What one person wants of one kind of message. Without a row it is all of it."""

    kind: str
    in_app: bool = True
    email: bool = True
    push: bool = True


ADMIN_KINDS: Final = ("product_submitted", "report_ready")
"""What the marketplace's own people are told."""
VENDOR_KINDS: Final = (
    "product_approved",
    "product_rejected",
    "product_suspended",
    "product_reinstated",
    "stock_low",
    "sync_failing",
    "report_ready",
)
"""What a vendor is told."""
MAX_UNREAD: Final = 1000


@dataclass(frozen=True, slots=True)
class Subscription:
    """A browser of one person, and how its push service is reached. `vendor_id` null is the marketplace's inbox."""

    id: UUID
    account_id: UUID
    vendor_id: UUID | None
    endpoint: str
    p256dh: str
    auth: str
    name: str
    subscribed_at: datetime


class PushOutcome(StrEnum):
    """What became of telling one browser, where that is final."""

    SENT = "sent"
    """Its push service took it."""
    REFUSED = "refused"
    """Its push service will not take it, or its address is none that we connect to."""
    GIVEN_UP = "given_up"
    """Its push service did not answer in any attempt."""
    GONE = "gone"
    """The browser is subscribed no more, and forgotten."""


@dataclass(frozen=True, slots=True)
class PushResult:
    """How many browsers a notification was pushed to, by what became of it."""

    counts: Mapping[PushOutcome, int] = field(default_factory=dict)

    @classmethod
    def of(cls, outcomes: Sequence[PushOutcome]) -> "PushResult":
        """Counted."""
        return cls(Counter(outcomes))

    def as_json(self) -> dict[str, JsonValue]:
        """Part of the job's result."""
        return {outcome.value: self.counts[outcome] for outcome in PushOutcome if self.counts.get(outcome)}


@dataclass(frozen=True, slots=True)
class NotificationResult:
    """The line as it is kept, whether this run wrote it (an earlier copy of the job may have), and who did not want
    it."""

    notification: Notification
    is_new: bool

    @property
    def skipped(self) -> tuple[UUID, ...]:
        """Who wanted no such lines."""
        return self.notification.hidden_from

    def as_json(self, pushed: PushResult) -> dict[str, JsonValue]:
        """The job's result."""
        return {
            "created": self.is_new,
            "skipped": _listed(self.skipped),
            "skipped_count": len(self.skipped),
            "pushed": pushed.as_json(),
        }


@dataclass(frozen=True, slots=True)
class MailingResult:
    """Which accounts have the letter after this run, which were refused it with what words, and which do not
    want such letters (`skipped`)."""

    sent: tuple[UUID, ...]
    already_sent: tuple[UUID, ...]
    refused: tuple[tuple[UUID, str], ...]
    skipped: tuple[UUID, ...]

    def as_json(self) -> dict[str, JsonValue]:
        """The job's result: ids and answers, no addresses."""
        return {
            "sent": _listed(self.sent),
            "already_sent": _listed(self.already_sent),
            "refused": [
                {"account_id": str(account_id), "answer": answer[:MAX_LISTED_ANSWER_CHARS]}
                for account_id, answer in self.refused[:MAX_LISTED]
            ],
            "skipped": _listed(self.skipped),
            "counts": {
                "sent": len(self.sent),
                "already_sent": len(self.already_sent),
                "refused": len(self.refused),
                "skipped": len(self.skipped),
            },
        }


def _listed(accounts: tuple[UUID, ...]) -> list[JsonValue]:
    return [str(account_id) for account_id in accounts[:MAX_LISTED]]
