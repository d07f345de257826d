"""Figures from events in any order, and reports of them."""

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.reporting import store
from services.reporting.counting import Counting
from services.reporting.errors import BadPeriod, BadReportJob, ReportNotPending, UnknownReport
from services.reporting.links import Links
from services.reporting.models import (
    SHORT_CHARS,
    TREND_DAYS,
    CatalogQuality,
    DailyMetrics,
    DailySales,
    Decisions,
    HealthScore,
    Lasting,
    Period,
    Report,
    ReportState,
    ReportType,
    SoldLine,
    VendorPerformance,
)
from services.reporting.usecases import ASK_AGAIN_AFTER, Reports
from shared.contracts.base import Event
from shared.contracts.envelope import Envelope
from shared.contracts.events import Measure, MeasuresRecorded, OrderPlaced, ProductArchived, VendorChanged
from shared.contracts.jobs import GenerateReport
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import Pool, transaction
from shared.messaging.attempt import Attempt
from shared.messaging.delivery import JobCancelled
from shared.messaging.reader import Received
from tests.eventually import eventually
from tests.integration.reporting.factories import (
    VENDOR_A,
    VENDOR_B,
    at,
    enveloped,
    make_approval,
    make_cancellation,
    make_changed,
    make_failure,
    make_line,
    make_low,
    make_order,
    make_recovered,
    make_rejection,
    make_stock,
    make_submission,
)
from tests.servers import Database

DAY = date(2026, 3, 1)
NOW = at("2026-03-05T12:00")
KINDS: tuple[ReportType, ...] = ("daily_sales", "daily_metrics", "vendor_performance", "catalog_quality")


@pytest.fixture
def counting(pool: Pool) -> Counting:
    return Counting(pool=pool, inbox=Inbox("reporting"), outbox=Outbox("reporting"))


@pytest.fixture
def reports(pool: Pool) -> Reports:
    return make_reports(pool)


def make_reports(pool: Pool, *, zone: str = "UTC", now: datetime = NOW) -> Reports:
    return Reports(pool=pool, outbox=Outbox("reporting"), links=Links("k" * 40), zone=ZoneInfo(zone), clock=lambda: now)


def attempt(job_id: UUID | None = None) -> Attempt:
    return Attempt(job_id=job_id or uuid4(), number=1, limit=3, cause_id=None, caused_at=NOW)


def received(event: Event, *, time: datetime | None = None) -> Received:
    return Received(enveloped(event, time=time), event)


def job_for(report: Report) -> GenerateReport:
    return GenerateReport(report_id=report.id, report_type=report.type, vendor_id=report.vendor_id)


async def built(reports: Reports, vendor_id: UUID | None = None, first: date = DAY, last: date = DAY) -> DailySales:
    report, _ = await reports.request("daily_sales", vendor_id, first, last)
    figures = (await reports.generate(job_for(report), attempt=attempt())).figures
    assert isinstance(figures, DailySales)
    return figures


async def outbox_kinds(pool: Pool) -> list[str]:
    return [row["type"] for row in await pool.fetch("SELECT type FROM reporting.outbox ORDER BY seq")]


async def test_daily_sales_of_the_marketplace_and_of_one_vendor(counting: Counting, reports: Reports) -> None:
    lamp, chair = uuid4(), uuid4()
    orders = [
        make_order(
            at("2026-03-01T00:00"),
            make_line(VENDOR_A, quantity=2, price=1000, product_id=lamp, title="Lamp"),
            make_line(VENDOR_B, quantity=1, price=500, currency="USD", product_id=chair, title="Chair"),
        ),
        make_order(
            at("2026-03-01T23:59:59"), make_line(VENDOR_A, quantity=3, price=1000, product_id=lamp, title="Lamp")
        ),
        make_order(at("2026-03-02T00:00"), make_line(VENDOR_A, quantity=100, price=1)),
        make_order(at("2026-02-28T23:59:59"), make_line(VENDOR_A, quantity=100, price=1)),
    ]
    await counting.record([received(order) for order in orders])
    await counting.record([received(make_cancellation(orders[1]))])

    everybody = await built(reports)
    assert everybody.totals.model_dump(mode="json") == {
        "orders": 2,
        "units": 6,
        "cancelled_orders": 1,
        "cancelled_units": 3,
        "gross": [{"amount_minor": 5000, "currency": "EUR"}, {"amount_minor": 500, "currency": "USD"}],
        "cancelled": [{"amount_minor": 3000, "currency": "EUR"}, {"amount_minor": 0, "currency": "USD"}],
        "net": [{"amount_minor": 2000, "currency": "EUR"}, {"amount_minor": 500, "currency": "USD"}],
    }
    assert [(top.product_id, top.title, top.units) for top in everybody.top_products] == [
        (lamp, "Lamp", 2),
        (chair, "Chair", 1),
    ]
    theirs = await built(reports, VENDOR_B)
    assert (theirs.totals.orders, theirs.totals.units) == (1, 1)
    assert [(money.amount_minor, money.currency) for money in theirs.totals.net] == [(500, "USD")]
    assert [top.product_id for top in theirs.top_products] == [chair]
    span = await built(reports, VENDOR_A, date(2026, 2, 28), date(2026, 3, 3))
    assert [(day.day.isoformat(), day.units) for day in span.days] == [
        ("2026-02-28", 100),
        ("2026-03-01", 5),
        ("2026-03-02", 100),
        ("2026-03-03", 0),
    ]


