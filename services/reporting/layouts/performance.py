"""How `vendor_performance` is shown."""

from decimal import Decimal

from services.reporting.document import Chart, KeyFigure, Series, Table, share
from services.reporting.layouts.sales import amounts_in, currencies_of, net_by_day, sales_key_figures
from services.reporting.models import TREND_DAYS, Decisions, VendorPerformance

MOST_BARS = 12


def performance_key_figures(figures: VendorPerformance) -> list[KeyFigure]:
    """Sales, decisions, stock."""
    decisions = figures.decisions
    decided = decisions.approved + decisions.rejected
    return [
        *sales_key_figures(figures.sales),
        KeyFigure("Approved", share(decisions.approved, decided), f"{decisions.approved:,} of {decided:,} decided"),
        KeyFigure("Time to a decision", _lasting(decisions.median_seconds), "the median"),
        KeyFigure("Stock-outs", f"{figures.stock_outs:,}", f"{figures.low_stock_days:,} days with low stock"),
    ]


def performance_charts(figures: VendorPerformance) -> list[Chart]:
    """The trend, the decisions, and of the whole marketplace its vendors."""
    currencies = sorted({currency for day in figures.trend for currency in currencies_of(day)})
    charts = net_by_day(figures.trend, currencies)
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
    )


def _lasting(seconds: int | None) -> str:
    match seconds:
        case None:
            return "-"
        case seconds if seconds < 3600:
            return f"{round(seconds / 60)} min"
        case seconds if seconds < 2 * 86400:
            return f"{seconds / 3600:.1f} h"
        case _:
            return f"{seconds / 86400:.1f} days"
