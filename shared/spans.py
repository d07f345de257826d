"""Spans by OpenTelemetry's SDK, sent to a collector by OTLP over HTTP. Loaded only where one is configured.

Sending is a thread's work. What waits for it is bounded: with the collector away, slow or silent, spans are dropped
and counted (`souk_spans`), and nothing else happens. The SDK's own variables (`OTEL_TRACES_SAMPLER`,
`OTEL_EXPORTER_OTLP_HEADERS`, …) hold beside `SOUK_OTLP_ENDPOINT`.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from prometheus_client import Counter

from shared import tracing
from shared.log import get_logger
from shared.tracing import Kind, Span

log = get_logger(__name__)

MAX_WAITING: Final = 4096
"""Spans that wait to be sent, some 2 MB: at 1,000 spans a second a collector may be away for four seconds."""
SEND_SECONDS: Final = 5.0
SEND_EVERY_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 2.0
"""How long the end of a process waits for the last spans to be taken."""

SPANS: Final = Counter(
    "souk_spans",
    "Spans by what became of them: exported, refused (the collector did not take them), dropped (too many waited).",
    ["outcome"],
)
_KINDS: Final = {kind: SpanKind[kind.name] for kind in Kind}


class Spans:
    """Begins spans and sends what ended to one collector."""

    def __init__(self, endpoint: str, *, service: str, version: str) -> None:
        # It would tell of each batch that is not taken; our exporter tells once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        resource = Resource.create({"service.name": service, "service.namespace": "souk", "service.version": version})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        url = f"{endpoint.rstrip('/')}/v1/traces"
        self._provider.add_span_processor(_Bounded(_Counted(OTLPSpanExporter(url, timeout=SEND_SECONDS))))
        self._tracer = self._provider.get_tracer("souk", version)

    def begin(self, name: str, parent: str | None, kind: Kind, since_ns: int | None) -> Span:
        """A span under a valid `traceparent`, or the first of a trace."""
        context = Context() if parent is None else trace.set_span_in_context(_as_remote(parent), Context())
        return _Recorded(self._tracer.start_span(name, context, _KINDS[kind], start_time=since_ns))

    def close(self) -> None:
        """Send what waits, for as long as `CLOSE_SECONDS`; the rest is lost with the process."""
        closing = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)


class _Recorded(Span):
    """A span that is sent to the collector once it has ended."""

    __slots__ = ("_span",)

    def __init__(self, recorded: trace.Span) -> None:
        context = recorded.get_span_context()
        super().__init__(f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}")
        self._span = recorded

    def note(self, name: str, value: str | int) -> None:
        self._span.set_attribute(name, value)

    def fail(self, reason: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, reason))

    def link(self, traceparent: str | None) -> None:
        if traceparent is not None and tracing.trace_id_of(traceparent) is not None:
            self._span.add_link(_as_remote(traceparent).get_span_context())

    def end(self) -> None:
        self._span.end()


class _Counted(SpanExporter):
    """Counts what the collector took and what it did not, and tells when that changes. Runs in the sending thread."""

    def __init__(self, sending: OTLPSpanExporter) -> None:
        self._sending = sending
        self._is_taken = True
        self.handed_over = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.handed_over += len(spans)
        result = self._sending.export(spans)
        is_taken = result is SpanExportResult.SUCCESS
        SPANS.labels("exported" if is_taken else "refused").inc(len(spans))
        if is_taken is not self._is_taken:
            self._is_taken = is_taken
            if is_taken:
                log.info("spans_taken_again")
            else:
                log.warning("spans_not_taken")
        return result

    def shutdown(self) -> None:
        self._sending.shutdown()  # type: ignore[no-untyped-call] # published without types there


class _Bounded(BatchSpanProcessor):
    """Drops, and counts, what ends while too many spans wait. Called by whoever ends a span: it never blocks."""

    def __init__(self, exporter: _Counted) -> None:
        super().__init__(
            exporter,
            max_queue_size=MAX_WAITING,
            max_export_batch_size=MAX_WAITING // 8,
            schedule_delay_millis=SEND_EVERY_SECONDS * 1000,
        )
        self._exporter = exporter
        self._ended = 0

    def on_end(self, span: ReadableSpan) -> None:
        if self._ended - self._exporter.handed_over >= MAX_WAITING:
            SPANS.labels("dropped").inc()
            return
        if span.context is not None and span.context.trace_flags.sampled:
            self._ended += 1
        super().on_end(span)


def _as_remote(traceparent: str) -> NonRecordingSpan:
    _, trace_id, span_id, flags = traceparent.split("-")
    context = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return NonRecordingSpan(context)