@pytest.mark.parametrize("seed", range(5))
async def test_shuffled_and_repeated_events_give_the_same_figures(pool: Pool, seed: int) -> None:
    random = Random(seed)
    orders = [
        make_order(
            at("2026-03-01T00:00") + timedelta(minutes=random.randrange(2880)),
            *(
                make_line(
                    random.choice([VENDOR_A, VENDOR_B]),
                    quantity=random.randrange(1, 9),
                    price=random.randrange(1, 9999),
                    currency=random.choice(["EUR", "USD"]),
                )
                for _ in range(random.randrange(1, 4))
            ),
        )
        for _ in range(40)
    ]
    cancelled = random.sample(orders, 12)
    told = [*(received(order) for order in orders), *(received(make_cancellation(order)) for order in cancelled)]
    told += random.choices(told, k=30)  # delivered again: the same event
    told += [received(each.event) for each in random.choices(told, k=10)]  # said again: another event
    random.shuffle(told)
    counting = Counting(pool=pool, inbox=Inbox("reporting"), outbox=Outbox("reporting"))
    while told:
        batch, told = told[:7], told[7:]
        await counting.record(batch)

    for vendor_id in (None, VENDOR_A, VENDOR_B):
        figures = await built(make_reports(pool), vendor_id, DAY, DAY + timedelta(days=1))
        for currency in ("EUR", "USD"):
            gross, lost = (_sum(among, vendor_id, currency) for among in (orders, cancelled))
            net = [money.amount_minor for money in figures.totals.net if money.currency == currency]
            assert net == [gross - lost]
            assert sum(_of(day.net, currency) for day in figures.days) == gross - lost
        counted = [order for order in orders if any(vendor_id in (None, line.vendor_id) for line in order.lines)]
        assert figures.totals.orders == len(counted)
        assert figures.totals.cancelled_orders == len([order for order in counted if order in cancelled])


def _sum(orders: list[OrderPlaced], vendor_id: UUID | None, currency: str) -> int:
    return sum(
        line.quantity * line.unit_price.amount_minor
        for order in orders
        for line in order.lines
        if vendor_id in (None, line.vendor_id) and line.unit_price.currency == currency
    )


def _of(amounts: object, currency: str) -> int:
    assert isinstance(amounts, tuple)
    return sum(money.amount_minor for money in amounts if money.currency == currency)


async def test_days_are_cut_in_the_marketplaces_zone(counting: Counting, pool: Pool) -> None:
    for moment in ("2026-03-28T22:59:59", "2026-03-28T23:00", "2026-03-29T21:59:59", "2026-03-29T22:00"):
        await counting.record([received(make_order(at(moment)))])
    berlin = make_reports(pool, zone="Europe/Berlin", now=at("2026-04-05T12:00"))
    figures = await built(berlin, None, date(2026, 3, 28), date(2026, 3, 30))
    assert [day.orders for day in figures.days] == [1, 2, 1]


async def test_a_request_is_one_row_and_one_event(reports: Reports, pool: Pool) -> None:
    report, is_new = await reports.request("daily_sales", VENDOR_A, DAY, DAY)
    assert is_new
    assert await reports.request("daily_sales", VENDOR_A, DAY, DAY) == (report, False)
    [row] = await pool.fetch("SELECT id, body FROM reporting.outbox")
    envelope = Envelope.model_validate_json(row["body"])
    assert row["id"] == report.request_id
    assert (envelope.type, envelope.data) == (
        "report.requested",
        {
            "vendor_id": str(VENDOR_A),
            "report_id": str(report.id),
            "report_type": "daily_sales",
            "period_from": "2026-03-01",
            "period_to": "2026-03-01",
            "round": 1,
        },
    )
    other, is_new = await reports.request("daily_sales", None, DAY, DAY)  # another scope is another report
    assert is_new
    assert other.id != report.id


