"""A cached answer as a response: its bytes as they are, or 304."""

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Final

from aiohttp import web

from services.catalog.answers import is_known
from services.catalog.cache.models import Answer, Loaded
from services.catalog.cache.readthrough import ReadThrough
from shared.errors import NotFound
from shared.ids import new_id
from shared.tracing import HEADER as TRACE_HEADER
from shared.tracing import is_sampled
from shared.web.compression import VARY, WORTH_BYTES, coding_for, weakened
from shared.web.requests import REQUEST_ID_HEADER, SECONDS, acceptable_id
from shared.web.server import ALWAYS_TOLD, FromMemory

Find = Callable[[ReadThrough, str], Answer | None]
SAME_FOR_ALL: Final = {**ALWAYS_TOLD, "Cache-Control": "no-cache"}
JSON: Final = {"Content-Type": "application/json"}


def respond(
    request: web.BaseRequest,
    answer: Answer,
    *,
    always: Mapping[str, str] = SAME_FOR_ALL,
    described: Mapping[str, str] = JSON,
) -> web.Response:
    """The answer, or that the caller has it already. `described` are headers of the body, which 304 has not."""
    headers = {"ETag": answer.etag, "Vary": VARY, **always}
    given = request.headers.get("If-None-Match")
    if given is not None and (given == answer.etag or is_known(request, answer.etag[1:-1])):
        return web.Response(status=304, headers=headers)
    headers.update(described)
    if answer.link is not None:
        headers["Link"] = answer.link
    accepted = request.headers.get(VARY)
    coding = None if accepted is None or len(answer.body) < WORTH_BYTES else coding_for(accepted)
    if coding is None:
        return web.Response(body=answer.body, headers=headers)
    headers["ETag"] = weakened(answer.etag)
    headers["Content-Encoding"] = coding
    return web.Response(body=answer.packed(coding), headers=headers)


@dataclass(frozen=True, slots=True)
class PublicRead:
    """What everybody may read by its id or slug, at `<folder>/{id}`."""

    folder: str
    cache: ReadThrough
    load: Callable[[str], Awaitable[Loaded]]
    absent: Callable[[], NotFound]

    @property
    def route(self) -> str:
        """Its template."""
        return f"{self.folder}/{{id}}"

    async def answer(self, request: web.BaseRequest, key: str) -> web.Response:
        """From the cache or by `load`. Raises what that raises, and `NotFound`."""
        found = await self.cache.read(key, partial(self.load, key))
        if found is None:
            raise self.absent()
        return respond(request, found)


def cached_reads(reads: Iterable[PublicRead], lists: ReadThrough, find: Find = ReadThrough.known) -> FromMemory:
    """Answer public reads that `find` finds in the caches, before anything else is done: no routing, no log line.

    They count in the metrics of their routes, and as hits. Their request ids are short: nothing is logged under them.
    A read that its caller records (`traceparent` with the sampled flag) is left to who gives it a line and a trace.
    """
    by_folder = {read.folder: (read.cache, read.route) for read in reads}
    list_route = "/api/products"
    seconds = {
        (route, status): SECONDS.labels("GET", route, status)
        for route in (list_route, *(route for _, route in by_folder.values()))
        for status in (200, 304)
    }
    prefix, numbers, clock = f"c{new_id().hex[-12:]}-", count(1), time.perf_counter

    def from_memory(request: web.BaseRequest) -> web.Response | None:
        if request.method != "GET" or is_sampled(request.headers.get(TRACE_HEADER)):
            return None
        started, path = clock(), request.raw_path
        folder, _, key = path.rpartition("/")
        if folder == "/api" and key.startswith("products"):
            route, answer = list_route, find(lists, path)
        elif folder in by_folder:
            cache, route = by_folder[folder]
            answer = find(cache, key)
        else:
            return None
        if answer is None:
            return None
        response = respond(request, answer)
        offered = request.headers.get(REQUEST_ID_HEADER)
        response.headers[REQUEST_ID_HEADER] = (
            f"{prefix}{next(numbers):x}" if offered is None or not acceptable_id(offered) else offered
        )
        seconds[route, response.status].observe(clock() - started)
        return response

    return from_memory
