"""What belongs together over all processes: the W3C trace context, and spans where a collector is configured.

Everything that happens because of one request or tick carries one trace id: the request's log line, the outbox row,
the message, the job, its attempts, the report, the mail. What is going on knows it by `current()`; an edge (a request,
a delivery) sets it with `span`. Without a collector that costs a microsecond and no span is made: the context is
handed on as it came. With one (`exporting`) each edge is a span, and what it causes is that span's child.

https://www.w3.org/TR/trace-context/, https://opentelemetry.io/docs/specs/semconv/messaging/
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from enum import Enum, auto
from random import getrandbits
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from shared.spans import Spans

HEADER: Final = "traceparent"
"""Of HTTP requests, AMQP messages and mails alike."""
ANSWER_HEADER: Final = "traceresponse"
"""Tells a client the trace of its request: https://w3c.github.io/trace-context/#traceresponse-header."""

_FORM: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_TRACE_ID: Final = slice(3, 35)
_IN_ENVELOPE: Final = re.compile(r'"traceparent":"([^"\\]*)"')

_current: "ContextVar[Span | None]" = ContextVar("span", default=None)
_spans: "Spans | None" = None


class Kind(Enum):
    """Which side of what a span is on, as OpenTelemetry names it."""

    SERVER = auto()
    PRODUCER = auto()
    CONSUMER = auto()
    CLIENT = auto()
    INTERNAL = auto()


class Span:
    """Something that is going on: a request, a publish, an attempt. This one is recorded nowhere.

    As a context manager it is what `current()` says inside of the block; else `end` it.
    """

    __slots__ = ("_token", "traceparent")

    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent
        """The context of what this causes."""
        self._token: Token[Span | None] | None = None

    def note(self, name: str, value: str | int) -> None:
        """Say something of it: ids and small numbers, never a secret or an address."""

    def fail(self, reason: str) -> None:
        """It did not succeed. `reason` is a code or the name of an error's class."""

    def link(self, traceparent: str | None) -> None:
        """It concerns what went on in another trace."""

    def end(self) -> None:
        """It is over. To be called once, by whoever does not use it as a context manager."""

    def __enter__(self) -> Self:
        """Make it what is going on."""
        self._token = _current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What went on before goes on again."""
        if error is not None:
            self.fail(type(error).__name__)
        self.end()
        assert self._token is not None
        _current.reset(self._token)


def current() -> str | None:
    """The `traceparent` of what is going on, for what it causes; None where nothing began it."""
    going_on = _current.get()
    return None if going_on is None else going_on.traceparent


def span(name: str, *, parent: str | None, kind: Kind = Kind.INTERNAL, since_ns: int | None = None) -> Span:
    """Begin something under what caused it. Without a valid parent it is the first of a trace of its own.

    `since_ns`, of the clock `time.time_ns`, is for what began before.
    """
    accepted = parent if parent is not None and _FORM.fullmatch(parent) else None
    if _spans is None:
        return Span(accepted or _fresh())
    return _spans.begin(name, accepted, kind, since_ns)


def link(traceparent: str | None) -> None:
    """Say that what is going on concerns what went on in another trace."""
    going_on = _current.get()
    if going_on is not None:
        going_on.link(traceparent)


def request_headers() -> dict[str, str]:
    """What a request to another service of ours carries."""
    going_on = current()
    return {} if going_on is None else {HEADER: going_on}


def answer_headers() -> dict[str, str]:
    """What the answer to a request tells the client: the trace to ask operators for."""
    going_on = current()
    return {} if going_on is None else {ANSWER_HEADER: going_on}


def message_headers() -> dict[str, str]:
    """What a message carries beside its envelope: that says what caused it, this which publish brought it."""
    going_on = current()
    return {} if _spans is None or going_on is None else {HEADER: going_on}


def cause_of(event_type: str) -> str:
    """The context for a fact that is written down now: what is going on, or the fact itself as the first of a trace."""
    going_on = current()
    if going_on is not None:
        return going_on
    alone = span(f"emit {event_type}", parent=None)
    alone.end()
    return alone.traceparent


def is_sampled(traceparent: str | None) -> bool:
    """Whether whoever sent this records its trace."""
    return traceparent is not None and bool(_FORM.fullmatch(traceparent)) and bool(int(traceparent[-2:], 16) & 1)


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace's id, for a log line; None for what is no `traceparent`."""
    return traceparent[_TRACE_ID] if traceparent is not None and _FORM.fullmatch(traceparent) else None


def in_envelope(body: str) -> str | None:
    """The `traceparent` of an envelope as JSON text, without reading the rest. It stands before what it wraps."""
    found = _IN_ENVELOPE.search(body)
    return None if found is None else found[1]


@contextmanager
def exporting(endpoint: str | None, *, service: str, version: str) -> Iterator[None]:
    """Send spans to the collector at `endpoint` while the block runs; without one, make none.

    Work never waits for it: see `shared.spans`.
    """
    global _spans
    if endpoint is None:
        yield
        return
    # Here, since the exporter brings an HTTP client of its own: 20 MB that a process without a collector is spared.
    from shared.spans import Spans

    _spans = Spans(endpoint, service=service, version=version)
    try:
        yield
    finally:
        spans, _spans = _spans, None
        spans.close()


def _fresh() -> str:
    """A context of a trace that nobody records. The ids are to be different, not secret."""
    return f"00-{getrandbits(128) or 1:032x}-{getrandbits(64) or 1:016x}-00"
