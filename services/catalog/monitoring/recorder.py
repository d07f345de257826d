"""What this gateway has seen lately, in its memory: traffic, health, and events worth a line. It ends with the process.

What must outlast it is Prometheus' to keep; this is for the page that an operator looks at while something happens.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import Histogram
from prometheus_client.samples import Sample

from services.catalog.monitoring.models import HealthStatus, TermName
from services.catalog.monitoring.usecases import Sight
from shared.clock import Clock
from shared.contracts.base import Event
from shared.contracts.events import (
    CacheClearRequested,
    ImageFailed,
    JobFailed,
    ProductApproved,
    ProductRejected,
    ProductSubmitted,
    ProductSuspended,
    SyncFailing,
    VendorReinstated,
    VendorSuspended,
)
from shared.messaging.reader import Received
from shared.messaging.stream import Position

SAMPLE_SECONDS: Final = 10.0
SAMPLES: Final = 180
"""Half an hour."""
LINES: Final = 100
BELIEVED: Final = timedelta(seconds=75)
"""For how long the last look still speaks for now: without anybody watching there is one a minute."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests answered: how many, how many with a status of 500 or more, and by the histogram's bounds in seconds."""

    requests: int = 0
    errors: int = 0
    by_bound: tuple[tuple[float, int], ...] = ()

    def since(self, before: "Traffic") -> "Traffic":
        """What came on top."""
        earlier = dict(before.by_bound)
        more = tuple((bound, count - earlier.get(bound, 0)) for bound, count in self.by_bound)
        return Traffic(self.requests - before.requests, self.errors - before.errors, more)

    def slower_than(self, share: float) -> float | None:
        """The milliseconds within which a share of the requests was answered, as near as the bounds tell."""
        wanted, low, below = share * self.requests, 0.0, 0
        if not self.requests:
            return None
        for bound, count in self.by_bound:
            if count >= wanted:
                top = bound if bound != float("inf") else low
                return round(1000 * (low + (top - low) * (wanted - below) / max(1, count - below)), 1)
            low, below = bound, count
        return round(1000 * low, 1)


@dataclass(frozen=True, slots=True)
class Moment:
    """Ten seconds. None is what was not observed; latencies of a moment without requests are None, too."""

    at: datetime
    requests: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    score: int | None
    open_jobs: int | None
    outbox_seconds: float | None


@dataclass(frozen=True, slots=True)
class LogLine:
    """Something that happened. `is_desk`: only admins are told."""

    at: datetime
    tone: str
    text: str
    path: str | None = None
    is_desk: bool = False


class Recorder:
    """A listener of the event stream, and what looks and requests leave behind."""

    def __init__(self, clock: Clock, *, traffic: Callable[[], Traffic]) -> None:
        self._clock = clock
        self._traffic = traffic
        self._counted = traffic()
        self._sight: Sight | None = None
        self._has_heard = False
        self.moments: deque[Moment] = deque(maxlen=SAMPLES)
        self.lines: deque[LogLine] = deque(maxlen=LINES)
        """The newest first."""

    def saw(self, sight: Sight) -> None:
        """A look: it speaks for the moments to come, and a changed status is worth a line."""
        before, self._sight = self._sight, sight
        if before is not None and before.health.status is not sight.health.status:
            self.lines.appendleft(_of_health(sight))

    async def run_once(self) -> None:
        """Note the last ten seconds."""
        now, counted = self._clock(), self._traffic()
        passed, self._counted = counted.since(self._counted), counted
        sight = self._sight if self._sight is not None and now - self._sight.at < BELIEVED else None
        self.moments.append(
            Moment(
                at=now,
                requests=passed.requests,
                errors=passed.errors,
                p50_ms=passed.slower_than(0.5),
                p95_ms=passed.slower_than(0.95),
                score=None if sight is None else sight.health.score,
                open_jobs=None if sight is None or sight.stats is None else _open(sight.stats),
                outbox_seconds=None if sight is None else _value(sight, TermName.OUTBOX),
            )
        )

    def heard(self, received: Received, _: Position) -> None:
        """An event; most are worth no line."""
        self._has_heard = True
        line = line_of(received.event, received.envelope.time)
        if line is not None:
            self.lines.appendleft(line)

    def lost(self) -> None:
        """Lines may be missing: the log says so itself. At the beginning there are none to miss."""
        if self._has_heard:
            self.lines.appendleft(LogLine(self._clock(), "warn", "Events may have passed unheard here."))

    def told(self, *, is_admin: bool) -> Sequence[LogLine]:
        """What somebody may read, the newest first."""
        return [line for line in self.lines if is_admin or not line.is_desk]