async def test_asked_again_a_report_begins_another_round(counting: Counting, reports: Reports, pool: Pool) -> None:
    report, _ = await reports.request("daily_sales", None, DAY, DAY)
    late = make_reports(pool, now=NOW + ASK_AGAIN_AFTER)
    again, is_new = await late.request("daily_sales", None, DAY, DAY)  # nobody answered
    assert (again.id, again.round, is_new) == (report.id, 2, False)
    await counting.record([received(make_order(at("2026-03-01T09:00")))])
    await reports.generate(job_for(report), attempt=attempt())
    await counting.record([received(make_order(at("2026-03-01T10:00")))])
    third, _ = await reports.request("daily_sales", None, DAY, DAY)
    assert (third.round, third.state) == (3, ReportState.PENDING)
    assert third.figures is not None  # readable until the new ones are there
    done = await reports.generate(job_for(report), attempt=attempt())
    assert isinstance(done.figures, DailySales)
    assert (done.state, done.figures.totals.orders) == (ReportState.READY, 2)
    revised = await pool.fetch("SELECT body FROM reporting.outbox WHERE type = 'report.ready' ORDER BY seq")
    assert [Envelope.model_validate_json(row["body"]).data["revised"] for row in revised] == [False, True]


async def test_the_same_job_twice_builds_and_tells_once(counting: Counting, reports: Reports, pool: Pool) -> None:
    await counting.record([received(make_order(at("2026-03-01T09:00")))])
    report, _ = await reports.request("daily_sales", None, DAY, DAY)
    job_id = uuid4()
    first = await reports.generate(job_for(report), attempt=attempt(job_id))
    second = await reports.generate(job_for(report), attempt=attempt(job_id))
    assert first == second
    assert await outbox_kinds(pool) == ["report.requested", "report.ready"]


async def test_older_figures_never_replace_younger_ones(counting: Counting, reports: Reports, pool: Pool) -> None:
    await counting.record([received(make_order(at("2026-03-01T09:00")))])
    report, _ = await reports.request("daily_sales", None, DAY, DAY)
    done = await reports.generate(job_for(report), attempt=attempt())
    assert done.figures is not None
    assert done.figures_at is not None
    async with pool.acquire() as conn:
        older = done.figures_at - timedelta(seconds=1)
        assert await store.replace_figures(conn, done, done.figures, at=older, counted=0, job_id=uuid4()) is None


async def test_a_scheduled_job_builds_the_day_before_it_was_due(counting: Counting, pool: Pool) -> None:
    reports = make_reports(pool, zone="Europe/Berlin")
    yesterday = at("2026-03-04T10:00")
    for event in (make_submission(), make_submission(), make_approval(), make_rejection()):
        await counting.record([received(event, time=yesterday)])
    failed = received(make_failure("process-image"), time=yesterday)
    await counting.record([failed, failed, received(make_failure(), time=at("2026-03-05T10:00"))])
    await counting.record([received(make_order(yesterday, make_line(quantity=2, price=750)))])
    job = GenerateReport(report_type="daily_metrics", due_at=at("2026-03-04T23:00"))  # midnight in Berlin
    report = await reports.generate(job, attempt=attempt())
    assert (report.period.first, report.period.last) == (date(2026, 3, 4), date(2026, 3, 4))
    assert (report.state, report.vendor_id) == (ReportState.READY, None)
    assert isinstance(report.figures, DailyMetrics)
    assert report.figures.activity.model_dump() == {
        "products_submitted": 2,
        "products_approved": 1,
        "products_rejected": 1,
        "stock_alerts": 0,
        "jobs_failed": 1,
    }
    assert [(job.job_type, job.count) for job in report.figures.failed_jobs] == [("process-image", 1)]
    assert (report.figures.sales.orders, report.figures.sales.units) == (1, 2)
    again = await reports.generate(job, attempt=attempt())  # run by hand on the same day: the same report, newer
    assert again.id == report.id
    assert await outbox_kinds(pool) == ["report.ready", "report.ready"]


