"""Which pages of other origins may read answers (the Fetch standard's CORS). None, unless the settings name them.

An origin that is named may call with an API key. Cookies are never honoured from there: no answer allows credentials,
so a browser neither sends a session nor shows what it would open.
"""

from collections.abc import Collection
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from shared.web.problems import Handler
from shared.web.server import Shortcut

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


def cors_middleware(origins: Collection[str]) -> Middleware:
    """Let pages of `origins` read answers; with none of them no answer is any different."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _is_preflight(request) and request.headers["Origin"] in origins:
            return web.Response(status=204, headers=_PREFLIGHT | _shared(request, origins))
        response = await handler(request)
        if origins and not response.prepared:
            _add(response, request, origins)
        return response

    return middleware


def with_cors(shortcut: Shortcut, origins: Collection[str]) -> Shortcut:
    """The same for answers that are given before any middleware runs."""
    if not origins:
        return shortcut

    def shared(request: web.BaseRequest) -> web.Response | None:
        response = shortcut(request)
        if response is not None:
            _add(response, request, origins)
        return response

    return shared


_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Allow-Headers": SENT,
    "Access-Control-Max-Age": str(REMEMBERED_SECONDS),
}


def _is_preflight(request: web.BaseRequest) -> bool:
    return request.method == "OPTIONS" and {"Origin", "Access-Control-Request-Method"} <= request.headers.keys()


def _add(response: web.StreamResponse, request: web.BaseRequest, origins: Collection[str]) -> None:
    for name, value in _shared(request, origins).items():
        response.headers.add(name, value)


def _shared(request: web.BaseRequest, origins: Collection[str]) -> dict[str, str]:
    origin = request.headers.get("Origin")
    if origin not in origins or origin is None:
        return {"Vary": "Origin"}
    return {"Vary": "Origin", "Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": READ}
