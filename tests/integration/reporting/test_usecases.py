"""Figures from events in any order, and reports of them."""

from datetime import date, datetime, timedelta
from random import Random
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.reporting import store
from services.reporting.errors import BadPeriod, BadReportJob, UnknownReport
from services.reporting.models import DailyMetrics, DailySales, Report, ReportState
from services.reporting.usecases import ASK_AGAIN_AFTER, Counting, Reports
from shared.contracts.base import Event
from shared.contracts.envelope import Envelope
from shared.contracts.events import OrderPlaced
from shared.contracts.jobs import GenerateReport
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import Pool
from shared.messaging.reader import Received
from tests.integration.reporting.factories import (
    VENDOR_A,
    VENDOR_B,
    at,
    enveloped,
    make_approval,
    make_cancellation,
    make_failure,
    make_line,
    make_order,
    make_rejection,
    make_submission,
)
from tests.servers import Database

DAY = date(2026, 3, 1)
NOW = at("2026-03-05T12:00")


@pytest.fixture
def counting(pool: Pool) -> Counting:
    return Counting(pool=pool, inbox=Inbox("reporting"))


@pytest.fixture
def reports(pool: Pool) -> Reports:
    return make_reports(pool)


def make_reports(pool: Pool, *, zone: str = "UTC", now: datetime = NOW) -> Reports:
    return Reports(pool=pool, outbox=Outbox("reporting"), zone=ZoneInfo(zone), clock=lambda: now)


def received(event: Event, *, time: datetime | None = None) -> Received:
    return Received(enveloped(event, time=time), event)


def job_for(report: Report) -> GenerateReport:
    return GenerateReport(report_id=report.id, report_type=report.type, vendor_id=report.vendor_id)


async def built(reports: Reports, vendor_id: UUID | None = None, first: date = DAY, last: date = DAY) -> DailySales:
    report, _ = await reports.request("daily_sales", vendor_id, first, last)
    figures = (await reports.generate(job_for(report), job_id=uuid4())).figures
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
    counting = Counting(pool=pool, inbox=Inbox("reporting"))
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
    await reports.generate(job_for(report), job_id=uuid4())
    await counting.record([received(make_order(at("2026-03-01T10:00")))])
    third, _ = await reports.request("daily_sales", None, DAY, DAY)
    assert (third.round, third.state) == (3, ReportState.PENDING)
    assert third.figures is not None  # readable until the new ones are there
    done = await reports.generate(job_for(report), job_id=uuid4())
    assert isinstance(done.figures, DailySales)
    assert (done.state, done.figures.totals.orders) == (ReportState.READY, 1)
    revised = await pool.fetch("SELECT body FROM reporting.outbox WHERE type = 'report.ready' ORDER BY seq")
    assert [Envelope.model_validate_json(row["body"]).data["revised"] for row in revised] == [False, True]


async def test_the_same_job_twice_builds_and_tells_once(reports: Reports, pool: Pool) -> None:
    report, _ = await reports.request("daily_sales", None, DAY, DAY)
    job_id = uuid4()
    first = await reports.generate(job_for(report), job_id=job_id)
    second = await reports.generate(job_for(report), job_id=job_id)
    assert first == second
    assert await outbox_kinds(pool) == ["report.requested", "report.ready"]


async def test_older_figures_never_replace_younger_ones(reports: Reports, pool: Pool) -> None:
    report, _ = await reports.request("daily_sales", None, DAY, DAY)
    done = await reports.generate(job_for(report), job_id=uuid4())
    assert done.figures is not None
    assert done.figures_at is not None
    async with pool.acquire() as conn:
        older = done.figures_at - timedelta(seconds=1)
        assert await store.replace_figures(conn, done, done.figures, at=older, job_id=uuid4()) is None


async def test_a_scheduled_job_builds_the_day_before_it_was_due(counting: Counting, pool: Pool) -> None:
    reports = make_reports(pool, zone="Europe/Berlin")
    yesterday = at("2026-03-04T10:00")
    for event in (make_submission(), make_submission(), make_approval(), make_rejection()):
        await counting.record([received(event, time=yesterday)])
    failed = received(make_failure("process-image"), time=yesterday)
    await counting.record([failed, failed, received(make_failure(), time=at("2026-03-05T10:00"))])
    await counting.record([received(make_order(yesterday, make_line(quantity=2, price=750)))])
    job = GenerateReport(report_type="daily_metrics", due_at=at("2026-03-04T23:00"))  # midnight in Berlin
    report = await reports.generate(job, job_id=uuid4())
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
    again = await reports.generate(job, job_id=uuid4())  # run by hand on the same day: the same report, newer
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
    ],
)
async def test_bad_periods_are_refused(reports: Reports, first: str, last: str, pointers: list[str]) -> None:
    with pytest.raises(BadPeriod) as caught:
        await reports.request("daily_sales", None, date.fromisoformat(first), date.fromisoformat(last))
    assert [error.pointer for error in caught.value.errors] == pointers


async def test_jobs_that_cannot_be_done_are_not_retryable(reports: Reports) -> None:
    with pytest.raises(BadReportJob):
        await reports.generate(GenerateReport(report_type="weekly", due_at=NOW), job_id=uuid4())
    with pytest.raises(BadReportJob):
        await reports.generate(GenerateReport(report_type="daily_sales"), job_id=uuid4())
    with pytest.raises(UnknownReport):
        await reports.generate(GenerateReport(report_id=uuid4(), report_type="daily_sales"), job_id=uuid4())
    assert not BadReportJob.retryable
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
