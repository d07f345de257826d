"""Reading an upload: looked at before it is taken, never longer than it may be, and on the disk, not in memory."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Final

from aiohttp import BodyPartReader, web

from services.catalog.forms import MALFORMED, multipart_of
from services.catalog.images.errors import NotAnImage
from services.catalog.images.models import MAX_UPLOAD_BYTES
from shared.errors import FieldError, InvalidInput, Unparsable
from shared.picture_kinds import HEAD_BYTES, extension_of, sniff

RECEIVE_SECONDS: Final = 60.0
MAX_ALT_BYTES: Final = 1200
_CHUNK_BYTES: Final = 64 * 1024
_WRITE_BYTES: Final = 4 * _CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on the disk that begins like a picture. `alt` is what was said of it beside it."""

    path: Path
    sha256: str
    extension: str
    alt: str


@asynccontextmanager
async def uploaded(request: web.Request) -> AsyncIterator[Upload]:
    """Read `multipart/form-data` with `file` and perhaps `alt`; the file is gone when the block ends.

    However long it is, a quarter of a megabyte of it is in memory. A process killed meanwhile leaves a `souk-upload-…`
    in the folder for temporary files. Raises `NotAnImage` at the first bytes, 413 at the first byte too many,
    `Unparsable`, `InvalidInput`.
    """
    with NamedTemporaryFile(prefix="souk-upload-") as file:
        try:
            async with asyncio.timeout(RECEIVE_SECONDS):
                upload = await _read_parts(request, file.file, Path(file.name))
        except TimeoutError as exc:
            raise web.HTTPRequestTimeout from exc
        except MALFORMED as exc:
            raise Unparsable("The body is not multipart/form-data as its header says.") from exc
        yield upload


async def _read_parts(request: web.Request, file: IO[bytes], path: Path) -> Upload:
    sha256, extension, alt = "", "", ""
    async for part in await multipart_of(request):
        if not isinstance(part, BodyPartReader) or part.name not in ("file", "alt"):
            raise _wrong("", "unknown_part", "the parts are file and alt")
        if part.name == "alt":
            alt = await _read_text(part)
        elif extension:
            raise _wrong("/file", "repeated", "one file at a time")
        else:
            sha256, extension = await _read_file(part, file)
    if not extension:
        raise _wrong("/file", "missing", "there is no part named file")
    return Upload(path, sha256, extension, alt)


async def _read_file(part: BodyPartReader, file: IO[bytes]) -> tuple[str, str]:
    """SHA-256 and extension of what was written to `file`."""
    sha256, size, unwritten, kind = hashlib.sha256(), 0, bytearray(), None
    while chunk := await part.read_chunk(_CHUNK_BYTES):
        size += len(chunk)
        unwritten += chunk
        if kind is None and size >= HEAD_BYTES:
            kind = sniff(bytes(unwritten[:HEAD_BYTES]))
            if kind is None:
                raise NotAnImage
        if size > MAX_UPLOAD_BYTES:
            raise web.HTTPRequestEntityTooLarge(MAX_UPLOAD_BYTES, size)
        if len(unwritten) >= _WRITE_BYTES:
            await asyncio.to_thread(_keep, unwritten, file, sha256)
            unwritten = bytearray()
    if kind is None:
        raise NotAnImage
    await asyncio.to_thread(_keep, unwritten, file, sha256)
    return sha256.hexdigest(), extension_of(kind)


def _keep(some: bytearray, file: IO[bytes], sha256: "hashlib._Hash") -> None:
    file.write(some)
    file.flush()
    sha256.update(some)


async def _read_text(part: BodyPartReader) -> str:
    raw = bytearray()
    while chunk := await part.read_chunk(_CHUNK_BYTES):
        raw += chunk
        if len(raw) > MAX_ALT_BYTES:
            raise _wrong("/alt", "too_long", "at most 300 characters")
    text = raw.decode(errors="strict").strip()
    if len(text) > 300 or "\x00" in text:
        raise _wrong("/alt", "text", "at most 300 characters, none of them NUL")
    return text


def _wrong(pointer: str, code: str, detail: str) -> InvalidInput:
    return InvalidInput("The upload does not fit; see errors.", errors=[FieldError(pointer, code, detail)])
