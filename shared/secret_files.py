"""Secrets that the one-machine run makes up once and keeps, each in a file of its own."""

import os
import secrets
from pathlib import Path
from typing import Final

SECRET_BYTES: Final = 32
"""Good for signatures, and as many as a private key of P-256 has."""


def kept_secret(path: Path) -> str:
    """Return the secret kept in `path` (mode 0600), making one up the first time: 32 bytes in base64url.

    Safe to run twice; a crash leaves either no file or a whole one.
    """
    if path.exists():
        return path.read_text()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(SECRET_BYTES))
    fresh.replace(path)
    return path.read_text()
