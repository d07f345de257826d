"""Answers in fewer bytes, for who takes them so.

Never those that hold a secret: who can make a victim ask for chosen text beside it reads it off the length of the
compressed answer (https://www.breachattack.com). Such answers say `no-store` or set a cookie, and are left alone.
"""

import asyncio
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import brotli
from aiohttp import web

from shared.web.problems import PROBLEM_TYPE, Handler

WORTH_BYTES: Final = 1024
"""Smaller ones fit into a packet or two as they are."""
QUICK_BYTES: Final = 128 * 1024
"""Larger ones are packed in a thread: some milliseconds each."""
PACKED_TYPES: Final = frozenset(
    {"application/json", PROBLEM_TYPE, "text/html", "text/csv", "text/plain", "text/css", "text/javascript"}
)
VARY: Final = "Accept-Encoding"


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(6, wbits=zlib.MAX_WBITS | 16)
    return packer.compress(body) + packer.flush()


def _brotli(body: bytes) -> bytes:
    packed: bytes = brotli.compress(body, quality=5)
    return packed


PACKERS: Final[Mapping[str, Callable[[bytes], bytes]]] = MappingProxyType({"br": _brotli, "gzip": _gzip})
"""Content codings, best first."""


def coding_for(accepted: str | None) -> str | None:
    """The best coding that an `Accept-Encoding` takes (RFC 9110, section 12.5.3); None for the bytes as they are."""
    if not accepted:
        return None
    weights = dict(_weight(part) for part in accepted.lower().split(","))
    anything = weights.get("*", 0.0)
    best = max(PACKERS, key=lambda coding: weights.get(coding, anything))
    return best if weights.get(best, anything) > 0 else None


def _weight(part: str) -> tuple[str, float]:
    coding, _, parameter = part.partition(";")
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return coding.strip(), 1.0
    try:
        return coding.strip(), float(value)
    except ValueError:
        return coding.strip(), 0.0


def weakened(etag: str) -> str:
    """The ETag of other bytes that mean the same."""
    return etag if etag.startswith("W/") else f"W/{etag}"


@web.middleware
async def compression_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Pack what is worth it. Streams go out as they come."""
    response = await handler(request)
    if not isinstance(response, web.Response) or not _is_open(response):
        return response
    if VARY not in ", ".join(response.headers.getall("Vary", ())):
        response.headers.add("Vary", VARY)
    coding = coding_for(request.headers.get("Accept-Encoding"))
    if coding is None or not isinstance(response.body, bytes):
        return response
    packer, body = PACKERS[coding], response.body
    response.body = packer(body) if len(body) <= QUICK_BYTES else await asyncio.to_thread(packer, body)
    response.headers["Content-Encoding"] = coding
    if "ETag" in response.headers:
        response.headers["ETag"] = weakened(response.headers["ETag"])
    return response


def _is_open(response: web.Response) -> bool:
    """Whether the answer's form depends on what the caller takes: large, of a type that packs well, and no secret."""
    if response.prepared or "Content-Encoding" in response.headers or response.cookies:
        return False
    if "no-store" in response.headers.get("Cache-Control", ""):
        return False
    if response.status == 304:
        return True
    return (
        isinstance(response.body, bytes) and len(response.body) >= WORTH_BYTES and response.content_type in PACKED_TYPES
    )
