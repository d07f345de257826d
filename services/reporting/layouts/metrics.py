"""How `daily_metrics` is shown."""

from decimal import Decimal

from services.reporting.document import Chart, KeyFigure, Series, Table
from services.reporting.layouts.sales import amounts_in, currencies_of, net_by_day, sales_key_figures
from services.reporting.models import DailyMetrics, DaySales


def metrics_key_figures(figures: DailyMetrics) -> list[KeyFigure]:
    """Sales, approvals, trouble."""
    activity = figures.activity
    decided = activity.products_approved + activity.products_rejected
    return [
        *sales_key_figures(figures.sales),
        KeyFigure("Products submitted", f"{activity.products_submitted:,}", f"{decided:,} decided"),
        KeyFigure("Stock alerts", f"{activity.stock_alerts:,}"),
        KeyFigure("Jobs failed", f"{activity.jobs_failed:,}"),
    ]


def metrics_charts(figures: DailyMetrics) -> list[Chart]:
    """Sales by day where there are several; what was decided; what failed."""
    days = [DaySales(day=day.day, **dict(day.sales)) for day in figures.days]
    activity = figures.activity
    return [
        *(net_by_day(days, currencies_of(figures.sales)) if len(days) > 1 else []),
        _counts(
            "Products",
            [
                ("Submitted", activity.products_submitted),
                ("Approved", activity.products_approved),
                ("Rejected", activity.products_rejected),
            ],
        ),
        _counts("Products by state", list(figures.products)),
        _counts("Failed jobs", [(failed.job_type, failed.count) for failed in figures.failed_jobs]),
    ]


def metrics_tables(figures: DailyMetrics) -> list[Table]:
    """By day, and the failed jobs by type."""
    currencies = currencies_of(figures.sales)
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
                *amounts_in(currencies, day.sales.gross),
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


def _counts(title: str, counts: list[tuple[str, int]]) -> Chart:
    return Chart(
        title=title,
        description=", ".join(f"{name} {count:,}" for name, count in counts) or "None.",
        kind="bars",
        labels=tuple(name for name, _ in counts),
        series=(Series(title, tuple(Decimal(count) for _, count in counts)),),
    )
