"""What reporting does beside counting: it takes requests for reports and builds them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from services.reporting import store, telling
from services.reporting.errors import BadPeriod, BadReportJob, ReportNotPending, UnknownReport
from services.reporting.figures import daily_metrics, daily_sales, each_vendor, reasons_of, vendor_performance
from services.reporting.links import Links
from services.reporting.models import (
    EARLIEST,
    AnyFigures,
    CatalogQuality,
    DailyMetrics,
    DailySales,
    Period,
    Report,
    ReportState,
    ReportType,
    VendorFigures,
    VendorPerformance,
)
from shared.clock import Clock
from shared.contracts import events
from shared.contracts.jobs import GenerateReport
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool, connection, transaction
from shared.errors import FieldError
from shared.ids import new_id
from shared.messaging.attempt import Attempt
from shared.messaging.delivery import JobCancelled

LONGEST_PERIOD_DAYS: Final = 366
TOP_PRODUCTS: Final = 10
POOR_PRODUCTS: Final = 100
REVISE_AT_ONCE: Final = 20
ASK_AGAIN_AFTER: Final = timedelta(minutes=10)
"""A pending report that nobody built in twice its job's time limit is asked for once more (protocol.md 4)."""
REPORT_TYPES: Final[frozenset[str]] = frozenset(get_args(ReportType))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """The reports: asking for them, building them, reading them. `zone` is where the marketplace's days begin."""

    pool: Pool
    outbox: Outbox
    links: Links
    zone: ZoneInfo
    clock: Clock

    async def request(
        self, report_type: ReportType, vendor_id: UUID | None, first: date, last: date
    ) -> tuple[Report, bool]:
        """Have a report built; returns its row, and whether it is new.

        There is one for each type, scope and period: asked for again, a finished or failed one is built once more, one
        that is being built is left alone. Row and `report.requested` are one transaction, so a crash leaves both or
        neither. Raises `BadPeriod`.
        """
        now = self.clock()
        async with transaction(self.pool) as conn:
            zone = await self._zone_of(conn, vendor_id)
            period = checked_period(first, last, zone, today=now.astimezone(zone).date())
            added = await self._asked(conn, self._wanted(report_type, vendor_id, period))
            if added is not None:
                return added, True
            known = await store.lock_report(conn, report_type, vendor_id, period)
            assert known is not None  # the insert found it, and reports are never deleted
            if known.state is ReportState.PENDING and now - known.requested_at < ASK_AGAIN_AFTER:
                return known, False
            return await self._asked_again(conn, known, zone=zone), False

    async def request_due(self, report_type: ReportType, due_at: datetime | None) -> int:
        """Ask for the report of everybody whose day ended in the hour before `due_at`; returns for how many.

        Each gets the day in its own zone, the marketplace in its. One transaction; asked twice, nothing is asked twice.
        Raises `BadReportJob` without a time.
        """
        if due_at is None or due_at.date() <= EARLIEST:
            raise BadReportJob("What is due can be told by the time it was due only.")
        async with transaction(self.pool) as conn:
            scopes: list[tuple[UUID | None, ZoneInfo]] = [(None, self.zone)]
            scopes += [(vendor.id, vendor.zone or self.zone) for vendor in await store.vendors(conn)]
            asked = 0
            for vendor_id, zone in scopes:
                day = day_that_ended(due_at, zone)
                if day is not None:
                    wanted = self._wanted(report_type, vendor_id, Period(day, day, zone), is_due=True)
                    asked += await self._asked(conn, wanted) is not None
            return asked

    async def revise(self) -> int:
        """Have finished reports built again whose days have changed since; returns how many, at most `REVISE_AT_ONCE`.

        Row and `report.requested` are one transaction; several processes share the work.
        """
        now = self.clock()
        async with transaction(self.pool) as conn:
            wrong = await store.revisable(conn, now=now, limit=REVISE_AT_ONCE)
            for report in wrong:
                await self._asked_again(conn, report, zone=report.period.zone)
        return len(wrong)

    async def generate(self, job: GenerateReport, *, attempt: Attempt) -> Report:
        """Build the report a job asks for, and return it with its figures.

        The figures are taken in one snapshot and then replace the old ones together with `report.ready`, in one
        transaction; younger figures are never replaced by older ones. Killed before that, the report is as it was and
        the next attempt builds it; killed after it, the next attempt finds this job's figures there and only answers.
        A cancelled one is not written. Of a period in which nothing happened the report fails, and the job has done
        its work. Raises `UnknownReport`, `BadPeriod` and `BadReportJob`, which no further attempt would mend.
        """
        wanted = await self._wanted_by(job)
        if wanted.state is ReportState.CANCELLED or (wanted.job_id == attempt.job_id and wanted.figures is not None):
            return wanted
        try:
            taken = await self._taken(wanted, attempt)
            attempt.stop_if_cancelled()
        except JobCancelled:  # an operator cancelled the job: nobody need wait for the report
            async with transaction(self.pool) as conn:
                await store.mark_cancelled(conn, wanted)
            raise
        if is_empty(taken.figures) and not wanted.is_due:
            return await self._nothing_to_report(wanted, job_id=attempt.job_id)
        async with transaction(self.pool) as conn:
            locked = await store.lock_report(conn, wanted.type, wanted.vendor_id, wanted.period)
            assert locked is not None  # reports are never deleted
            if locked.state is ReportState.CANCELLED:
                return locked
            answered = await store.replace_figures(
                conn, locked, taken.figures, at=taken.at, counted=taken.changes, job_id=attempt.job_id
            )
            built = await store.find_report(conn, locked.id)
            assert built is not None
            if answered is not None:
                await self.outbox.add(conn, self._ready(built, before=locked))
        return built

    async def find(self, report_id: UUID, *, vendor_id: UUID | None) -> Report:
        """One report; with a vendor, one of its own. Raises `UnknownReport`."""
        async with connection(self.pool) as conn:
            report = await store.find_report(conn, report_id)
        if report is None or (vendor_id is not None and report.vendor_id != vendor_id):
            raise UnknownReport("There is no such report.")
        return report

    async def cancel(self, report_id: UUID, *, vendor_id: UUID | None) -> Report:
        """Take back the asking for a report: it is not built any more, or built and thrown away. Safe to repeat.

        Its job finds nothing to do. Raises `UnknownReport`, and `ReportNotPending` for one that is finished.
        """
        report = await self.find(report_id, vendor_id=vendor_id)
        if report.state not in (ReportState.PENDING, ReportState.CANCELLED):
            raise ReportNotPending(f"The report is {report.state.value}: there is nothing to cancel.")
        async with transaction(self.pool) as conn:
            await store.mark_cancelled(conn, report)
        return await self.find(report_id, vendor_id=vendor_id)

    async def listing(self, *, vendor_id: UUID | None, below: UUID | None, limit: int) -> list[Report]:
        """A page of a vendor's reports, or of everybody's, newest first, without figures."""
        async with connection(self.pool) as conn:
            return await store.list_reports(conn, vendor_id=vendor_id, below=below or store.NEWEST, limit=limit)

    def _wanted(
        self, report_type: ReportType, vendor_id: UUID | None, period: Period, *, is_due: bool = False
    ) -> Report:
        return Report(
            id=new_id(),
            type=report_type,
            vendor_id=vendor_id,
            period=period,
            state=ReportState.PENDING,
            round=1,
            requested_at=self.clock(),
            request_id=new_id(),
            is_due=is_due,
        )

    async def _asked(self, conn: Connection, wanted: Report) -> Report | None:
        """The new row, and that it was asked for; None if there is such a report."""
        added = await store.add_report(conn, wanted)
        if added is not None:
            await self._tell_requested(conn, added)
        return added

    async def _asked_again(self, conn: Connection, known: Report, *, zone: ZoneInfo) -> Report:
        again = await store.ask_again(conn, known, zone=zone, at=self.clock(), request_id=new_id())
        await self._tell_requested(conn, again)
        return again

    async def _tell_requested(self, conn: Connection, report: Report) -> None:
        await self.outbox.add(conn, telling.requested(report), identifier=report.request_id)

    async def _zone_of(self, conn: Connection, vendor_id: UUID | None) -> ZoneInfo:
        """Where a vendor's days begin; the marketplace's zone for it and for vendors that named none."""
        known = [] if vendor_id is None else await store.vendors(conn, vendor_id)
        return known[0].zone or self.zone if known else self.zone

    async def _wanted_by(self, job: GenerateReport) -> Report:
        """The row a job is about; a job that names none has it written first, so that late events find it."""
        if job.report_id is not None:
            return await self.find(job.report_id, vendor_id=None)
        report_type = known_type(job.report_type)
        async with transaction(self.pool) as conn:
            zone = await self._zone_of(conn, job.vendor_id)
            period = _due_period(job, zone, now=self.clock())
            wanted = self._wanted(report_type, job.vendor_id, period, is_due=job.due_at is not None)
            added = await store.add_report(conn, wanted)
            known = added or await store.lock_report(conn, report_type, job.vendor_id, period)
        assert known is not None
        return known

    async def _taken(self, report: Report, attempt: Attempt) -> "Taken":
        """The report's figures as of one moment. What is being counted meanwhile is in them or re-opens the report.

        Raises `JobCancelled` as soon as it is known.
        """

        async def tell(share: float) -> None:
            attempt.progressed(share)
            attempt.stop_if_cancelled()
            async with connection(self.pool) as conn:
                await store.tell_progress(conn, report, share)

        await tell(0.05)
        async with transaction(self.pool) as conn:
            await store.await_recorders(conn)
        async with transaction(self.pool) as conn:
            at = await store.begin_snapshot(conn)
            seen = await store.find_report(conn, report.id)
            assert seen is not None
            return Taken(await figures_of(conn, report, tell), at, seen.changes)

    async def _nothing_to_report(self, report: Report, *, job_id: UUID) -> Report:
        period = report.period
        async with transaction(self.pool) as conn:
            error = f"Nothing happened in the period {period.first} to {period.last}."
            marked = await store.mark_empty(conn, report, error=error, job_id=job_id)
            if marked is not None:
                await self.outbox.add(conn, telling.failed(marked))
            return await self._as_it_is(conn, report)

    @staticmethod
    async def _as_it_is(conn: Connection, report: Report) -> Report:
        found = await store.find_report(conn, report.id)
        assert found is not None  # reports are never deleted
        return found

    def _ready(self, report: Report, *, before: Report) -> events.ReportReady:
        return telling.ready(
            report,
            link=self.links.path_of(report.id, now=self.clock()),
            is_revision=report.revisions > before.revisions,
            is_news=is_news(report, before=before),
        )