async def test_a_job_that_failed_for_good_fails_its_report(counting: Counting, reports: Reports) -> None:
    report, _ = await reports.request("daily_sales", None, DAY, DAY)
    stale = make_failure("generate-report", target=str(report.id), cause_id=uuid4())
    scheduled = make_failure("generate-report", target="daily-metrics", cause_id=uuid4())
    await counting.record([received(stale), received(scheduled)])
    assert (await reports.find(report.id, vendor_id=None)).state is ReportState.PENDING
    mine = make_failure("generate-report", target=str(report.id), cause_id=report.request_id)
    await counting.record([received(mine)])
    failed = await reports.find(report.id, vendor_id=None)
    assert (failed.state, failed.error) == (ReportState.FAILED, "Unavailable: no answer")
    again, _ = await reports.request("daily_sales", None, DAY, DAY)
    assert (again.state, again.round, again.error) == (ReportState.PENDING, 2, None)


@pytest.mark.parametrize(
    ("first", "last", "pointers"),
    [
        ("2026-03-02", "2026-03-01", ["/period/from"]),
        ("2026-03-01", "2026-03-06", ["/period/to"]),
        ("2026-03-06", "2026-03-07", ["/period/to", "/period/from"]),
        ("2025-03-01", "2026-03-02", ["/period"]),
        ("0001-01-01", "0001-01-01", ["/period/from", "/period/to"]),
        ("1999-12-31", "2026-03-01", ["/period/from", "/period"]),
        ("2026-03-01", "9999-12-31", ["/period/to", "/period"]),
    ],
)
async def test_bad_periods_are_refused(reports: Reports, first: str, last: str, pointers: list[str]) -> None:
    with pytest.raises(BadPeriod) as caught:
        await reports.request("daily_sales", None, date.fromisoformat(first), date.fromisoformat(last))
    assert [error.pointer for error in caught.value.errors] == pointers


async def test_jobs_that_cannot_be_done_are_not_retryable(reports: Reports) -> None:
    with pytest.raises(BadReportJob):
        await reports.generate(GenerateReport(report_type="weekly", due_at=NOW), attempt=attempt())
    with pytest.raises(BadReportJob):
        await reports.generate(GenerateReport(report_type="daily_sales"), attempt=attempt())
    with pytest.raises(UnknownReport):
        await reports.generate(GenerateReport(report_id=uuid4(), report_type="daily_sales"), attempt=attempt())
    for first, last in (
        (date(1, 1, 1), date(1, 1, 1)),
        (DAY, date(9999, 12, 31)),
        (date(2026, 3, 6), date(2026, 3, 6)),
    ):
        by_hand = GenerateReport(report_type="daily_sales", period_from=first, period_to=last)
        with pytest.raises(BadPeriod):
            await reports.generate(by_hand, attempt=attempt())
    for due_at in (at("0001-01-01T00:00"), at("9999-12-31T00:00")):
        with pytest.raises((BadPeriod, BadReportJob)):
            await reports.generate(GenerateReport(report_type="daily_sales", due_at=due_at), attempt=attempt())
    with pytest.raises(BadReportJob):
        await reports.request_due("daily_sales", at("0001-01-01T00:00"))
    assert not BadReportJob.retryable
    assert not BadPeriod.retryable
    assert not UnknownReport.retryable


async def test_every_statement_is_valid(database: Database) -> None:
    connection = await asyncpg.connect(database.url("reporting"))
    try:
        statements = {name: text for name, text in vars(store).items() if name.isupper() and "\n" in str(text)}
        assert len(statements) >= 15
        for name, text in statements.items():
            if name != "SNAPSHOT":  # a utility statement
                await connection.prepare(text)
    finally:
        await connection.close()


async def test_of_a_period_in_which_nothing_happened_the_report_fails_and_not_its_job(
    counting: Counting, reports: Reports, pool: Pool
) -> None:
    for report_type in KINDS:
        report, _ = await reports.request(report_type, None, DAY, DAY)
        failed = await reports.generate(job_for(report), attempt=attempt())
        assert (failed.state, failed.figures) == (ReportState.FAILED, None)
        assert failed.error == "Nothing happened in the period 2026-03-01 to 2026-03-01."
    assert await outbox_kinds(pool) == ["report.requested", "report.failed"] * len(KINDS)
    await counting.record([received(make_order(at("2026-03-01T09:00")))])
    assert (await built(reports)).totals.orders == 1  # asked for again, it is there


async def test_a_late_order_reopens_a_day_on_which_nothing_had_happened(counting: Counting, reports: Reports) -> None:
    report, _ = await reports.request("daily_sales", None, DAY, DAY)
    assert (await reports.generate(job_for(report), attempt=attempt())).state is ReportState.FAILED
    assert await reports.revise() == 0
    await counting.record([received(make_order(at("2026-03-01T09:00")))])
    assert await reports.revise() == 1
    done = await reports.generate(job_for(report), attempt=attempt())
    assert (done.state, done.is_revised) == (ReportState.READY, False)


