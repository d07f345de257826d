"""Reading the frames of a delivery, in one walk over the bytes.

pamqp looks up each field's type and slices off what it has read: that was a third of what a job cost its worker, and
this is a sixth of that. The results are pamqp's own classes, so nobody else knows the difference. Two things are
read more kindly than pamqp does, which breaks off the connection over them, and again whenever it is back: text that is
no UTF-8, and values that are none. A stranger's message is to be parked, not to starve those that wait behind it.
"""

import struct
from datetime import datetime
from functools import cache, lru_cache
from typing import Final

from pamqp import decode
from pamqp.commands import Basic
from pamqp.common import FieldTable
from pamqp.header import ContentHeader

METHOD_ID: Final = struct.Struct(">HH")
"""Class and method: what the payload of a method frame begins with."""
_TAG: Final = struct.Struct(">QB")
_CONTENT: Final = struct.Struct(">HHQH")
"""Class, weight, bytes of the body, and the flags of the properties that follow."""
_FURTHER_FLAGS: Final = 1
_TABLE_LENGTH: Final = struct.Struct(">I")
_TIMESTAMP_BYTES: Final = 8
_UNREADABLE: Final = (ValueError, OverflowError, OSError, IndexError, RecursionError)
"""What values from strangers make pamqp and `datetime` raise."""


def read_deliver(buffer: bytes, at: int) -> Basic.Deliver:
    """The `basic.deliver` whose payload begins at `at`."""
    consumer_tag, at = _short_text(buffer, at + METHOD_ID.size)
    tag, is_redelivered = _TAG.unpack_from(buffer, at)
    exchange, at = _short_text(buffer, at + _TAG.size)
    routing_key, _ = _short_text(buffer, at)
    return Basic.Deliver(consumer_tag, tag, bool(is_redelivered), exchange, routing_key)


def read_content_header(buffer: bytes, at: int) -> ContentHeader:
    """The content header whose payload begins at `at`, and how large the body is that follows."""
    class_id, weight, body_size, flags = _CONTENT.unpack_from(buffer, at)
    at += _CONTENT.size
    properties = Basic.Properties()
    for name, kind in () if flags & _FURTHER_FLAGS else _present(flags):
        value: object
        if kind == "shortstr":
            value, at = _short_text(buffer, at)
        elif kind == "octet":
            value, at = buffer[at], at + 1
        elif kind == "table":
            value, at = _table(buffer, at)
        else:
            value, at = _timestamp(buffer[at : at + _TIMESTAMP_BYTES]), at + _TIMESTAMP_BYTES
        setattr(properties, name, value)
    header = ContentHeader(weight, body_size, properties)
    header.class_id = class_id
    return header


@cache
def _present(flags: int) -> tuple[tuple[str, str], ...]:
    """Name and type of each property that a message with these flags has, in the order of the wire."""
    known = Basic.Properties
    return tuple((name, known.amqp_type(name)) for name in known.attributes() if flags & known.flags[name])


def _short_text(buffer: bytes, at: int) -> tuple[str, int]:
    begin = at + 1
    end = begin + buffer[at]
    return buffer[begin:end].decode(errors="replace"), end


def _table(buffer: bytes, at: int) -> tuple[FieldTable, int]:
    (length,) = _TABLE_LENGTH.unpack_from(buffer, at)
    end = at + _TABLE_LENGTH.size + length
    return dict(_read_table(buffer[at:end])), end


@lru_cache(maxsize=1024)
def _read_table(encoded: bytes) -> FieldTable:
    """A table of headers. Thousands of jobs come with the same few numbers in theirs."""
    try:
        return decode.field_table(encoded)[1]
    except _UNREADABLE:
        return {}


def _timestamp(encoded: bytes) -> datetime | None:
    try:
        return decode.timestamp(encoded)[1]
    except _UNREADABLE:
        return None
