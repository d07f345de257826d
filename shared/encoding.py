"""Values as JSON bytes: ids and times included."""

from uuid import UUID

import orjson


def to_json(value: object) -> bytes:
    """JSON of plain values, dataclasses, ids and aware times (RFC 3339, `Z` for UTC). Raises `TypeError` for others."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z)


def _plain(value: object) -> str:
    """asyncpg's ids are a subclass of UUID, which orjson does not know."""
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
