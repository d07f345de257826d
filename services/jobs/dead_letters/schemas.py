"""Bodies and queries of dead letters, and letters as they are answered."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import Field
from typing_extensions import TypedDict

from services.jobs.control.schemas import PerSecond
from services.jobs.dead_letters.models import Kind, Letter, LetterFilter, ParkedBy, payload_of
from shared.web.bodies import Body, Moment
from shared.web.paging import PageQuery

LISTED_BYTES: Final = 16 * 1024
"""A larger payload is shown of a single letter only."""
SHOWN_CHARS: Final = 2_000
Word = Annotated[str, Field(min_length=1, max_length=500)]


class LettersQuery(PageQuery):
    """Filters of the list, newest first."""

    type: Word | None = None
    queue: Word | None = None
    kind: Literal["job", "event", "report"] | None = None
    reason: Word | None = None
    job_id: UUID | None = None

    @property
    def where(self) -> LetterFilter:
        """The filter as a value."""
        return LetterFilter(self.type, self.queue, self.kind, self.reason, self.job_id)


class PurgeBody(Body):
    """Which letters are meant; `until` is a time before which they were stored. By default they are only counted."""

    type: Word | None = None
    queue: Word | None = None
    kind: Literal["job", "event", "report"] | None = None
    reason: Word | None = None
    job_id: UUID | None = None
    until: Moment | None = None
    dry_run: bool = True

    @property
    def where(self) -> LetterFilter:
        """The filter as a value."""
        return LetterFilter(self.type, self.queue, self.kind, self.reason, self.job_id, self.until)


class ReplayBody(PurgeBody):
    """The same, and how many jobs are let go each second."""

    per_second: PerSecond = 20.0


class LetterShown(TypedDict):
    """A dead letter. `payload` is null where the body is no JSON or, in a list, over 16 KB; then `text` begins it."""

    id: UUID
    queue: str
    kind: Kind
    type: str | None
    reason: str
    parked_by: ParkedBy
    job_id: UUID | None
    job_state: str | None
    attempt: int | None
    copies: int
    message_id: str | None
    stored_at: datetime
    seen_at: datetime
    replay_at: datetime | None
    bytes: int
    payload: Any
    text: str | None


class WholeLetter(LetterShown):
    """A dead letter with its whole body and the properties of its message."""

    properties: dict[str, Any]


class ReplayedShown(TypedDict):
    """Where a letter goes: `into` is its job's address, or the queue that it died in."""

    id: UUID
    kind: Kind
    job_id: UUID | None
    into: str


def whole_letter(letter: Letter) -> WholeLetter:
    """A letter alone."""
    return {**_shown(letter, is_whole=True), "properties": letter.properties}


def letter_shown(letter: Letter) -> LetterShown:
    """A letter of a list."""
    return _shown(letter, is_whole=False)


def _shown(letter: Letter, *, is_whole: bool) -> LetterShown:
    payload, text = _content(letter.body, is_whole=is_whole)
    return {
        "id": letter.id,
        "queue": f"{letter.queue}.dead",
        "kind": letter.kind,
        "type": letter.type,
        "reason": letter.reason,
        "parked_by": letter.parked_by,
        "job_id": letter.job_id,
        "job_state": letter.job_state,
        "attempt": letter.attempt,
        "copies": letter.copies,
        "message_id": letter.message_id,
        "stored_at": letter.stored_at,
        "seen_at": letter.seen_at,
        "replay_at": letter.replay_at,
        "bytes": len(letter.body),
        "payload": payload,
        "text": text,
    }


def _content(body: bytes, *, is_whole: bool) -> tuple[Any, str | None]:
    if is_whole or len(body) <= LISTED_BYTES:
        try:
            return payload_of(body), None
        except ValueError:
            pass
    return None, body[:SHOWN_CHARS].decode(errors="replace")
