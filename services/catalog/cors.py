"""Which pages of other origins may read answers (the Fetch standard's CORS). None, unless the settings name them.

An origin that is named may call with an API key. Cookies are never honoured from there: no answer allows credentials,
so a browser neither sends a session nor shows what it would open.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from http import HTTPMethod
from typing import Final

from aiohttp import web

from shared.web.server import ShortWay

REMEMBERED_SECONDS: Final = 600
"""How long a browser need not ask again."""
SENT: Final = ", ".join(
    (
        "Authorization",
        "Content-Type",
        "Idempotency-Key",
        "If-Match",
        "If-None-Match",
        "Last-Event-ID",
        "X-Request-Id",
        "traceparent",
    )
)
READ: Final = ", ".join(
    (
        "ETag",
        "Idempotent-Replayed",
        "Link",
        "Location",
        "RateLimit",
        "RateLimit-Policy",
        "Retry-After",
        "X-Request-Id",
    )
)
METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
_PREFLIGHT: Final[Mapping[str, str]] = {
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Allow-Headers": SENT,
    "Access-Control-Max-Age": str(REMEMBERED_SECONDS),
}


def telling_origins(origins: Collection[str]) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """For `on_response_prepare`, which also errors and streams pass: what pages of `origins` may read.

    A preflight is an `OPTIONS` like another, answered where there is an address, and told more.
    """

    async def tell(request: web.Request, response: web.StreamResponse) -> None:
        _tell(request, response, origins)

    return tell


def with_origins(short_way: ShortWay, origins: Collection[str]) -> ShortWay:
    """The same for answers that are given before there is an application to tell."""

    async def told(request: web.BaseRequest) -> web.StreamResponse | None:
        response = await short_way(request)
        if response is not None:
            _tell(request, response, origins)
        return response

    return told


def _tell(request: web.BaseRequest, response: web.StreamResponse, origins: Collection[str]) -> None:
    """Caches in between keep one answer for each origin, whoever was the first to ask."""
    response.headers.add("Vary", "Origin")
    origin = request.headers.get("Origin")
    if origin is None or origin not in origins:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = READ
    if request.method == HTTPMethod.OPTIONS and "Access-Control-Request-Method" in request.headers:
        response.headers.update(_PREFLIGHT)