def line_of(event: Event, at: datetime) -> LogLine | None:
    """The line of an event; None for what happens all the time."""
    match event:
        case JobFailed():
            said = f"A job {event.job_type} failed for good: {event.error_class or 'no error was told'}"
            return LogLine(at, "bad", said, f"/admin/jobs/{event.job_id}")
        case ImageFailed():
            said, where = f"A picture cannot be used: {event.reason}", f"/admin/products/{event.product_id}"
            return LogLine(at, "warn", said, where, is_desk=True)
        case SyncFailing():
            return LogLine(at, "warn", f"The stock source “{event.name}” keeps failing: {event.problem}", is_desk=True)
        case CacheClearRequested():
            return LogLine(at, "info", f"All caches were told to {event.mode}.")
        case VendorSuspended() | VendorReinstated():
            said = "suspended" if isinstance(event, VendorSuspended) else "reinstated"
            return LogLine(at, "info", f"A vendor was {said}.", f"/admin/vendors/{event.vendor_id}", is_desk=True)
        case ProductSubmitted() | ProductApproved() | ProductRejected() | ProductSuspended():
            verb = _VERBS[type(event)]
            where = f"/admin/products/{event.product_id}"
            return LogLine(at, "info", f"“{event.title}” was {verb}.", where, is_desk=True)
        case _:
            return None


_VERBS: Final[Mapping[type[Event], str]] = {
    ProductSubmitted: "submitted",
    ProductApproved: "approved",
    ProductRejected: "sent back",
    ProductSuspended: "suspended",
}


def counted_traffic(histogram: Histogram) -> Callable[[], Traffic]:
    """Reads what the histogram of requests has counted; its labels say the status."""

    def read() -> Traffic:
        return traffic_of(sample for metric in histogram.collect() for sample in metric.samples)

    return read


def traffic_of(samples: Iterable[Sample]) -> Traffic:
    """The samples of a histogram added up over its labels."""
    requests = errors = 0
    bounds: dict[float, int] = {}
    for sample in samples:
        if sample.name.endswith("_bucket"):
            bound = float(sample.labels["le"])
            bounds[bound] = bounds.get(bound, 0) + int(sample.value)
        elif sample.name.endswith("_count"):
            requests += int(sample.value)
            errors += int(sample.value) if sample.labels["status"] >= "500" else 0
    return Traffic(requests, errors, tuple(sorted(bounds.items())))


def _of_health(sight: Sight) -> LogLine:
    health = sight.health
    dearest = sorted((term for term in health.terms if term.cost), key=lambda term: -term.cost)
    why = "" if not dearest else f": {dearest[0].note or dearest[0].advice}"
    tone = {HealthStatus.CRITICAL: "bad", HealthStatus.DEGRADED: "warn"}.get(health.status, "good")
    return LogLine(
        sight.at, tone, f"The health is {health.status} now, {health.score} of 100{why}", "/admin/monitoring"
    )


def _open(stats: Mapping[str, int]) -> int:
    return sum(stats.get(state, 0) for state in ("pending", "processing", "retrying"))


def _value(sight: Sight, name: TermName) -> float | None:
    return next((term.value for term in sight.health.terms if term.name is name), None)
