"""What a gateway remembers of the last half hour."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prometheus_client import CollectorRegistry, Histogram

from services.catalog.monitoring.models import Reading, TermName, assess
from services.catalog.monitoring.recorder import LINES, SAMPLES, Recorder, Traffic, counted_traffic, line_of
from services.catalog.monitoring.usecases import Sight
from shared.contracts.base import Event
from shared.contracts.envelope import wrap
from shared.contracts.events import JobFailed, ProductApproved, StockChanged, VendorSuspended
from shared.messaging.reader import Received
from shared.messaging.stream import Position

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
VENDOR, THING = UUID(int=1), UUID(int=2)
SOLD = StockChanged(vendor_id=VENDOR, product_id=THING, delta=-1, on_hand=3, version=2, cause="sale")
HEARD = Received(wrap(SOLD, identifier=UUID(int=3), kind=SOLD.type, source="/catalog", subject=None, time=NOW), SOLD)
WELL = {name: Reading(1 if name is TermName.EVENT_STREAM else 0) for name in TermName}


def sight(at: datetime, **lost: float) -> Sight:
    readings = {**WELL, TermName.CACHE: Reading(0.9)} | {TermName(name): Reading(value) for name, value in lost.items()}
    stats = {"pending": 3, "processing": 1, "retrying": 2, "failed": 9}
    return Sight(at=at, health=assess(readings), caches={}, stats=stats, work=None, tasks=None)


@pytest.fixture
def seconds() -> Histogram:
    labels = ["method", "route", "status"]
    return Histogram("seconds", "Of requests.", labels, buckets=(0.01, 0.1, 1), registry=CollectorRegistry())


async def test_a_moment_counts_what_came_since_the_one_before(seconds: Histogram) -> None:
    seconds.labels("GET", "/", "200").observe(5)
    recorder = Recorder(lambda: NOW, traffic=counted_traffic(seconds))
    for _ in range(9):
        seconds.labels("GET", "/", "200").observe(0.005)
    seconds.labels("POST", "/api", "503").observe(0.5)
    await recorder.run_once()
    await recorder.run_once()
    first, second = recorder.moments
    assert (first.requests, first.errors) == (10, 1)
    assert first.p50_ms is not None
    assert first.p95_ms is not None
    assert first.p50_ms <= 10 < 100 < first.p95_ms <= 1000
    assert (second.requests, second.p50_ms) == (0, None)


async def test_a_look_speaks_for_the_moments_to_come_but_not_for_ever(seconds: Histogram) -> None:
    now = NOW
    recorder = Recorder(lambda: now, traffic=counted_traffic(seconds))
    await recorder.run_once()
    recorder.saw(sight(NOW, outbox=7.0))
    await recorder.run_once()
    now = NOW + timedelta(seconds=76)
    await recorder.run_once()
    assert [(one.score, one.open_jobs, one.outbox_seconds) for one in recorder.moments] == [
        (None, None, None),
        (100, 6, 7.0),
        (None, None, None),
    ]


async def test_memory_is_bounded(seconds: Histogram) -> None:
    recorder = Recorder(lambda: NOW, traffic=counted_traffic(seconds))
    recorder.lost()
    assert not recorder.lines, "before the first event there is nothing to miss"
    recorder.heard(HEARD, Position("epoch", 1))
    for _ in range(SAMPLES + LINES):
        await recorder.run_once()
        recorder.lost()
    assert (len(recorder.moments), len(recorder.lines)) == (SAMPLES, LINES)


def test_a_changed_status_is_a_line_and_says_why() -> None:
    recorder = Recorder(lambda: NOW, traffic=Traffic)
    recorder.saw(sight(NOW))
    recorder.saw(sight(NOW))
    assert not recorder.lines
    broken = sight(NOW, workers=2)
    recorder.saw(replace(broken, at=NOW))
    assert [(line.tone, "degraded" in line.text, "80 of 100" in line.text) for line in recorder.lines] == [
        ("warn", True, True)
    ]


@pytest.mark.parametrize(
    ("event", "path", "is_desk"),
    [
        (
            JobFailed(
                vendor_id=None,
                job_id=THING,
                job_type="send-email",
                cause_id=None,
                target="x",
                error_class="MailboxRejected",
                error_message="no",
            ),
            f"/admin/jobs/{THING}",
            False,
        ),
        (
            ProductApproved(vendor_id=VENDOR, product_id=THING, version=2, title="Bowl", slug="bowl"),
            f"/admin/products/{THING}",
            True,
        ),
        (VendorSuspended(vendor_id=VENDOR, version=2), f"/admin/vendors/{VENDOR}", True),
    ],
)
def test_lines_lead_to_what_they_are_about(event: Event, path: str, is_desk: bool) -> None:
    line = line_of(event, NOW)
    assert line is not None
    assert (line.path, line.is_desk) == (path, is_desk)


def test_what_happens_all_the_time_is_no_line() -> None:
    assert line_of(SOLD, NOW) is None


def test_latencies_are_read_between_the_bounds() -> None:
    traffic = Traffic(100, 0, ((0.01, 50), (0.1, 90), (float("inf"), 100)))
    assert traffic.slower_than(0.25) == 5.0
    assert traffic.slower_than(0.7) == 55.0
    assert traffic.slower_than(0.99) == 100.0
