"""A report as a reader sees it, whatever the form: a heading, key figures, tables. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import assert_never

from services.reporting.models import DailyMetrics, DailySales, Report, Sales
from shared.contracts.base import Money
from shared.currencies import minor_digits

Cell = str | int | Decimal | date


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number that stands on its own."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under column names. Cells keep their kind: a number is a number in every form. `total` is a last row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A report, ready to be written in some form. `stem` names its files."""

    title: str
    scope: str
    period: str
    zone: str
    stem: str
    key_figures: tuple[KeyFigure, ...]
    tables: tuple[Table, ...]


def document_of(report: Report) -> Document:
    """The document of a report that has figures."""
    first, last = report.period.first.isoformat(), report.period.last.isoformat()
    match report.figures:
        case DailySales() as figures:
            title, key_figures, tables = "Daily sales", _sales_key_figures(figures.totals), _sales_tables(figures)
        case DailyMetrics() as figures:
            title, key_figures, tables = "Daily metrics", _metrics_key_figures(figures), _metrics_tables(figures)
        case None:
            raise AssertionError("a report without figures has no document")
        case _:
            assert_never(report.figures)
    return Document(
        title=title,
        scope="Whole marketplace" if report.vendor_id is None else "One vendor",
        period=first if first == last else f"{first} to {last}",
        zone=report.period.zone.key,
        stem=f"{report.type.replace('_', '-')}-{first}-{last}",
        key_figures=tuple(key_figures),
        tables=tuple(tables),
    )


def decimal_of(money: Money) -> Decimal:
    """An amount in whole units, with as many decimals as its currency has."""
    return Decimal(money.amount_minor).scaleb(-minor_digits(money.currency))


def _spoken(amounts: Iterable[Money]) -> str:
    return ", ".join(f"{decimal_of(money):,} {money.currency}" for money in amounts) or "0"


def _sales_key_figures(sales: Sales) -> list[KeyFigure]:
    return [
        KeyFigure("Net sales", _spoken(sales.net), f"gross {_spoken(sales.gross)}"),
        KeyFigure("Orders", f"{sales.orders:,}", f"{sales.cancelled_orders:,} cancelled"),
        KeyFigure("Units", f"{sales.units:,}", f"{sales.cancelled_units:,} cancelled"),
    ]


def _sales_tables(figures: DailySales) -> list[Table]:
    currencies = [money.currency for money in figures.totals.gross]
    money_columns = [f"{name} {currency}" for currency in currencies for name in ("Gross", "Cancelled", "Net")]

    def cells(sales: Sales) -> tuple[Cell, ...]:
        amounts = [
            _in(currency, among) for currency in currencies for among in (sales.gross, sales.cancelled, sales.net)
        ]
        return (sales.orders, sales.units, sales.cancelled_orders, sales.cancelled_units, *amounts)

    by_day = Table(
        "By day",
        ("Day", "Orders", "Units", "Cancelled orders", "Cancelled units", *money_columns),
        tuple((day.day, *cells(day)) for day in figures.days),
        ("Total", *cells(figures.totals)),
    )
    top = Table(
        "Top products",
        ("Product", "Product id", "Units", *(f"Net {currency}" for currency in currencies)),
        tuple(
            (
                product.title,
                str(product.product_id),
                product.units,
                *(_in(currency, product.net) for currency in currencies),
            )
            for product in figures.top_products
        ),
    )
    return [by_day, top]


def _metrics_key_figures(figures: DailyMetrics) -> list[KeyFigure]:
    activity = figures.activity
    decided = activity.products_approved + activity.products_rejected
    return [
        *_sales_key_figures(figures.sales),
        KeyFigure("Products submitted", f"{activity.products_submitted:,}", f"{decided:,} decided"),
        KeyFigure("Stock alerts", f"{activity.stock_alerts:,}"),
        KeyFigure("Jobs failed", f"{activity.jobs_failed:,}"),
    ]


def _metrics_tables(figures: DailyMetrics) -> list[Table]:
    currencies = [money.currency for money in figures.sales.gross]
    by_day = Table(
        "By day",
        (
            "Day",
            "Orders",
            "Units",
            *(f"Gross {currency}" for currency in currencies),
            "Submitted",
            "Approved",
            "Rejected",
            "Stock alerts",
            "Jobs failed",
        ),
        tuple(
            (
                day.day,
                day.sales.orders,
                day.sales.units,
                *(_in(currency, day.sales.gross) for currency in currencies),
                day.activity.products_submitted,
                day.activity.products_approved,
                day.activity.products_rejected,
                day.activity.stock_alerts,
                day.activity.jobs_failed,
            )
            for day in figures.days
        ),
    )
    failed = Table(
        "Failed jobs", ("Job type", "Failed"), tuple((job.job_type, job.count) for job in figures.failed_jobs)
    )
    return [by_day, failed]


def _in(currency: str, amounts: Sequence[Money]) -> Decimal:
    found = next((money for money in amounts if money.currency == currency), Money(amount_minor=0, currency=currency))
    return decimal_of(found)
