"""Puts a report's figures together from what the store counted. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date

from services.reporting.models import (
    Activity,
    DailyMetrics,
    DailySales,
    DayMetrics,
    DaySales,
    FactKind,
    FactRow,
    FailedJobs,
    Period,
    Sales,
    SalesRow,
    TopProduct,
    TopRow,
)
from shared.contracts.base import Money


def daily_sales(period: Period, rows: Sequence[SalesRow], top: Sequence[TopRow]) -> DailySales:
    """`daily_sales`; a day without sales is there with zeros."""
    by_day = _sales_by_day(rows)
    return DailySales(
        totals=by_day.get(None, Sales()),
        days=tuple(DaySales(day=day, **dict(by_day.get(day, Sales()))) for day in period.days),
        top_products=_top(top),
    )


def daily_metrics(period: Period, rows: Sequence[SalesRow], facts: Sequence[FactRow]) -> DailyMetrics:
    """`daily_metrics`; a day on which nothing happened is there with zeros."""
    by_day = _sales_by_day(rows)
    facts_of: dict[date, list[FactRow]] = defaultdict(list)
    failed: dict[str, int] = defaultdict(int)
    for fact in facts:
        facts_of[fact.day].append(fact)
        if fact.kind is FactKind.JOB_FAILED:
            failed[fact.label] += fact.count
    return DailyMetrics(
        sales=by_day.get(None, Sales()),
        activity=_activity(facts),
        days=tuple(
            DayMetrics(day=day, sales=by_day.get(day, Sales()), activity=_activity(facts_of[day]))
            for day in period.days
        ),
        failed_jobs=tuple(
            FailedJobs(job_type=job_type, count=count)
            for job_type, count in sorted(failed.items(), key=lambda item: (-item[1], item[0]))
        ),
    )


def _sales_by_day(rows: Sequence[SalesRow]) -> dict[date | None, Sales]:
    """Sales of each day that has any, and under None of the whole period."""
    money: dict[date | None, list[SalesRow]] = defaultdict(list)
    for row in rows:
        if row.currency is not None:
            money[row.day].append(row)
    return {
        row.day: Sales(
            orders=row.orders,
            units=row.units,
            cancelled_orders=row.cancelled_orders,
            cancelled_units=row.cancelled_units,
            gross=tuple(_amount(each.gross, each.currency) for each in money[row.day]),
            cancelled=tuple(_amount(each.cancelled, each.currency) for each in money[row.day]),
            net=tuple(_amount(each.gross - each.cancelled, each.currency) for each in money[row.day]),
        )
        for row in rows
        if row.currency is None
    }


def _top(rows: Sequence[TopRow]) -> tuple[TopProduct, ...]:
    by_product: dict[object, list[TopRow]] = defaultdict(list)
    for row in rows:
        by_product[row.product_id].append(row)
    return tuple(
        TopProduct(
            product_id=lines[0].product_id,
            title=lines[0].title,
            units=lines[0].units,
            net=tuple(_amount(line.net, line.currency) for line in lines),
        )
        for lines in by_product.values()
    )


def _activity(rows: Iterable[FactRow]) -> Activity:
    counts: dict[FactKind, int] = defaultdict(int)
    for row in rows:
        counts[row.kind] += row.count
    return Activity(
        products_submitted=counts[FactKind.SUBMITTED],
        products_approved=counts[FactKind.APPROVED],
        products_rejected=counts[FactKind.REJECTED],
        stock_alerts=counts[FactKind.STOCK_LOW],
        jobs_failed=counts[FactKind.JOB_FAILED],
    )


def _amount(minor: int, currency: str | None) -> Money:
    assert currency is not None
    return Money(amount_minor=minor, currency=currency)