@dataclass(frozen=True, slots=True)
class Taken:
    """Figures as of a moment, and how many late changes of the report's days they know."""

    figures: AnyFigures
    at: datetime
    changes: int


Tell = Callable[[float], Awaitable[None]]
"""Hears how far a building is, 0 to 1."""


async def figures_of(conn: Connection, report: Report, tell: Tell) -> AnyFigures:
    """A report's figures, in the snapshot of the caller's transaction."""
    period, vendor_id = report.period, report.vendor_id
    match report.type:
        case "daily_sales":
            sold = await store.sales(conn, period, vendor_id)
            await tell(0.4)
            top = await store.top_products(conn, period, vendor_id, limit=TOP_PRODUCTS)
            await tell(0.7)
            return daily_sales(period, sold, top, await store.sales_by_hour(conn, period, vendor_id))
        case "daily_metrics":
            sold = await store.sales(conn, period, None)
            await tell(0.5)
            return daily_metrics(
                period,
                sold,
                await store.fact_counts(conn, period),
                products=await store.products_told(conn, period) or await store.statuses(conn),
                measures=await store.measures(conn, period),
                is_whole=await store.is_whole(conn, period),
            )
        case "vendor_performance":
            return await _vendor_performance_of(conn, report, tell)
        case "catalog_quality":
            products, without_picture, short = await store.quality(conn, vendor_id)
            await tell(0.5)
            return CatalogQuality(
                products=products,
                without_picture=without_picture,
                short_description=short,
                reasons=reasons_of(await store.fact_counts(conn, period, vendor_id)),
                poor=tuple(await store.poor_products(conn, vendor_id, limit=POOR_PRODUCTS)),
            )


