"""Identifiers: UUIDv7, drawn from the clock or derived from a cause.

The layout is RFC 9562 section 5.7: 48 bits of Unix milliseconds, version 7, 12 bits, variant, 62 bits.
"""

import hashlib
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from uuid_utils import uuid7 as drawn_uuid7
from uuid_utils.compat import uuid7

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
TOP: Final = UUID(int=(1 << 128) - 1)
"""Above every id: where a list that shows the newest first begins."""


def new_id() -> UUID:
    """A fresh UUIDv7: unique, and ordered by time of making."""
    return uuid7()


def new_id_text() -> str:
    """The same as text, at a tenth of the cost."""
    return str(drawn_uuid7())


def derived_id(at: datetime, *parts: object) -> UUID:
    """The UUIDv7 that the same `at` and `parts` always give.

    The time bits are the milliseconds of `at`, the rest SHA-256 over the parts, so whoever handles the
    same cause twice makes the same id twice and the second insert finds the first.
    """
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    random_bits = int.from_bytes(digest[:10], "big")
    milliseconds = int(at.timestamp() * 1000) & ((1 << 48) - 1)
    value = milliseconds << 80
    value |= _VERSION_7 | ((random_bits >> 62) & 0xFFF) << 64
    value |= _VARIANT | random_bits & ((1 << 62) - 1)
    return UUID(int=value)


def id_at(at: datetime) -> UUID:
    """The lowest UUIDv7 of the millisecond `at`: bounds of id ranges and partitions."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


def time_of(identifier: UUID) -> datetime:
    """When a UUIDv7 was made (or its cause happened), to the millisecond."""
    return datetime.fromtimestamp((identifier.int >> 80) / 1000, UTC)
