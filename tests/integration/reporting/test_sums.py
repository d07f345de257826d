"""Whatever comes in whatever order, late and more than once: the sums are those of the orders."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.reporting.counting import Counting
from services.reporting.errors import EventsMissing
from services.reporting.links import Links
from services.reporting.models import DailySales, Report
from services.reporting.rebuilding import Rebuilding
from services.reporting.usecases import Reports
from shared.contracts.base import Event, Money
from shared.contracts.events import (
    Measure,
    MeasuresRecorded,
    OrderLine,
    OrderPlaced,
    ProductArchived,
    VendorChanged,
)
from shared.contracts.jobs import GenerateReport
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import Pool
from shared.messaging.attempt import Attempt
from shared.messaging.reader import Received
from tests.integration.reporting.factories import (
    VENDOR_A,
    VENDOR_B,
    at,
    enveloped,
    make_approval,
    make_cancellation,
    make_changed,
    make_failure,
    make_low,
    make_order,
    make_recovered,
    make_rejection,
    make_stock,
    make_submission,
)

ZONES = {VENDOR_A: "Europe/Berlin", VENDOR_B: "America/New_York"}
VENDORS = (VENDOR_A, VENDOR_B)
FIRST, LAST = date(2026, 3, 27), date(2026, 3, 31)
"""The clocks of Berlin change on the 29th: its day has 23 hours."""
BEGUN = at("2026-03-27T12:00")
HOURS = 72
NOW = at("2026-04-05T12:00")
TABLES = ("order_lines", "cancellations", "facts", "vendors", "products", "measures", "hours_told")
Sums = Counter[tuple[date, str, str]]
"""Amounts by day, currency and kind (`gross` or `cancelled`)."""


@dataclass(frozen=True)
class Past:
    """What happened, and how it came in."""

    orders: Sequence[OrderPlaced]
    cancelled: frozenset[UUID]
    batches: Sequence[Sequence[Received]]
    """Shuffled, some of it twice; between the batches reports are made."""


@st.composite
def pasts(draw: st.DrawFn) -> Past:
    lines = st.builds(
        OrderLine,
        product_id=st.uuids(version=4),
        vendor_id=st.sampled_from(VENDORS),
        quantity=st.integers(1, 5),
        unit_price=st.builds(Money, amount_minor=st.integers(0, 10**6), currency=st.sampled_from(("EUR", "JPY"))),
    )
    orders = [
        make_order(
            BEGUN + timedelta(minutes=draw(st.integers(0, HOURS * 60))), *draw(st.lists(lines, min_size=1, max_size=3))
        )
        for _ in range(draw(st.integers(1, 8)))
    ]
    taken_back = [order for order in orders if draw(st.booleans())]
    told: list[Event] = [*orders, *(make_cancellation(order) for order in taken_back)]
    events = [Received(enveloped(event), event) for event in told]
    events += draw(st.lists(st.sampled_from(events), max_size=6))
    shuffled = draw(st.permutations(events))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=3)))
    edges = [0, *cuts, len(shuffled)]
    batches = [shuffled[begin:end] for begin, end in pairwise(edges)]
    return Past(orders, frozenset(order.order_id for order in taken_back), batches)


def expected(past: Past, vendor_id: UUID | None, zone: ZoneInfo) -> Sums:
    sums = Sums()
    for order in past.orders:
        day = order.placed_at.astimezone(zone).date()
        for line in order.lines:
            if vendor_id in (None, line.vendor_id):
                amount, currency = line.quantity * line.unit_price.amount_minor, line.unit_price.currency
                sums[day, currency, "gross"] += amount
                sums[day, currency, "cancelled"] += amount * (order.order_id in past.cancelled)
    return sums


def reported(figures: DailySales) -> Sums:
    sums = Sums()
    for day in figures.days:
        net = {money.currency: money.amount_minor for money in day.net}
        for gross, cancelled in zip(day.gross, day.cancelled, strict=True):
            sums[day.day, gross.currency, "gross"] += gross.amount_minor
            sums[day.day, gross.currency, "cancelled"] += cancelled.amount_minor
            assert net[gross.currency] == gross.amount_minor - cancelled.amount_minor
    totals = {money.currency: money.amount_minor for money in figures.totals.gross}
    assert totals == {
        currency: sum(amount for (_, of, kind), amount in sums.items() if (of, kind) == (currency, "gross"))
        for currency in totals
    }
    return sums


@dataclass(frozen=True)
class Desk:
    """Reporting's parts, and the reports as far as they are made."""

    counting: Counting
    reports: Reports

    async def build(self, vendor_id: UUID | None) -> Report:
        report, _ = await self.reports.request("daily_sales", vendor_id, FIRST, LAST)
        return await self.rebuild(report.id)

    async def rebuild(self, report_id: UUID) -> Report:
        attempt = Attempt(job_id=uuid4(), number=1, limit=3, cause_id=None, caused_at=NOW)
        return await self.reports.generate(
            GenerateReport(report_id=report_id, report_type="daily_sales"), attempt=attempt
        )


