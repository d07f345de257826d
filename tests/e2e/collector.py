"""An OpenTelemetry collector in the tests' own process: it takes spans by OTLP over HTTP and keeps them."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from shared.web.server import serving

MAX_BODY_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SeenSpan:
    """A span as it was sent. `parent_id` is empty for the first of a trace; times are nanoseconds of Unix time."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, str]
    began_ns: int
    ended_ns: int


class Collector:
    """What came so far. Filled by a thread of its own; reading is safe from any."""

    def __init__(self) -> None:
        self.url = ""
        self._spans: list[SeenSpan] = []

    def trace(self, trace_id: str) -> dict[str, SeenSpan]:
        """The spans of a trace, by their ids."""
        return {span.span_id: span for span in list(self._spans) if span.trace_id == trace_id}

    def texts(self) -> list[tuple[str, str]]:
        """Everything that was said of every span, by who sent it."""
        return [(f"span of {span.service}", f"{span.name} {span.attributes}") for span in list(self._spans)]

    async def take(self, request: web.Request) -> web.Response:
        """`POST /v1/traces`."""
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for of_process in sent.resource_spans:
            service = _texts(of_process.resource.attributes)["service.name"]
            for scope in of_process.scope_spans:
                self._spans += [
                    SeenSpan(
                        service=service,
                        name=span.name,
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        attributes=_texts(span.attributes),
                        began_ns=span.start_time_unix_nano,
                        ended_ns=span.end_time_unix_nano,
                    )
                    for span in scope.spans
                ]
        body = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=body, content_type="application/x-protobuf")


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port of the loopback, in a thread, so that it outlives the loop of a single test."""
    collector, ready, loop = Collector(), threading.Event(), asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/v1/traces", collector.take)
        async with serving(app, host="127.0.0.1", port=0) as port:
            collector.url = f"http://127.0.0.1:{port}"
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="collector")
    thread.start()
    try:
        assert ready.wait(10)
        yield collector
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()


def _texts(attributes: Iterable[KeyValue]) -> dict[str, str]:
    return {each.key: str(getattr(each.value, each.value.WhichOneof("value") or "string_value")) for each in attributes}