async def test_a_report_whose_job_failed_is_not_asked_for_again_and_again(counting: Counting, reports: Reports) -> None:
    report, _ = await reports.request("daily_sales", None, DAY, DAY)
    await reports.generate(job_for(report), attempt=attempt())
    await counting.record([received(make_order(at("2026-03-01T09:00")))])
    assert await reports.revise() == 1
    asked = await reports.find(report.id, vendor_id=None)
    gone = make_failure("generate-report", target=str(report.id), cause_id=asked.request_id)
    await counting.record([received(gone)])
    assert (await reports.find(report.id, vendor_id=None)).state is ReportState.FAILED
    assert await reports.revise() == 0


async def test_a_report_whose_job_is_cancelled_is_not_written(counting: Counting, reports: Reports) -> None:
    await counting.record([received(make_order(at("2026-03-01T09:00")))])
    report, _ = await reports.request("daily_sales", None, DAY, DAY)
    with pytest.raises(JobCancelled):
        await reports.generate(job_for(report), attempt=replace(attempt(), is_cancelled=lambda: True))
    left = await reports.find(report.id, vendor_id=None)
    assert (left.state, left.figures) == (ReportState.CANCELLED, None)


async def test_a_report_that_nobody_waits_for_any_more_is_not_built(
    counting: Counting, reports: Reports, pool: Pool
) -> None:
    await counting.record([received(make_order(at("2026-03-01T09:00")))])
    report, _ = await reports.request("daily_sales", VENDOR_A, DAY, DAY)
    with pytest.raises(UnknownReport):
        await reports.cancel(report.id, vendor_id=VENDOR_B)
    for _ in range(2):  # safe to repeat
        assert (await reports.cancel(report.id, vendor_id=VENDOR_A)).state is ReportState.CANCELLED
    skipped = await reports.generate(job_for(report), attempt=attempt())
    assert (skipped.state, skipped.figures) == (ReportState.CANCELLED, None)
    assert await outbox_kinds(pool) == ["report.requested"]
    again, _ = await reports.request("daily_sales", VENDOR_A, DAY, DAY)
    assert (again.state, again.round) == (ReportState.PENDING, 2)
    done = await reports.generate(job_for(again), attempt=attempt())
    with pytest.raises(ReportNotPending):
        await reports.cancel(report.id, vendor_id=VENDOR_A)
    await reports.request("daily_sales", VENDOR_A, DAY, DAY)
    kept = await reports.cancel(report.id, vendor_id=VENDOR_A)  # it has figures, and goes on showing them
    assert (kept.state, kept.figures) == (ReportState.READY, done.figures)


async def test_a_report_cancelled_while_it_is_built_is_thrown_away(counting: Counting, reports: Reports) -> None:
    await counting.record([received(make_order(at("2026-03-01T09:00")))])
    report, _ = await reports.request("daily_sales", None, DAY, DAY)
    async with transaction(reports.pool) as conn:
        await store.hold_off_builders(conn)
        building = asyncio.create_task(reports.generate(job_for(report), attempt=attempt()))
        await eventually(lambda: waits_for_a_lock(reports.pool))
        await reports.cancel(report.id, vendor_id=None)
    assert (await building).state is ReportState.CANCELLED
    assert (await reports.find(report.id, vendor_id=None)).figures is None


async def test_a_report_says_how_far_it_is_while_it_is_built(counting: Counting, reports: Reports) -> None:
    await counting.record([received(make_order(at("2026-03-01T09:00")))])
    for kind in KINDS:
        report, _ = await reports.request(kind, None, DAY, DAY)
        told: list[float] = []
        async with transaction(reports.pool) as conn:
            await store.hold_off_builders(conn)
            by_hand = replace(attempt(), progressed=told.append)
            building = asyncio.create_task(reports.generate(job_for(report), attempt=by_hand))
            await eventually(lambda: waits_for_a_lock(reports.pool))
            begun = await reports.find(report.id, vendor_id=None)
        assert begun.progress == told[0] > 0
        assert (await building).progress is None
        assert told == sorted(told)
        assert len(told) >= 2


async def test_orders_are_counted_by_the_hour_of_the_vendors_clock(counting: Counting, reports: Reports) -> None:
    await counting.record([received(VendorChanged(vendor_id=VENDOR_A, version=2, name="A", time_zone="Asia/Tokyo"))])
    await counting.record([received(make_order(at("2026-03-01T10:30"))), received(make_order(at("2026-03-01T15:30")))])
    figures = await built(reports, VENDOR_A)  # half past midnight in Tokyo is the next day
    assert figures.totals.orders == 1
    assert [each.hour for each in figures.hours if each.orders] == [19]


