"""What every request gets: an id, a place in a trace, one log line, a place in the metrics."""

import logging
import re
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Final, TypeVar

from aiohttp import web
from prometheus_client import Histogram
from structlog.contextvars import bind_contextvars, reset_contextvars

from shared import tracing
from shared.ids import new_id_text
from shared.log import get_logger
from shared.web.problems import REQUEST_ID, Handler

log = get_logger(__name__)

REQUEST_ID_HEADER: Final = "X-Request-Id"
_ACCEPTABLE_ID: Final = re.compile(r"[A-Za-z0-9_.\-]{8,100}")

LIVE_FEED: Final = "text/event-stream"
"""An answer that lasts as long as somebody listens says nothing of how quick answers are."""
SECONDS = Histogram(
    "souk_http_request_seconds",
    "How long requests took, by method, route and status.",
    ["method", "route", "status"],
    buckets=(0.001, 0.005, 0.015, 0.05, 0.1, 0.25, 0.5, 1, 5),
)


R = TypeVar("R", bound=web.BaseRequest)


def acceptable_id(offered: str) -> bool:
    """Whether a caller's own id of its request is taken over."""
    return _ACCEPTABLE_ID.fullmatch(offered) is not None


@web.middleware
async def request_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Outermost: account for every request that is routed."""
    resource = request.match_info.route.resource
    return await accounted(request, "unknown" if resource is None else resource.canonical, handler)


async def accounted(
    request: R, route: str, handler: Callable[[R], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Name the request, time it, say what became of it.

    A caller's `traceparent` is gone on with; without one the request is the first of its trace.
    """
    offered = request.headers.get(REQUEST_ID_HEADER)
    request_id = offered if offered is not None and acceptable_id(offered) else new_id_text()
    request[REQUEST_ID] = request_id
    started, parent = time.perf_counter(), request.headers.get(tracing.HEADER)
    redirect: web.HTTPException | None = None
    bound = bind_contextvars(request_id=request_id)  # not `bound_contextvars`, which copies the whole context
    try:
        with tracing.span(f"{request.method} {route}", parent=parent, kind=tracing.Kind.SERVER) as span:
            try:
                response = await handler(request)
            except web.HTTPException as exc:  # aiohttp wants redirects raised: an answer like another
                response = redirect = exc
            seconds = time.perf_counter() - started
            if not response.prepared:
                response.headers[REQUEST_ID_HEADER] = request_id
                response.headers.update(tracing.answer_headers())
            if response.content_type != LIVE_FEED:
                _seconds_of(request.method, route, response.status).observe(seconds)
            _note(span, request, route, response.status)
            _tell(request, route, response.status, seconds)
    finally:
        reset_contextvars(**bound)
    if redirect is not None:
        raise redirect
    return response


@lru_cache(maxsize=4096)
def _seconds_of(method: str, route: str, status: int) -> Histogram:
    return SECONDS.labels(method, route, status)


def _tell(request: web.BaseRequest, route: str, status: int, seconds: float) -> None:
    if not log.is_enabled_for(logging.INFO):
        return
    ms = round(seconds * 1000, 1)
    log.info("request", method=request.method, path=request.path, route=route, status=status, ms=ms)


def _note(span: tracing.Span, request: web.BaseRequest, route: str, status: int) -> None:
    """The names are OpenTelemetry's: https://opentelemetry.io/docs/specs/semconv/http/http-spans/."""
    span.note("http.request.method", request.method)
    span.note("http.route", route)
    span.note("http.response.status_code", status)
    span.note("souk.request_id", request[REQUEST_ID])
    if status >= 500:
        span.fail(str(status))
