"""Values of the notifier."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Contact:
    """A person to write to, as the catalog knows them at the time of sending."""

    account_id: UUID
    email: str
    name: str


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
    """One line of an audience's inbox. `vendor_id` null means the marketplace's admins."""

    id: UUID
    vendor_id: UUID | None
    kind: str
    params: dict[str, JsonValue]
    dedupe_key: str
    created_at: datetime
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class MailingResult:
    """Which accounts have the letter after this run, and which were refused it with what words."""

    sent: tuple[UUID, ...]
    already_sent: tuple[UUID, ...]
    refused: tuple[tuple[UUID, str], ...]

    def as_json(self) -> dict[str, JsonValue]:
        """The job's result: ids and answers, no addresses."""
        return {
            "sent": [str(account_id) for account_id in self.sent],
            "already_sent": [str(account_id) for account_id in self.already_sent],
            "refused": [{"account_id": str(account_id), "answer": answer} for account_id, answer in self.refused],
        }