async def test_performance_of_a_vendor(counting: Counting, reports: Reports) -> None:
    lamp, sofa = make_submission(), make_submission()
    told: list[tuple[Event, str]] = [
        (lamp, "2026-03-01T08:00"),
        (make_approval(lamp.product_id), "2026-03-01T10:00"),
        (sofa, "2026-03-01T08:00"),
        (make_rejection(sofa.product_id, "no_picture", "price"), "2026-03-01T12:00"),
        (make_stock(lamp.product_id, on_hand=0, delta=-2), "2026-03-01T13:00"),
        (make_stock(lamp.product_id, on_hand=5, delta=5), "2026-03-01T14:00"),
        (make_low(lamp.product_id), "2026-03-01T13:00"),
        (make_recovered(lamp.product_id), "2026-03-03T01:00"),
        (make_order(at("2026-03-02T09:00"), make_line(price=500)), "2026-03-02T09:00"),
        (make_order(at("2026-02-10T09:00"), make_line(price=700)), "2026-02-10T09:00"),
    ]
    for event, time in reversed(told):  # in any order
        await counting.record([received(event, time=at(time))])
    report, _ = await reports.request("vendor_performance", VENDOR_A, DAY, DAY + timedelta(days=3))
    figures = (await reports.generate(job_for(report), attempt=attempt())).figures
    assert isinstance(figures, VendorPerformance)
    assert figures.decisions == Decisions(submitted=2, approved=1, rejected=1, median_seconds=3 * 3600)
    assert (figures.stock_outs, figures.low_stock_days) == (1, 3)
    assert figures.sales.orders == 1
    assert len(figures.trend) == TREND_DAYS
    assert {day.day: day.orders for day in figures.trend if day.orders} == {date(2026, 3, 2): 1, date(2026, 2, 10): 1}
    whole, _ = await reports.request("vendor_performance", None, DAY, DAY + timedelta(days=3))
    of_all = (await reports.generate(job_for(whole), attempt=attempt())).figures
    assert isinstance(of_all, VendorPerformance)
    assert [(each.name, each.orders, each.approved, each.stock_outs) for each in of_all.vendors] == [("A", 1, 1, 1)]


async def test_quality_of_the_catalogue(counting: Counting, reports: Reports) -> None:
    bare = make_submission().model_copy(update={"title": "Bare", "pictures": 0, "description_chars": 400})
    short = make_submission().model_copy(update={"title": "Short", "pictures": 2, "description_chars": SHORT_CHARS - 1})
    good = make_submission().model_copy(update={"title": "Good", "pictures": 2, "description_chars": SHORT_CHARS})
    mended = make_submission().model_copy(update={"title": "Mended", "pictures": 0, "description_chars": 400})
    gone = make_submission().model_copy(update={"pictures": 0})
    await counting.record([received(event, time=at("2026-03-01T09:00")) for event in (bare, short, good, mended, gone)])
    later: list[Event] = [
        make_changed(mended.product_id, version=3, pictures=1),
        make_changed(mended.product_id, version=2, pictures=0),  # an older one that comes late
        ProductArchived(vendor_id=VENDOR_A, product_id=gone.product_id, version=2),
        make_rejection(short.product_id, "short_description", "price"),
        make_rejection(bare.product_id, "short_description"),
    ]
    await counting.record([received(event, time=at("2026-03-01T10:00")) for event in later])
    report, _ = await reports.request("catalog_quality", None, DAY, DAY)
    figures = (await reports.generate(job_for(report), attempt=attempt())).figures
    assert isinstance(figures, CatalogQuality)
    assert (figures.products, figures.without_picture, figures.short_description) == (4, 1, 1)
    assert [(reason.code, reason.count) for reason in figures.reasons] == [("short_description", 2), ("price", 1)]
    assert [(each.product_id, each.vendor_name) for each in figures.poor] == [
        (bare.product_id, "A"),
        (short.product_id, "A"),
    ]


