"""Opaque places in a list: signed, and bound to the filter they were given for."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

import orjson

from shared.errors import FieldError, InvalidInput

Position = Sequence[str | int]
"""The sort key of the last item shown."""

_MAC_BYTES: Final = 16
_PURPOSE: Final = b"souk list cursors"


class BadCursor(InvalidInput):
    """The cursor was altered, or belongs to a list with another filter; begin at the first page."""

    code = "bad_cursor"


class Cursors:
    """Writes and reads cursors. Every gateway replica needs the same `secret`."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, _PURPOSE, hashlib.sha256)

    def write(self, scope: str, position: Position) -> str:
        """A cursor behind `position`, good only for the same `scope`: the list's name and all its filters."""
        payload = orjson.dumps(list(position))
        return base64.urlsafe_b64encode(self._mac(scope, payload) + payload).rstrip(b"=").decode()

    def read(self, scope: str, cursor: str) -> list[str | int]:
        """The position in a cursor. Raises `BadCursor`."""
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (binascii.Error, ValueError) as exc:
            raise _refused() from exc
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(scope, payload)):
            raise _refused()
        position: list[str | int] = orjson.loads(payload)
        return position

    def _mac(self, scope: str, payload: bytes) -> bytes:
        return hmac.digest(self._key, scope.encode() + b"\x00" + payload, hashlib.sha256)[:_MAC_BYTES]


def _refused() -> BadCursor:
    return BadCursor(
        "The cursor does not belong to this list.",
        errors=[FieldError("/cursor", "bad_cursor", "begin at the first page")],
    )
