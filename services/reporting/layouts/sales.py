"""How sales are shown: `daily_sales`, and what every report with sales in it shows of them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from services.reporting.document import Cell, Chart, KeyFigure, Series, Table, amount_in, day_read, share, spoken
from services.reporting.models import DailySales, DaySales, Sales
from shared.contracts.base import Money

FEWEST_ORDERS: Final = 10
MANY_CANCELLED: Final = 0.1
"""From this share of cancelled orders on they are worth a look, unless there are too few to tell."""


def sales_key_figures(sales: Sales) -> list[KeyFigure]:
    """What was sold, in three numbers."""
    return [
        KeyFigure("Net sales", spoken(sales.net), f"gross {spoken(sales.gross)}"),
        KeyFigure("Orders", f"{sales.orders:,}", f"{sales.cancelled_orders:,} cancelled"),
        KeyFigure("Units", f"{sales.units:,}", f"{sales.cancelled_units:,} cancelled"),
    ]


def daily_sales_charts(figures: DailySales) -> list[Chart]:
    """By day where there are several, by hour, and the best products."""
    charts = by_day(figures.days, currencies_of(figures.totals)) if len(figures.days) > 1 else []
    if figures.hours:
        charts.append(_by_hour(figures))
    charts.append(_top_products(figures))
    return charts


def daily_sales_tables(figures: DailySales) -> list[Table]:
    """By day, the best products, by hour."""
    currencies = currencies_of(figures.totals)
    money_columns = [f"{name} {currency}" for currency in currencies for name in ("Gross", "Cancelled", "Net")]

    def cells(sales: Sales) -> tuple[Cell, ...]:
        amounts = [
            amount_in(currency, among) for currency in currencies for among in (sales.gross, sales.cancelled, sales.net)
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
                *(amount_in(currency, product.net) for currency in currencies),
            )
            for product in figures.top_products
        ),
        unseen=frozenset({"Product id"}),
    )
    by_hour = Table(
        "By hour",
        ("Hour", "Orders", "Units"),
        tuple((f"{each.hour:02}:00", each.orders, each.units) for each in figures.hours),
        is_charted=True,
    )
    return [by_day, top, by_hour] if figures.hours else [by_day, top]


def by_day(days: Sequence[DaySales], currencies: Sequence[str], *, title: str = "Sales by day") -> list[Chart]:
    """One chart a currency: amounts of different ones can't stand on one axis."""
    return [_by_day(days, currency, title) for currency in currencies]


def sales_notes(figures: DailySales) -> list[str]:
    """What stands out: the best hour, and many cancellations."""
    totals, notes = figures.totals, []
    best = max(figures.hours, key=lambda each: each.orders, default=None)
    if best is not None and best.orders > 0:
        until = f"{best.hour:02}:00 and {(best.hour + 1) % 24:02}:00"
        notes.append(f"Most orders came between {until}: {best.orders:,} of {totals.orders:,}.")
    return notes + cancelled_notes(totals)


def cancelled_notes(sales: Sales) -> list[str]:
    """Whether many orders were taken back."""
    if sales.orders < FEWEST_ORDERS or sales.cancelled_orders < MANY_CANCELLED * sales.orders:
        return []
    part = share(sales.cancelled_orders, sales.orders)
    return [f"{part} of the orders were cancelled ({sales.cancelled_orders:,} of {sales.orders:,}): ask why."]


def currencies_of(sales: Sales) -> list[str]:
    """Those anything was sold in."""
    return [money.currency for money in sales.gross]


def amounts_in(currencies: Sequence[str], among: Sequence[Money]) -> tuple[Decimal, ...]:
    """An amount for each currency's column."""
    return tuple(amount_in(currency, among) for currency in currencies)


def _by_day(days: Sequence[DaySales], currency: str, title: str) -> Chart:
    net = tuple(amount_in(currency, day.net) for day in days)
    cancelled = tuple(amount_in(currency, day.cancelled) for day in days)
    dates = [day_read(day.day) for day in days]
    series = (Series("Net", net), Series("Cancelled", cancelled))
    return Chart(
        title=title,
        description=_told("Net sales", currency, list(zip(dates, net, strict=True))),
        kind="columns",
        labels=tuple(f"{day.day:%-d %b}" for day in days),
        series=series if any(cancelled) else series[:1],
        unit=currency,
        axis="Day",
    )


def _by_hour(figures: DailySales) -> Chart:
    return Chart(
        title="Orders by hour of the day",
        description=_told("Orders", "", [(f"{each.hour:02}:00", Decimal(each.orders)) for each in figures.hours]),
        kind="columns",
        labels=tuple(f"{each.hour:02}:00" for each in figures.hours),
        series=(Series("Orders", tuple(Decimal(each.orders) for each in figures.hours)),),
        axis="From",
    )


def _top_products(figures: DailySales) -> Chart:
    top = figures.top_products
    return Chart(
        title="Top products, units sold and not cancelled",
        description=", ".join(f"{product.title} {product.units:,}" for product in top) or "Nothing in this period.",
        kind="bars",
        labels=tuple(product.title for product in top),
        series=(Series("Units", tuple(Decimal(product.units) for product in top)),),
        axis="Product",
    )


def _told(what: str, unit: str, points: Sequence[tuple[str, Decimal]]) -> str:
    """The chart in a sentence: its highest and its lowest."""
    if not any(value for _, value in points):
        return "Nothing in this period."
    if len(points) == 1:
        [(where, value)] = points
        return f"{what}: {value:,}{f' {unit}' if unit else ''} ({where})."
    highest, lowest = max(points, key=lambda point: point[1]), min(points, key=lambda point: point[1])
    behind = f" {unit}" if unit else ""
    return f"{what}: most on {highest[0]} ({highest[1]:,}{behind}), least on {lowest[0]} ({lowest[1]:,}{behind})."