async def test_a_late_order_reopens_its_day_and_the_report_is_revised(counting: Counting, pool: Pool) -> None:
    reports = make_reports(pool)
    order = make_order(at("2026-03-01T09:00"))
    await counting.record([received(order)])
    report, _ = await reports.request("daily_sales", VENDOR_A, DAY, DAY)
    done = await reports.generate(job_for(report), attempt=attempt())
    assert (done.state, done.is_revised) == (ReportState.READY, False)
    assert await reports.revise() == 0
    await counting.record([received(make_order(at("2026-03-02T09:00")))])  # of another day
    await counting.record([received(make_order(at("2026-03-01T09:00"), make_line(VENDOR_B)))])  # of another vendor
    assert await reports.revise() == 0
    await counting.record([received(make_cancellation(order))])
    assert await reports.revise() == 1
    assert await reports.revise() == 0  # it is asked for already
    revised = await reports.generate(job_for(report), attempt=attempt())
    assert isinstance(revised.figures, DailySales)
    assert (revised.is_revised, revised.figures.totals.cancelled_orders) == (True, 1)
    assert await reports.revise() == 0


def make_measures(service: str, hour: str, *measures: Measure) -> MeasuresRecorded:
    return MeasuresRecorded(service=service, hour=at(hour), measures=measures)


async def metrics(reports: Reports, first: date = DAY, last: date = DAY) -> DailyMetrics:
    report, _ = await reports.request("daily_metrics", None, first, last)
    figures = (await reports.generate(job_for(report), attempt=attempt())).figures
    assert isinstance(figures, DailyMetrics)
    return figures


async def test_daily_metrics_add_up_what_services_measured(counting: Counting, reports: Reports) -> None:
    told = [
        make_measures(
            "jobs",
            "2026-03-01T09:00",
            Measure(name="jobs_completed", label="send-email", count=8),
            Measure(name="jobs_completed", label="process-image", count=3),
            Measure(name="jobs_failed", label="send-email", count=2),
            Measure(name="completed_wait_ms", label="send-email", count=8, total=1600, least=10, most=900),
            Measure(name="failed_wait_ms", label="send-email", count=2, total=400, least=10, most=1900),
            Measure(name="completed_run_ms", label="send-email", count=8, total=800, least=10, most=500),
            Measure(name="job_failures", label="send-email MailboxRejected", count=2),
        ),
        make_measures("jobs", "2026-03-01T10:00", Measure(name="jobs_completed", label="send-email", count=5)),
        make_measures("jobs", "2026-03-02T00:00", Measure(name="jobs_completed", label="send-email", count=100)),
        make_measures("notifier", "2026-03-01T09:00", Measure(name="mails_sent", count=9)),
        make_measures(
            "catalog",
            "2026-03-01T23:00",
            Measure(name="health", count=2, total=180, least=80, most=100),
            Measure(name="cache_hits", label="product", count=90),
            Measure(name="cache_misses", label="product", count=10),
            Measure(name="products", label="approved", count=48),
            Measure(name="products", label="pending", count=2),
        ),
        make_measures("catalog", "2026-03-01T05:00", Measure(name="products", label="approved", count=7)),
    ]
    envelopes = [received(event) for event in told]
    for each in [*reversed(envelopes), *envelopes]:  # in any order, and twice
        await counting.record([each])
    figures = await metrics(reports)
    assert figures.products == (("approved", 48), ("pending", 2))
    work = figures.work
    assert work is not None
    assert (work.mails_sent, work.mails_failed, work.images_processed) == (9, 2, 3)
    assert [(job.job_type, job.completed, job.failed) for job in work.jobs] == [
        ("send-email", 13, 2),
        ("process-image", 3, 0),
    ]
    assert work.jobs[0].wait == Lasting(mean_ms=200, longest_ms=1900)
    assert work.jobs[0].run == Lasting(mean_ms=100, longest_ms=500)
    assert [(cause.job_type, cause.error_class, cause.count) for cause in work.failures] == [
        ("send-email", "MailboxRejected", 2)
    ]
    assert [(use.hits, use.misses) for use in work.caches] == [(90, 10)]
    assert work.health == HealthScore(mean=90, lowest=80)
    assert {slot.at.hour: slot.jobs_completed for slot in work.slots if slot.jobs_completed} == {9: 11, 10: 5}
    two_days = (await metrics(reports, DAY, DAY + timedelta(days=1))).work
    assert two_days is not None
    assert [slot.jobs_completed for slot in two_days.slots] == [16, 100]


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
async def test_metrics_have_as_many_hours_as_the_day(counting: Counting, pool: Pool, day: str, hours: int) -> None:
    reports = make_reports(pool, zone="Europe/Berlin", now=at("2026-12-01T00:00"))
    that = Period(date.fromisoformat(day), date.fromisoformat(day), ZoneInfo("Europe/Berlin"))
    began = [that.starts_at + timedelta(hours=passed) for passed in range(-1, hours + 1)]
    one = (Measure(name="mails_sent", count=1),)
    await counting.record([received(MeasuresRecorded(service="notifier", hour=hour, measures=one)) for hour in began])
    work = (await metrics(reports, that.first, that.last)).work
    assert work is not None
    assert [slot.mails_sent for slot in work.slots] == [1] * hours
    assert work.mails_sent == hours


