"""Passwords and keys of the one-machine run: made up once, then kept."""

import os
import secrets
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically; nobody but its owner can ever read it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def keep_secret(folder: Path, name: str) -> str:
    """The secret `name`, made up at the first call: 192 random bits that need no escaping in a URL."""
    path = folder / name
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text()
