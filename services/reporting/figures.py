"""Puts a report's figures together from what the store counted. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from uuid import UUID

from services.reporting.metrics import work_of
from services.reporting.models import (
    Activity,
    DailyMetrics,
    DailySales,
    DayMetrics,
    DaySales,
    Decisions,
    FactKind,
    FactRow,
    FailedJobs,
    HourRow,
    HourSales,
    MeasureRow,
    Period,
    Reason,
    Sales,
    SalesRow,
    TopProduct,
    TopRow,
    VendorFactRow,
    VendorFigures,
    VendorPerformance,
    VendorSalesRow,
)
from shared.contracts.base import Money


def daily_sales(
    period: Period, rows: Sequence[SalesRow], top: Sequence[TopRow], hours: Sequence[HourRow]
) -> DailySales:
    """`daily_sales`; a day or an hour without sales is there with zeros."""
    by_day = _sales_by_day(rows)
    by_hour = {row.hour: row for row in hours}
    return DailySales(
        totals=by_day.get(None, Sales()),
        days=_days(period, by_day),
        top_products=_top(top),
        hours=tuple(
            HourSales(hour=hour, orders=row.orders, units=row.units)
            for hour in range(24)
            for row in [by_hour.get(hour, HourRow(hour, 0, 0))]
        ),
    )


def daily_metrics(
    period: Period,
    rows: Sequence[SalesRow],
    facts: Sequence[FactRow],
    *,
    products: Sequence[tuple[str, int]],
    measures: Sequence[MeasureRow],
    is_whole: bool,
) -> DailyMetrics:
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
        products=tuple(products),
        work=work_of(period, measures, is_whole=is_whole),
    )


def vendor_performance(
    period: Period,
    *,
    sold: Sequence[SalesRow],
    trend: Sequence[SalesRow],
    facts: Sequence[FactRow],
    median_seconds: int | None,
    low_stock_days: int,
    vendors: Sequence[VendorFigures],
) -> VendorPerformance:
    """`vendor_performance`; a day of the trend without sales is there with zeros."""
    counts = _counts(facts)
    return VendorPerformance(
        sales=_sales_by_day(sold).get(None, Sales()),
        trend=_days(period.trend, _sales_by_day(trend)),
        decisions=Decisions(
            submitted=counts[FactKind.SUBMITTED],
            approved=counts[FactKind.APPROVED],
            rejected=counts[FactKind.REJECTED],
            median_seconds=median_seconds,
        ),
        stock_outs=counts[FactKind.STOCK_OUT],
        low_stock_days=low_stock_days,
        vendors=tuple(vendors),
    )


def each_vendor(
    names: Mapping[UUID, str], sold: Sequence[VendorSalesRow], facts: Sequence[VendorFactRow]
) -> list[VendorFigures]:
    """Every vendor of which anything is known, those with the most orders first."""
    sums = {row.vendor_id: row for row in sold if row.currency is None}
    net: dict[UUID, list[Money]] = defaultdict(list)
    for row in sold:
        if row.currency is not None:
            net[row.vendor_id].append(_amount(row.net, row.currency))
    counts = {(fact.vendor_id, fact.kind): fact.count for fact in facts}
    known = names.keys() | sums.keys() | {fact.vendor_id for fact in facts}
    figures = [
        VendorFigures(
            vendor_id=vendor_id,
            name=names.get(vendor_id, ""),
            orders=row.orders if row else 0,
            units=row.units if row else 0,
            cancelled_orders=row.cancelled_orders if row else 0,
            net=tuple(net[vendor_id]),
            submitted=counts.get((vendor_id, FactKind.SUBMITTED), 0),
            approved=counts.get((vendor_id, FactKind.APPROVED), 0),
            rejected=counts.get((vendor_id, FactKind.REJECTED), 0),
            stock_outs=counts.get((vendor_id, FactKind.STOCK_OUT), 0),
        )
        for vendor_id in known
        for row in [sums.get(vendor_id)]
    ]
    return sorted(figures, key=lambda each: (-each.orders, each.name, each.vendor_id))


def reasons_of(facts: Iterable[FactRow]) -> tuple[Reason, ...]:
    """Why products were rejected, most frequent first. One rejection may have several reasons."""
    counts: dict[str, int] = defaultdict(int)
    for fact in facts:
        if fact.kind is FactKind.REJECTED:
            for code in filter(None, fact.label.split(",")):
                counts[code] += fact.count
    return tuple(
        Reason(code=code, count=count) for code, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )


def _days(period: Period, by_day: Mapping[date | None, Sales]) -> tuple[DaySales, ...]:
    return tuple(DaySales(day=day, **dict(by_day.get(day, Sales()))) for day in period.days)


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
    counts = _counts(rows)
    return Activity(
        products_submitted=counts[FactKind.SUBMITTED],
        products_approved=counts[FactKind.APPROVED],
        products_rejected=counts[FactKind.REJECTED],
        stock_alerts=counts[FactKind.STOCK_LOW],
        jobs_failed=counts[FactKind.JOB_FAILED],
    )


def _counts(rows: Iterable[FactRow]) -> Mapping[FactKind, int]:
    counts: dict[FactKind, int] = defaultdict(int)
    for row in rows:
        counts[row.kind] += row.count
    return counts


def _amount(minor: int, currency: str | None) -> Money:
    assert currency is not None
    return Money(amount_minor=minor, currency=currency)