@pytest.fixture
def desk(pool: Pool) -> Desk:
    outbox = Outbox("reporting")
    links = Links("k" * 40)
    reports = Reports(pool=pool, outbox=outbox, links=links, zone=ZoneInfo("UTC"), clock=lambda: NOW)
    return Desk(Counting(pool=pool, inbox=Inbox("reporting"), outbox=outbox), reports)


async def emptied(pool: Pool) -> None:
    await pool.execute(
        f"TRUNCATE {', '.join(f'reporting.{table}' for table in (*TABLES, 'events', 'inbox', 'reports'))}"
    )


async def contents(pool: Pool) -> dict[str, list[Any]]:
    """All that follows from events."""
    return {table: await pool.fetch(f"SELECT * FROM reporting.{table} AS t ORDER BY t::text") for table in TABLES}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(past=pasts())
async def test_daily_sales_are_the_orders_less_what_was_cancelled(pool: Pool, desk: Desk, past: Past) -> None:
    await emptied(pool)
    zones = [
        Received(enveloped(event), event)
        for vendor, zone in ZONES.items()
        for event in [VendorChanged(vendor_id=vendor, version=2, name="A vendor", time_zone=zone)]
    ]
    await desk.counting.record(zones)
    for batch in past.batches:
        await desk.counting.record(batch)
        for vendor_id in (None, *VENDORS):  # figures that later batches make wrong
            await desk.build(vendor_id)
    # The last batch may have come after the figures: then the report is open again.
    while await desk.reports.revise():
        for report in await desk.reports.listing(vendor_id=None, below=None, limit=100):
            await desk.rebuild(report.id)
    for report in await desk.reports.listing(vendor_id=None, below=None, limit=100):
        if report.figures_at is None:  # nothing was sold
            assert not expected(past, report.vendor_id, report.period.zone)
            continue
        found = (await desk.reports.find(report.id, vendor_id=None)).figures
        assert isinstance(found, DailySales)
        assert +reported(found) == +expected(past, report.vendor_id, report.period.zone)
    before = await contents(pool)
    await Rebuilding(pool=pool, counting=desk.counting).run_once()
    assert await contents(pool) == before


async def test_late_events_alone_bring_a_report_right(desk: Desk) -> None:
    kept, late = make_order(BEGUN), make_order(BEGUN + timedelta(hours=1))
    await desk.counting.record([Received(enveloped(kept), kept)])
    first = await desk.build(None)
    for event in (make_cancellation(late), late, make_cancellation(kept)):
        await desk.counting.record([Received(enveloped(event), event)])
    assert await desk.reports.revise() == 1
    found = await desk.rebuild(first.id)
    assert isinstance(found.figures, DailySales)
    assert (found.is_revised, found.figures.totals.orders, found.figures.totals.cancelled_orders) == (True, 2, 2)


def everything() -> list[Received]:
    """Something of each kind that is counted, about the same products."""
    lamp, sofa = make_submission(), make_submission().model_copy(update={"vendor_name": "B", "pictures": 2})
    order = make_order(BEGUN)
    told: list[Event] = [
        lamp,
        sofa,
        make_approval(lamp.product_id),
        make_rejection(sofa.product_id, "price"),
        make_changed(lamp.product_id, version=3, pictures=4),
        ProductArchived(vendor_id=VENDOR_A, product_id=sofa.product_id, version=4),
        make_stock(lamp.product_id, on_hand=0, delta=-2),
        make_low(lamp.product_id),
        make_recovered(lamp.product_id),
        make_failure(),
        order,
        make_cancellation(order),
        MeasuresRecorded(service="jobs", hour=BEGUN, measures=(Measure(name="jobs_completed", label="x", count=2),)),
    ]
    return [
        Received(enveloped(event, time=BEGUN + timedelta(minutes=number)), event) for number, event in enumerate(told)
    ]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(len(everything()))), data=st.data())
async def test_the_same_events_in_any_order_are_the_same_figures(
    pool: Pool, desk: Desk, order: list[int], data: st.DataObject
) -> None:
    events = everything()
    await emptied(pool)
    await desk.counting.record(events)
    in_order = await contents(pool)
    await emptied(pool)
    cut = data.draw(st.integers(0, len(order)))
    for part in (order[:cut], order[cut:], order):
        await desk.counting.record([events[number] for number in part])
    assert await contents(pool) == in_order
    await Rebuilding(pool=pool, counting=desk.counting).run_once()
    assert await contents(pool) == in_order


async def test_what_no_kept_event_tells_is_not_thrown_away(pool: Pool, desk: Desk) -> None:
    await desk.counting.record(everything())
    await pool.execute("DELETE FROM reporting.events WHERE type = 'order.placed'")
    before = await contents(pool)
    await Rebuilding(pool=pool, counting=desk.counting).run_once()  # the cancellation tells the lines, too
    assert await contents(pool) == before
    await pool.execute("DELETE FROM reporting.events WHERE type IN ('order.cancelled', 'stock.low')")
    with pytest.raises(EventsMissing, match="1 of order lines, 1 of cancellations, 1 of facts"):
        await Rebuilding(pool=pool, counting=desk.counting).run_once()
    assert await contents(pool) == before
