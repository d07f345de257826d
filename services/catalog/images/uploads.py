"""Reading an upload: looked at before it is taken, and never longer than it may be."""

import asyncio
from dataclasses import dataclass
from typing import Final

from aiohttp import BodyPartReader, web

from services.catalog.forms import MALFORMED, multipart_of
from services.catalog.images.errors import NotAnImage
from services.catalog.images.models import MAX_UPLOAD_BYTES
from shared.errors import FieldError, InvalidInput, Unparsable
from shared.picture_kinds import HEAD_BYTES, extension_of, sniff

RECEIVE_SECONDS: Final = 60.0
MAX_ALT_BYTES: Final = 1200
_CHUNK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that begins like a picture. `alt` is what was said of it beside it."""

    content: bytes
    extension: str
    alt: str


async def read_upload(request: web.Request) -> Upload:
    """Read `multipart/form-data` with `file` and perhaps `alt`. Nothing is kept of a body that is refused.

    Raises `NotAnImage` at the first bytes, 413 at the first byte too many, `Unparsable`, `InvalidInput`.
    """
    try:
        async with asyncio.timeout(RECEIVE_SECONDS):
            return await _read_parts(request)
    except TimeoutError as exc:
        raise web.HTTPRequestTimeout from exc
    except MALFORMED as exc:
        raise Unparsable("The body is not multipart/form-data as its header says.") from exc


async def _read_parts(request: web.Request) -> Upload:
    content, extension, alt = b"", "", ""
    async for part in await multipart_of(request):
        if not isinstance(part, BodyPartReader) or part.name not in ("file", "alt"):
            raise _wrong("", "unknown_part", "the parts are file and alt")
        if part.name == "alt":
            alt = await _read_text(part)
        elif extension:
            raise _wrong("/file", "repeated", "one file at a time")
        else:
            content, extension = await _read_file(part)
    if not extension:
        raise _wrong("/file", "missing", "there is no part named file")
    return Upload(content, extension, alt)


async def _read_file(part: BodyPartReader) -> tuple[bytes, str]:
    content = bytearray()
    kind: str | None = None
    while chunk := await part.read_chunk(_CHUNK_BYTES):
        content += chunk
        if kind is None and len(content) >= HEAD_BYTES:
            kind = sniff(bytes(content[:HEAD_BYTES]))
            if kind is None:
                raise NotAnImage
        if len(content) > MAX_UPLOAD_BYTES:
            raise web.HTTPRequestEntityTooLarge(MAX_UPLOAD_BYTES, len(content))
    if kind is None:
        raise NotAnImage
    return bytes(content), extension_of(kind)


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
