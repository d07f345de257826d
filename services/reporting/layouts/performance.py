"""How `vendor_performance` is shown."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from services.reporting.document import NOTHING, Chart, KeyFigure, Series, Table, amount_in, counted, lasting, share
from services.reporting.layouts.sales import amounts_in, by_day, cancelled_notes, currencies_of, sales_key_figures
from services.reporting.models import TREND_DAYS, DaySales, Decisions, VendorPerformance

MOST_BARS = 12


def performance_key_figures(figures: VendorPerformance) -> list[KeyFigure]:
    """Sales, decisions, stock."""
    decisions = figures.decisions
    decided = decisions.approved + decisions.rejected
    return [
        *sales_key_figures(figures.sales),
        _trend(figures.trend),
        KeyFigure("Approved", share(decisions.approved, decided), f"{decisions.approved:,} of {decided:,} decided"),
        KeyFigure("Time to a decision", _lasting(decisions.median_seconds), "the median"),
        KeyFigure(
            "Cancelled",
            share(figures.sales.cancelled_orders, figures.sales.orders),
            f"{figures.sales.cancelled_orders:,} of {counted(figures.sales.orders, 'order')}",
        ),
        KeyFigure("Stock-outs", f"{figures.stock_outs:,}", f"{counted(figures.low_stock_days, 'day')} with low stock"),
    ]


def performance_charts(figures: VendorPerformance) -> list[Chart]:
    """The trend, the decisions, and of the whole marketplace its vendors."""
    currencies = sorted({currency for day in figures.trend for currency in currencies_of(day)})
    charts = by_day(figures.trend, currencies, title=f"Sales of the last {TREND_DAYS} days")
    charts.append(_decisions(figures.decisions))
    if figures.vendors:
        most = figures.vendors[:MOST_BARS]
        charts.append(
            Chart(
                title="Orders by vendor",
                description=", ".join(f"{vendor.name} {vendor.orders:,}" for vendor in most),
                kind="bars",
                labels=tuple(vendor.name or str(vendor.vendor_id) for vendor in most),
                series=(Series("Orders", tuple(Decimal(vendor.orders) for vendor in most)),),
                axis="Vendor",
            )
        )
    return charts


def performance_tables(figures: VendorPerformance) -> list[Table]:
    """The trend by day, and of the whole marketplace its vendors."""
    currencies = sorted({currency for day in figures.trend for currency in currencies_of(day)})
    trend = Table(
        f"The last {TREND_DAYS} days",
        ("Day", "Orders", "Units", "Cancelled orders", *(f"Net {currency}" for currency in currencies)),
        tuple(
            (day.day, day.orders, day.units, day.cancelled_orders, *amounts_in(currencies, day.net))
            for day in figures.trend
        ),
    )
    return [_vendors(figures), trend] if figures.vendors else [trend]


def performance_notes(figures: VendorPerformance) -> list[str]:
    """What to do."""
    notes = cancelled_notes(figures.sales)
    if figures.stock_outs:
        often = "once" if figures.stock_outs == 1 else f"{figures.stock_outs:,} times"
        notes.append(f"The last piece of a product was sold {often}: order earlier.")
    if figures.low_stock_days:
        notes.append(f"On {counted(figures.low_stock_days, 'day')} a product was low.")
    if figures.decisions.rejected:
        notes.append(
            f"{counted(figures.decisions.rejected, 'product')} rejected: the reasons are in catalogue quality."
        )
    return notes


def _vendors(figures: VendorPerformance) -> Table:
    currencies = currencies_of(figures.sales)
    return Table(
        "Vendors",
        (
            "Vendor",
            "Orders",
            "Units",
            "Cancelled orders",
            *(f"Net {currency}" for currency in currencies),
            "Submitted",
            "Approved",
            "Rejected",
            "Stock-outs",
        ),
        tuple(
            (
                vendor.name or str(vendor.vendor_id),
                vendor.orders,
                vendor.units,
                vendor.cancelled_orders,
                *amounts_in(currencies, vendor.net),
                vendor.submitted,
                vendor.approved,
                vendor.rejected,
                vendor.stock_outs,
            )
            for vendor in figures.vendors
        ),
    )


def _decisions(decisions: Decisions) -> Chart:
    counts = (
        ("Submitted", decisions.submitted),
        ("Approved", decisions.approved),
        ("Rejected", decisions.rejected),
    )
    return Chart(
        title="Products submitted and decided",
        description=", ".join(f"{name} {count:,}" for name, count in counts),
        kind="bars",
        labels=tuple(name for name, _ in counts),
        series=(Series("Products", tuple(Decimal(count) for _, count in counts)),),
        axis="Step",
    )


def _trend(days: Sequence[DaySales]) -> KeyFigure:
    """The later half of the trend's days against the earlier one, in the currency that most was sold in."""
    half = len(days) // 2
    note = f"the last {half} days against the {half} before"
    net = Counter[str]()
    for day in days:
        net.update({money.currency: money.amount_minor for money in day.net})
    if not net:
        return KeyFigure("Trend", NOTHING, note)
    [(currency, _)] = net.most_common(1)
    earlier, later = (sum(amount_in(currency, day.net) for day in part) for part in (days[:half], days[half:]))
    change = f"{round(100 * (later - earlier) / earlier):+,} %" if earlier else NOTHING
    return KeyFigure("Trend", change, f"{note}, {currency}")


def _lasting(seconds: int | None) -> str:
    return NOTHING if seconds is None else lasting(1000 * seconds)
