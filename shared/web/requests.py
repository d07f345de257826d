"""What every request gets: an id, one log line, a place in the metrics."""

import re
import time
from typing import Final

from aiohttp import web
from prometheus_client import Histogram
from structlog.contextvars import bound_contextvars

from shared.ids import new_id
from shared.log import get_logger
from shared.web.problems import REQUEST_ID, Handler

log = get_logger(__name__)

REQUEST_ID_HEADER: Final = "X-Request-Id"
_ACCEPTABLE_ID: Final = re.compile(r"[A-Za-z0-9_.\-]{8,100}")

SECONDS = Histogram(
    "souk_http_request_seconds",
    "How long requests took, by method, route and status.",
    ["method", "route", "status"],
    buckets=(0.001, 0.005, 0.015, 0.05, 0.1, 0.25, 0.5, 1, 5),
)


def acceptable_id(offered: str) -> bool:
    """Whether a caller's own id of its request is taken over."""
    return _ACCEPTABLE_ID.fullmatch(offered) is not None


@web.middleware
async def request_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost: name the request, time it, say what became of it."""
    offered = request.headers.get(REQUEST_ID_HEADER, "")
    request_id = offered if acceptable_id(offered) else str(new_id())
    request[REQUEST_ID] = request_id
    started = time.perf_counter()
    with bound_contextvars(request_id=request_id):
        response = await handler(request)
        seconds = time.perf_counter() - started
        if not response.prepared:
            response.headers[REQUEST_ID_HEADER] = request_id
        resource = request.match_info.route.resource
        route = "unknown" if resource is None else resource.canonical
        SECONDS.labels(request.method, route, response.status).observe(seconds)
        log.info(
            "request",
            method=request.method,
            path=request.path,
            route=route,
            status=response.status,
            ms=round(seconds * 1000, 1),
        )
    return response