async def _vendor_performance_of(conn: Connection, report: Report, tell: Tell) -> VendorPerformance:
    period, vendor_id = report.period, report.vendor_id
    sold = await store.sales(conn, period, vendor_id)
    await tell(0.3)
    trend = await store.sales(conn, period.trend, vendor_id)
    await tell(0.6)
    vendors = [] if vendor_id else await _all_vendors(conn, period)
    await tell(0.8)
    return vendor_performance(
        period,
        sold=sold,
        trend=trend,
        facts=await store.fact_counts(conn, period, vendor_id),
        median_seconds=await store.median_decision(conn, period, vendor_id),
        low_stock_days=await store.low_stock_days(conn, period, vendor_id),
        vendors=vendors,
    )


async def _all_vendors(conn: Connection, period: Period) -> list[VendorFigures]:
    names = {vendor.id: vendor.name for vendor in await store.vendors(conn)}
    return each_vendor(names, await store.sales_of_vendors(conn, period), await store.facts_of_vendors(conn, period))


def counts_of(report: Report) -> dict[str, int]:
    """What a job that built a report says of it."""
    match report.figures:
        case DailySales(totals=totals):
            return {"orders": totals.orders, "units": totals.units, "cancelled_orders": totals.cancelled_orders}
        case DailyMetrics(sales=sales, activity=activity):
            return {"orders": sales.orders, "units": sales.units, **activity.model_dump()}
        case VendorPerformance(sales=sales, decisions=decisions):
            return {"orders": sales.orders, "units": sales.units, "products_submitted": decisions.submitted}
        case CatalogQuality(products=products):
            return {"products": products}
        case None:
            return {}


