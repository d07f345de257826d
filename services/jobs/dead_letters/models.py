"""Dead letters: what is kept of a message that was parked. Pure, and total: no message is too broken to be kept."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import orjson
from aiormq.abc import DeliveredMessage
from pydantic import ValidationError

from shared.contracts.envelope import Envelope
from shared.messaging.attempt import storable
from shared.messaging.topology import LEDGER_QUEUE, WORK

DEAD: Final = ".dead"
MAX_TEXT_CHARS: Final = 500
MAX_DEPTH: Final = 4
_WORK_QUEUES: Final = {work.name: work.type for work in WORK}

Kind = Literal["job", "event", "report"]
ParkedBy = Literal["consumer", "broker"]


@dataclass(frozen=True, slots=True)
class NewLetter:
    """A dead message as it is stored. `queue` is the one it was parked from, without `.dead`."""

    digest: bytes
    queue: str
    kind: Kind
    type: str | None
    message_id: str | None
    job_id: UUID | None
    attempt: int | None
    reason: str
    parked_by: ParkedBy
    properties: dict[str, Any]
    body: bytes
    is_redelivered: bool


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as it is kept. `job_state` is what the ledger says of its job now; None when it has none."""

    id: UUID
    queue: str
    kind: Kind
    type: str | None
    message_id: str | None
    job_id: UUID | None
    job_state: str | None
    attempt: int | None
    reason: str
    parked_by: ParkedBy
    copies: int
    stored_at: datetime
    seen_at: datetime
    properties: dict[str, Any]
    body: bytes
    replay_at: datetime | None


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which letters are meant; None means any."""

    type: str | None = None
    queue: str | None = None
    kind: str | None = None
    reason: str | None = None
    job_id: UUID | None = None
    until: datetime | None = None


def letter_of(queue: str, message: DeliveredMessage) -> NewLetter:
    """A delivery of the dead queue of `queue`. Never raises: what cannot be read is kept as bytes."""
    properties = message.header.properties
    headers = properties.headers or {}
    envelope = _envelope(message.body)
    kind: Kind = "report" if queue == LEDGER_QUEUE else "job" if queue in _WORK_QUEUES else "event"
    named = properties.message_type if envelope is None else envelope.type
    reason = headers.get("souk-reason")
    by_broker = "the broker parked it: " + str(headers.get("x-first-death-reason", "no reason given"))
    return NewLetter(
        digest=_digest(queue, message),
        queue=queue,
        kind=kind,
        type=_short(named) or _WORK_QUEUES.get(queue),
        message_id=_short(properties.message_id),
        job_id=envelope.id if kind == "job" and envelope is not None else None,
        attempt=_attempt(headers.get("souk-attempt")),
        reason=_short(by_broker if reason is None else str(reason)) or "no reason given",
        parked_by="broker" if reason is None else "consumer",
        properties={
            "content_type": _short(properties.content_type),
            "correlation_id": _short(properties.correlation_id),
            "app_id": _short(properties.app_id),
            "headers": _plain(headers, 0),
        },
        body=message.body,
        is_redelivered=bool(message.redelivered),
    )


def payload_of(body: bytes) -> Any:
    """The `data` of an envelope, or any other JSON as it is. Raises `ValueError` when the bytes are no JSON."""
    value = orjson.loads(body)
    return value["data"] if isinstance(value, dict) and "specversion" in value and "data" in value else value


def _envelope(body: bytes) -> Envelope | None:
    try:
        return Envelope.model_validate_json(body)
    except (ValidationError, ValueError):
        return None


def _digest(queue: str, message: DeliveredMessage) -> bytes:
    properties = message.header.properties
    parts = (queue, message.routing_key, properties.message_id, repr(properties.headers))
    return hashlib.sha256("\x1f".join(map(str, parts)).encode(errors="replace") + message.body).digest()


def _attempt(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31 else None


def _short(text: str | None) -> str | None:
    return None if text is None else storable(text)[:MAX_TEXT_CHARS]


def _plain(value: object, depth: int) -> Any:
    """A header's value as JSON that PostgreSQL can keep."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    if isinstance(value, Mapping) and depth < MAX_DEPTH:
        return {storable(str(key))[:MAX_TEXT_CHARS]: _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple) and depth < MAX_DEPTH:
        return [_plain(inner, depth + 1) for inner in value[:100]]
    text = value.decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)
    return _short(text)
