"""What forms of our own pages send, and the proof in it that they are ours.

The proof is the session's CSRF token. A script sends it as `X-CSRF-Token`; a form has it in a hidden field
`csrf_token`, which in a multipart form, read as a stream because of its files, is the first field.
"""

import asyncio
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, MultipartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from shared.errors import Unparsable
from shared.web.bodies import RECEIVE_SECONDS, received

CSRF_HEADER: Final = "X-CSRF-Token"
CSRF_FIELD: Final = "csrf_token"
MAX_FIELDS: Final = 1000
MALFORMED: Final = (ValueError, RuntimeError, AssertionError, HttpProcessingError, web.RequestPayloadError)
"""What aiohttp raises when a body is not the multipart it says."""

_TOKEN_BYTES: Final = 200
_BEGUN: Final = web.RequestKey("multipart", MultipartReader)


async def csrf_token_of(request: web.Request) -> str:
    """The token a request brings, or nothing. A urlencoded body can be read again, a multipart one by `multipart_of`.

    Raises `Unparsable` for a form that is none, 408 and 413 as `received` does.
    """
    if CSRF_HEADER in request.headers:
        return request.headers[CSRF_HEADER]
    match request.content_type:
        case "application/x-www-form-urlencoded":
            return dict(await fields_of(request)).get(CSRF_FIELD, "")
        case "multipart/form-data":
            return await _first_field(request)
        case _:
            return ""


async def fields_of(request: web.Request) -> list[tuple[str, str]]:
    """The fields of a urlencoded form, in their order. Raises `Unparsable`, 408 and 413."""
    raw = await received(request)
    try:
        return parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as exc:
        raise Unparsable("The body is not a form as its header says.") from exc


async def multipart_of(request: web.Request) -> MultipartReader:
    """The parts of a multipart form that nobody has read yet."""
    return request.get(_BEGUN) or await request.multipart()


async def _first_field(request: web.Request) -> str:
    try:
        async with asyncio.timeout(RECEIVE_SECONDS):
            reader = request[_BEGUN] = await request.multipart()
            part = await reader.next()
            if not isinstance(part, BodyPartReader) or part.name != CSRF_FIELD:
                return ""
            return (await part.read_chunk(_TOKEN_BYTES)).decode(errors="replace")
    except TimeoutError as exc:
        raise web.HTTPRequestTimeout from exc
    except MALFORMED as exc:
        raise Unparsable("The body is not multipart/form-data as its header says.") from exc