def is_empty(figures: AnyFigures) -> bool:
    """Whether there is nothing in a report: nothing sold, nothing done, nothing there."""
    match figures:
        case DailySales(totals=totals):
            return totals.orders == 0
        case DailyMetrics(sales=sales, activity=activity, work=work):
            return sales.orders == 0 and work is None and not any(activity.model_dump().values())
        case VendorPerformance(sales=sales, decisions=decisions):
            return (
                sales.orders + decisions.submitted + decisions.approved + decisions.rejected + figures.stock_outs == 0
            )
        case CatalogQuality(products=products, reasons=reasons):
            return products == 0 and not reasons


def is_news(report: Report, *, before: Report) -> bool:
    """Whether people are told of a report's figures, `before` being what was there.

    Not of empty ones, not of a day whose last hour is not told yet, and of a day that was told only when it is revised;
    who asked for a report hears of it each time.
    """
    assert report.figures is not None
    if is_empty(report.figures) or not is_whole(report.figures):
        return False
    was_told = before.figures is not None and is_whole(before.figures)
    return not (report.is_due and was_told) or report.revisions > before.revisions


def is_whole(figures: AnyFigures) -> bool:
    """Whether all services that measure have told of all of the period."""
    return not isinstance(figures, DailyMetrics) or figures.work is None or figures.work.is_whole


def checked_period(first: date, last: date, zone: ZoneInfo, *, today: date) -> Period:
    """The period somebody asks for. Raises `BadPeriod` for one turned around, too long, too early or not begun."""
    wrong: list[FieldError] = []
    for pointer, day in (("/period/from", first), ("/period/to", last)):
        if day < EARLIEST:
            wrong.append(FieldError(pointer, "too_early", f"must not be before {EARLIEST}"))
    if first > last:
        wrong.append(FieldError("/period/from", "after_to", "must not be later than `to`"))
    if last > today:
        wrong.append(FieldError("/period/to", "in_future", f"must not be later than today, {today}"))
    if first > today:
        wrong.append(FieldError("/period/from", "in_future", f"must not be later than today, {today}"))
    if (last - first).days >= LONGEST_PERIOD_DAYS:
        wrong.append(FieldError("/period", "too_long", f"at most {LONGEST_PERIOD_DAYS} days"))
    if wrong:
        raise BadPeriod("The period does not fit; see errors.", errors=wrong)
    return Period(first, last, zone)


def day_that_ended(at: datetime, zone: ZoneInfo) -> date | None:
    """The day of a zone that ended in the hour before a moment; None if none did."""
    before, now = (at - timedelta(hours=1)).astimezone(zone).date(), at.astimezone(zone).date()
    return before if before < now else None


def _due_period(job: GenerateReport, zone: ZoneInfo, *, now: datetime) -> Period:
    """The days a job names, or the day before the one on which it was due. Raises `BadPeriod`, `BadReportJob`."""
    today = now.astimezone(zone).date()
    if job.period_from is not None and job.period_to is not None:
        return checked_period(job.period_from, job.period_to, zone, today=today)
    if job.due_at is None or job.due_at.date() <= EARLIEST:
        raise BadReportJob("A job without report needs a period, or the time it was due.")
    day = job.due_at.astimezone(zone).date() - timedelta(days=1)
    return checked_period(day, day, zone, today=today)


def known_type(name: str) -> ReportType:
    """A report's type by its name. Raises `BadReportJob`."""
    match name:
        case "daily_sales" | "daily_metrics" | "vendor_performance" | "catalog_quality":
            return name
        case _:
            raise BadReportJob(f"There is no report {name!r}; there are {', '.join(sorted(REPORT_TYPES))}.")