async def test_measures_of_the_last_hour_complete_a_report_and_revise_nothing(
    counting: Counting, reports: Reports, pool: Pool
) -> None:
    early = make_measures("notifier", "2026-03-01T22:00", Measure(name="mails_sent", count=1))
    last = make_measures("notifier", "2026-03-01T23:00", Measure(name="mails_sent", count=2))
    await counting.record([received(early)])
    due = GenerateReport(report_type="daily_metrics", due_at=at("2026-03-02T00:00"))
    report = await reports.generate(due, attempt=attempt())
    await counting.record([received(last)])
    assert await reports.revise() == 1
    completed = await reports.generate(job_for(report), attempt=attempt())
    assert isinstance(completed.figures, DailyMetrics)
    assert completed.figures.work is not None
    assert (completed.figures.work.mails_sent, completed.is_revised) == (3, False)
    await reports.generate(due, attempt=attempt())  # by hand: nobody is mailed anew
    await counting.record([received(make_order(at("2026-03-01T09:00")))])
    assert await reports.revise() == 1
    assert (await reports.generate(job_for(report), attempt=attempt())).is_revised
    told = await pool.fetch("SELECT body FROM reporting.outbox WHERE type = 'report.ready' ORDER BY seq")
    mailed = [Envelope.model_validate_json(row["body"]).data for row in told]
    assert [(bool(data["summary"]), data["revised"]) for data in mailed] == [
        (False, False),
        (True, False),
        (False, False),
        (True, True),
    ]


async def test_what_is_told_while_figures_are_taken_is_not_lost(
    counting: Counting, reports: Reports, pool: Pool
) -> None:
    await counting.record([received(make_order(at("2026-03-01T09:00")))])
    report, _ = await reports.request("daily_sales", None, DAY, DAY)
    async with transaction(pool) as conn:
        await store.hold_off_builders(conn)
        lines = [make_sold_line(at("2026-03-01T10:00"))]
        await store.add_lines(conn, lines)
        await store.reopen(conn, lines)
        building = asyncio.create_task(reports.generate(job_for(report), attempt=attempt()))
        await eventually(lambda: waits_for_a_lock(pool))
    done = await building
    assert isinstance(done.figures, DailySales)
    assert done.figures.totals.orders == 2
    assert await reports.revise() == 0


async def test_at_the_end_of_its_day_everybody_is_given_a_report_once(counting: Counting, pool: Pool) -> None:
    reports = make_reports(pool, zone="Europe/Berlin", now=at("2026-03-02T15:00"))
    tokyo = VendorChanged(vendor_id=VENDOR_A, version=2, name="A", time_zone="Asia/Tokyo")
    await counting.record([received(tokyo), received(VendorChanged(vendor_id=VENDOR_B, version=2, name="B"))])
    assert await reports.request_due("daily_sales", at("2026-03-01T15:00")) == 1  # midnight in Tokyo
    assert await reports.request_due("daily_sales", at("2026-03-01T15:00")) == 0
    assert await reports.request_due("daily_sales", at("2026-03-01T20:00")) == 0
    assert await reports.request_due("daily_sales", at("2026-03-01T23:00")) == 2  # in Berlin: one vendor, and the whole
    listed = await reports.listing(vendor_id=None, below=None, limit=10)
    assert {(report.vendor_id, report.period.first, report.period.zone.key) for report in listed} == {
        (VENDOR_A, date(2026, 3, 1), "Asia/Tokyo"),
        (VENDOR_B, date(2026, 3, 1), "Europe/Berlin"),
        (None, date(2026, 3, 1), "Europe/Berlin"),
    }
    assert all(report.is_due for report in listed)
    empty = await reports.generate(job_for(listed[0]), attempt=attempt())
    assert empty.state is ReportState.READY  # a quiet day is told, and is no failure


async def waits_for_a_lock(pool: Pool) -> bool:
    waiting: bool = await pool.fetchval(
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
    )
    return waiting


def make_sold_line(placed_at: datetime) -> SoldLine:
    return SoldLine(uuid4(), 1, VENDOR_A, uuid4(), "Lamp", 1, 1000, "EUR", placed_at)
