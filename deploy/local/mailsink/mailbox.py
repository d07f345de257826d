"""The mails: one .eml file each, named by a UUIDv7 so that names sort by arrival."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import islice
from pathlib import Path
from uuid import UUID

from shared.ids import new_id, time_of


@dataclass(frozen=True, slots=True)
class Mail:
    """What a list shows. `recipients` are the envelope's: whom it was really delivered to."""

    id: UUID
    subject: str
    sender: str
    recipients: tuple[str, ...]
    message_id: str
    size_bytes: int

    @property
    def received_at(self) -> datetime:
        """When it arrived, to the millisecond."""
        return time_of(self.id)


@dataclass(frozen=True, slots=True)
class Content:
    """What is inside. `text` and `html` are empty where the mail has no such part."""

    text: str
    html: str
    headers: tuple[tuple[str, str], ...]
    raw: str


class Mailbox:
    """The folder and an index of it. `put` may be called from many threads at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mails: dict[UUID, Mail] = {}

    @classmethod
    def open(cls, folder: Path) -> "Mailbox":
        """Make the folder, or index what it holds; drafts that a crash left are removed."""
        folder.mkdir(parents=True, exist_ok=True)
        mailbox = cls(folder)
        for draft in folder.glob("*.draft"):
            draft.unlink()
        for path in sorted(folder.glob("*.eml")):
            mail = _read(UUID(path.stem), path.read_bytes())
            mailbox._mails[mail.id] = mail
        return mailbox

    def put(self, *, sender: str, recipients: tuple[str, ...], content: bytes) -> Mail:
        """Store a mail so that a power cut after the return can't lose it."""
        envelope = [f"Return-Path: <{sender}>", *(f"Delivered-To: {each}" for each in recipients)]
        stored = "".join(f"{line}\r\n" for line in envelope).encode() + content
        identifier = new_id()
        draft = self._path(identifier).with_suffix(".draft")
        with draft.open("xb") as file:
            file.write(stored)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self._path(identifier))
        _sync_folder(self._folder)
        mail = _read(identifier, stored)
        self._mails[identifier] = mail
        return mail

    def page(self, *, query: str = "", before: UUID | None = None, limit: int = 50) -> tuple[list[Mail], UUID | None]:
        """Up to `limit` mails, newest first, and where the next page goes on."""
        found = list(islice(self._matching(query.casefold(), before), limit + 1))
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    def get(self, identifier: UUID) -> Mail | None:
        """One mail, or None."""
        return self._mails.get(identifier)

    def content_of(self, mail: Mail) -> Content:
        """Read and take apart the file."""
        raw = self._path(mail.id).read_bytes()
        message = _parse(raw)
        return Content(
            text=_body(message, "plain"),
            html=_body(message, "html"),
            headers=tuple((name, _header(message, name, value)) for name, value in _items(message)),
            raw=raw.decode(errors="replace"),
        )

    def clear(self) -> int:
        """Throw all mails away; how many there were."""
        count = len(self._mails)
        for identifier in list(self._mails):
            self._path(identifier).unlink(missing_ok=True)
            self._mails.pop(identifier, None)
        return count

    def __len__(self) -> int:
        return len(self._mails)

    def _matching(self, query: str, before: UUID | None) -> Iterator[Mail]:
        for identifier in sorted(self._mails, reverse=True):
            if before is not None and identifier >= before:
                continue
            mail = self._mails[identifier]
            told = f"{mail.subject}\n{mail.sender}\n{' '.join(mail.recipients)}\n{mail.message_id}"
            if query in told.casefold():
                yield mail

    def _path(self, identifier: UUID) -> Path:
        return self._folder / f"{identifier}.eml"


def _parse(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _read(identifier: UUID, raw: bytes) -> Mail:
    message = _parse(raw)
    headers = {name.lower(): _header(message, name, value) for name, value in _items(message)}
    return Mail(
        id=identifier,
        subject=headers.get("subject", ""),
        sender=headers.get("from", headers.get("return-path", "")),
        recipients=tuple(value for name, value in _items(message) if name == "Delivered-To"),
        message_id=headers.get("message-id", ""),
        size_bytes=len(raw),
    )


def _items(message: EmailMessage) -> list[tuple[str, str]]:
    """Names and undecoded values; asking the message itself would parse, and parsing can fail."""
    return [(name, str(value).strip()) for name, value in message.raw_items()]


def _header(message: EmailMessage, name: str, value: str) -> str:
    """The value as people read it, or as it stands where it breaks the rules."""
    try:
        return str(message.policy.header_fetch_parse(name, value))
    except (LookupError, ValueError, TypeError, AttributeError):  # the parser's bugs with odd input
        return value


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    try:
        text = str(part.get_content())
    except LookupError:  # a charset that nobody knows
        payload = part.get_payload(decode=True)
        text = payload.decode(errors="replace") if isinstance(payload, bytes) else ""
    return text.replace("\r\n", "\n")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
