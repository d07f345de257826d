"""API keys as text: `souk_<prefix>_<secret>`. The prefix finds the key, the secret proves it."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Final

_KEY: Final = re.compile(r"souk_([a-z0-9]{3,16})_([A-Za-z0-9_-]{20,100})")
_BEARER: Final = re.compile(r"(?i:bearer) +(\S+)")
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class KeyText:
    """A key taken apart."""

    prefix: str
    secret: str

    def __str__(self) -> str:
        return f"souk_{self.prefix}_{self.secret}"

    @property
    def secret_hash(self) -> bytes:
        """What is stored. The secret is random, so one round of SHA-256 is as good as many."""
        return hash_of(self.secret)


def new_key() -> KeyText:
    """A key nobody has."""
    return KeyText(secrets.token_hex(6), secrets.token_urlsafe(_SECRET_BYTES))


def parse_key(authorization: str) -> KeyText | None:
    """The key in an `Authorization` header, or None if it has not the form of one."""
    bearer = _BEARER.fullmatch(authorization)
    parts = None if bearer is None else _KEY.fullmatch(bearer[1])
    return None if parts is None else KeyText(parts[1], parts[2])


def new_token() -> str:
    """A session's token, or its CSRF token: 256 random bits."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def hash_of(token: str) -> bytes:
    """SHA-256 of a random token, which is all that is stored of it."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
