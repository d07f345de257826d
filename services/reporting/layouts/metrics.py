"""How `daily_metrics` is shown."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from services.reporting.document import NOTHING, Cell, Chart, KeyFigure, Series, Table, counted, lasting, share
from services.reporting.layouts.sales import amounts_in, by_day, currencies_of, sales_key_figures
from services.reporting.models import DailyMetrics, DaySales, JobWork, Lasting, Slot, Work

SLOW_START_MS: Final = 60_000
UNWELL: Final = 80
"""Below this the health score is worth a look, as it is not `good` any more."""
MOST_CAUSES: Final = 3


def metrics_key_figures(figures: DailyMetrics) -> list[KeyFigure]:
    """Sales, approvals, work, trouble."""
    activity = figures.activity
    decided = activity.products_approved + activity.products_rejected
    return [
        *sales_key_figures(figures.sales),
        KeyFigure("Products submitted", f"{activity.products_submitted:,}", f"{decided:,} decided"),
        *(_work_key_figures(figures.work) if figures.work else []),
        KeyFigure("Stock alerts", f"{activity.stock_alerts:,}"),
        KeyFigure("Jobs failed", f"{activity.jobs_failed:,}"),
    ]


def _work_key_figures(work: Work) -> list[KeyFigure]:
    hits, reads = sum(use.hits for use in work.caches), sum(use.hits + use.misses for use in work.caches)
    health = work.health
    return [
        KeyFigure("E-mails sent", f"{work.mails_sent:,}", f"{work.mails_failed:,} failed"),
        KeyFigure("Pictures processed", f"{work.images_processed:,}", f"{work.images_failed:,} failed"),
        KeyFigure("Cache hit rate", share(hits, reads), f"of {reads:,} reads"),
        KeyFigure("Health score", NOTHING if health is None else f"{health.mean}", _lowest(work)),
    ]


def _lowest(work: Work) -> str:
    return "nobody looked" if work.health is None else f"lowest {work.health.lowest}"


def metrics_notes(figures: DailyMetrics) -> list[str]:
    """What was slow, what failed, what to do."""
    work = figures.work
    if work is None:
        return []
    notes = [
        f"{counted(cause.count, 'job')} of type {cause.job_type} failed with {cause.error_class}: mend the cause, then "
        "retry them."
        for cause in work.failures[:MOST_CAUSES]
    ]
    slow = [job for job in work.jobs if job.wait and job.wait.longest_ms >= SLOW_START_MS]
    if slow:
        slowest = max(slow, key=_longest_wait)
        notes.append(
            f"A {slowest.job_type} job waited {lasting(_longest_wait(slowest))} to be begun: more workers of its type "
            "would have helped, or the type stood."
        )
    if work.health is not None and work.health.lowest < UNWELL:
        notes.append(f"The health score fell to {work.health.lowest}: its terms in monitoring say why.")
    if not work.is_whole:
        notes.append("Not every service has told of the last hour yet: these figures will be completed.")
    return notes


def _longest_wait(job: JobWork) -> int:
    return job.wait.longest_ms if job.wait else 0


def metrics_charts(figures: DailyMetrics, zone: ZoneInfo) -> list[Chart]:
    """Sales by day where there are several; work over the time; products; what failed and what was slow."""
    days = [DaySales(day=day.day, **dict(day.sales)) for day in figures.days]
    activity = figures.activity
    return [
        *(by_day(days, currencies_of(figures.sales)) if len(days) > 1 else []),
        *(_work_charts(figures, figures.work, zone) if figures.work else []),
        _bars(
            "Products submitted and decided",
            [
                ("Submitted", activity.products_submitted),
                ("Approved", activity.products_approved),
                ("Rejected", activity.products_rejected),
            ],
            axis="Step",
        ),
        _bars("Products by state", [(state.capitalize(), count) for state, count in figures.products], axis="State"),
        *(
            []
            if figures.work
            else [_bars("Failed jobs", [(each.job_type, each.count) for each in figures.failed_jobs], axis="Type")]
        ),
    ]


def _work_charts(figures: DailyMetrics, work: Work, zone: ZoneInfo) -> list[Chart]:
    label, axis = _labelling(figures, zone)
    names = tuple(label(slot) for slot in work.slots)

    def values(of: Callable[[Slot], int]) -> tuple[Decimal, ...]:
        return tuple(Decimal(of(slot)) for slot in work.slots)

    completed, failed = values(lambda slot: slot.jobs_completed), values(lambda slot: slot.jobs_failed)
    jobs = (Series("Completed", completed), Series("Failed", failed))
    waits = sorted(
        ((job.job_type, _seconds(job.wait.mean_ms)) for job in work.jobs if job.wait), key=lambda wait: -wait[1]
    )
    return [
        Chart(
            title=f"Health score by {axis}",
            description=f"On average {work.health.mean}, {_lowest(work)}." if work.health else "Nobody looked.",
            kind="line",
            labels=names,
            series=(
                Series("Mean", tuple(Decimal(slot.health.mean) if slot.health else None for slot in work.slots)),
                Series("Lowest", tuple(Decimal(slot.health.lowest) if slot.health else None for slot in work.slots)),
            ),
            axis=axis.capitalize(),
            top=Decimal(100),
        ),
        Chart(
            title=f"Jobs by {axis}",
            description=f"{sum(completed):,} completed, {sum(failed):,} failed.",
            kind="columns",
            labels=names,
            series=jobs if any(failed) else jobs[:1],
            axis=axis.capitalize(),
        ),
        Chart(
            title=f"E-mails sent by {axis}",
            description=f"{work.mails_sent:,} in all.",
            kind="columns",
            labels=names,
            series=(Series("E-mails", values(lambda slot: slot.mails_sent)),),
            axis=axis.capitalize(),
        ),
        Chart(
            title="Mean wait of a job by type",
            description=", ".join(f"{kind} {seconds} s" for kind, seconds in waits) or "None.",
            kind="bars",
            labels=tuple(kind for kind, _ in waits),
            series=(Series("Mean wait", tuple(seconds for _, seconds in waits)),),
            unit="s",
            axis="Type",
        ),
        _bars(
            "Failed jobs by cause",
            [(f"{cause.job_type}: {cause.error_class}", cause.count) for cause in work.failures],
            axis="Cause",
        ),
    ]


def _labelling(figures: DailyMetrics, zone: ZoneInfo) -> tuple[Callable[[Slot], str], str]:
    """How a slot is called, and what slots are."""
    if len(figures.days) > 1:
        return lambda slot: f"{slot.at.astimezone(zone):%-d %b}", "day"
    return lambda slot: f"{slot.at.astimezone(zone):%H:%M}", "hour"


def metrics_tables(figures: DailyMetrics, zone: ZoneInfo) -> list[Table]:
    """By day; of the work by type and by hour; what failed."""
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
    return [by_day, failed] if figures.work is None else [by_day, *_work_tables(figures, figures.work, zone)]


def _work_tables(figures: DailyMetrics, work: Work, zone: ZoneInfo) -> list[Table]:
    label, axis = _labelling(figures, zone)
    jobs = Table(
        "Jobs by type",
        (
            "Job type",
            "Completed",
            "Failed",
            "Cancelled",
            "Mean wait, s",
            "Longest wait, s",
            "Mean run, s",
            "Longest run, s",
        ),
        tuple(
            (job.job_type, job.completed, job.failed, job.cancelled, *_times(job.wait), *_times(job.run))
            for job in work.jobs
        ),
    )
    failures = Table(
        "Failures by cause",
        ("Job type", "Error", "Failed"),
        tuple((cause.job_type, cause.error_class, cause.count) for cause in work.failures),
    )
    caches = Table(
        "Caches",
        ("Cache", "Hits", "Misses", "Hit rate"),
        tuple((use.cache, use.hits, use.misses, share(use.hits, use.hits + use.misses)) for use in work.caches),
    )
    products = Table("Products by state", ("State", "Products"), tuple(figures.products), is_charted=True)
    slots = Table(
        f"Work by {axis}",
        (
            axis.capitalize(),
            "Jobs completed",
            "Jobs failed",
            "E-mails sent",
            "Pictures processed",
            "Cache hit rate",
            "Health score",
            "Lowest",
        ),
        tuple(
            (
                label(slot),
                slot.jobs_completed,
                slot.jobs_failed,
                slot.mails_sent,
                slot.images_processed,
                share(slot.cache_hits, slot.cache_hits + slot.cache_misses),
                NOTHING if slot.health is None else slot.health.mean,
                NOTHING if slot.health is None else slot.health.lowest,
            )
            for slot in work.slots
        ),
    )
    return [jobs, failures, caches, products, slots]


def _times(lasted: Lasting | None) -> tuple[Cell, Cell]:
    return (NOTHING, NOTHING) if lasted is None else (_seconds(lasted.mean_ms), _seconds(lasted.longest_ms))


def _seconds(milliseconds: int) -> Decimal:
    return Decimal(milliseconds).scaleb(-3).quantize(Decimal("0.01"))


def _bars(title: str, counts: list[tuple[str, int]], *, axis: str) -> Chart:
    return Chart(
        title=title,
        description=", ".join(f"{name} {count:,}" for name, count in counts) or "None.",
        kind="bars",
        labels=tuple(name for name, _ in counts),
        series=(Series("Count", tuple(Decimal(count) for _, count in counts)),),
        axis=axis,
    )
