"""Values as JSON bytes: ids and times included."""

from uuid import UUID

import orjson
from pydantic import BaseModel


def to_json(value: object) -> bytes:
    """JSON of plain values, dataclasses, pydantic models, ids and aware times (RFC 3339, `Z` for UTC).

    Raises `TypeError` for others.
    """
    return orjson.dumps(value, default=_plain, option=orjson.OPT_UTC_Z)


def _plain(value: object) -> object:
    """What orjson does not know; asyncpg's ids are a subclass of UUID."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} is no JSON")
