"""What reporting does: it counts events, takes requests for reports, and builds them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, get_args
from uuid import UUID
from zoneinfo import ZoneInfo

from services.reporting import store
from services.reporting.errors import BadPeriod, BadReportJob, UnknownReport
from services.reporting.figures import daily_metrics, daily_sales
from services.reporting.models import (
    AnyFigures,
    DailyMetrics,
    DailySales,
    Fact,
    FactKind,
    Period,
    Report,
    ReportState,
    ReportType,
    SoldLine,
)
from shared.clock import Clock
from shared.contracts import events
from shared.contracts.jobs import GenerateReport
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import Connection, Pool, connection, transaction
from shared.errors import FieldError
from shared.ids import new_id
from shared.messaging.reader import Received

LONGEST_PERIOD_DAYS: Final = 366
TOP_PRODUCTS: Final = 10
ASK_AGAIN_AFTER: Final = timedelta(minutes=10)
"""A pending report that nobody built in twice its job's time limit is asked for once more (protocol.md 4)."""
REPORT_TYPES: Final[frozenset[str]] = frozenset(get_args(ReportType))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """Turns events into reporting's own facts."""

    pool: Pool
    inbox: Inbox

    async def record(self, received: Sequence[Received]) -> None:
        """Count what has arrived, in one transaction. The same events in any order and number give the same facts.

        A crash before the commit leaves nothing and the events come again; after it, they come again and are known.
        """
        async with transaction(self.pool) as conn:
            unique = {each.envelope.id: each for each in received}  # an event may come twice in one batch
            fresh = await self.inbox.first_of(conn, list(unique))
            for event_id, each in unique.items():
                if event_id in fresh:
                    await self._count(conn, each)

    async def _count(self, conn: Connection, received: Received) -> None:
        event, envelope = received.event, received.envelope
        match event:
            case events.OrderPlaced():
                await store.add_lines(conn, _lines(event))
            case events.OrderCancelled():
                await store.add_lines(conn, _lines(event))
                await store.add_cancellation(conn, event.order_id, event.cancelled_at)
            case (
                events.ProductSubmitted(is_change=True)
                | events.ProductApproved(is_change=True)
                | events.ProductRejected(is_change=True)
            ):
                pass  # products are counted, not what is changed of them
            case events.ProductSubmitted() | events.ProductApproved() | events.ProductRejected() | events.StockLow():
                kind = FactKind(event.type)
                await store.add_facts(conn, [Fact(envelope.id, kind, envelope.time, event.vendor_id, event.product_id)])
            case events.JobFailed():
                fact = Fact(
                    envelope.id, FactKind.JOB_FAILED, envelope.time, event.vendor_id, event.job_id, event.job_type
                )
                await store.add_facts(conn, [fact])
                await self._report_failed(conn, event)
            case _:
                pass  # the queue is bound to whole families; not every member is counted

    async def _report_failed(self, conn: Connection, event: events.JobFailed) -> None:
        if event.job_type != GenerateReport.type or event.cause_id is None:
            return
        try:
            report_id = UUID(event.target)
        except ValueError:  # the target of a scheduled one is the schedule's entry
            return
        error = f"{event.error_class}: {event.error_message}"
        await store.mark_failed(conn, report_id, request_id=event.cause_id, error=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """The reports: asking for them, building them, reading them. `zone` is where days begin and end."""

    pool: Pool
    outbox: Outbox
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
        period = self._checked(first, last)
        now = self.clock()
        wanted = Report(
            id=new_id(),
            type=report_type,
            vendor_id=vendor_id,
            period=period,
            state=ReportState.PENDING,
            round=1,
            requested_at=now,
            request_id=new_id(),
        )
        async with transaction(self.pool) as conn:
            added = await store.add_report(conn, wanted)
            if added is not None:
                await self._tell_requested(conn, added)
                return added, True
            known = await store.lock_report(conn, report_type, vendor_id, period)
            assert known is not None  # the insert found it, and reports are never deleted
            if known.state is ReportState.PENDING and now - known.requested_at < ASK_AGAIN_AFTER:
                return known, False
            again = await store.ask_again(conn, known, zone=self.zone, at=now, request_id=new_id())
            await self._tell_requested(conn, again)
            return again, False

    async def generate(
        self, job: GenerateReport, *, job_id: UUID, before_writing: Callable[[], None] = lambda: None
    ) -> Report:
        """Build the report a job asks for, and return it with its figures.

        The figures are taken in one snapshot and then replace the old ones together with `report.ready`, in one
        transaction; younger figures are never replaced by older ones. Killed before that, the report is as it was and
        the next attempt builds it; killed after it, the next attempt finds this job's figures there and only answers.
        `before_writing` is called when the figures are taken and nothing is written; what it raises ends it there.
        Raises `UnknownReport` and `BadReportJob`, which no further attempt would mend.
        """
        wanted = await self._wanted(job)
        if wanted.job_id == job_id and wanted.figures is not None:
            return wanted
        figures, at = await self._taken(wanted)
        before_writing()
        async with transaction(self.pool) as conn:
            report = wanted
            if wanted.id == job.report_id or await store.add_report(conn, wanted) is None:
                locked = await store.lock_report(conn, wanted.type, wanted.vendor_id, wanted.period)
                assert locked is not None
                report = locked
            if await store.replace_figures(conn, report, figures, at=at, job_id=job_id) is not None:
                await self.outbox.add(
                    conn,
                    events.ReportReady(
                        report_id=report.id,
                        report_type=report.type,
                        vendor_id=report.vendor_id,
                        revised=report.figures is not None,
                    ),
                )
            built = await store.find_report(conn, report.id)
        assert built is not None
        return built

    async def find(self, report_id: UUID, *, vendor_id: UUID | None) -> Report:
        """One report; with a vendor, one of its own. Raises `UnknownReport`."""
        async with connection(self.pool) as conn:
            report = await store.find_report(conn, report_id)
        if report is None or (vendor_id is not None and report.vendor_id != vendor_id):
            raise UnknownReport("There is no such report.")
        return report

    async def listing(self, *, vendor_id: UUID | None, below: UUID | None, limit: int) -> list[Report]:
        """A page of a vendor's reports, or of everybody's, newest first, without figures."""
        async with connection(self.pool) as conn:
            return await store.list_reports(conn, vendor_id=vendor_id, below=below or store.NEWEST, limit=limit)

    def _checked(self, first: date, last: date) -> Period:
        today = self.clock().astimezone(self.zone).date()
        wrong: list[FieldError] = []
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
        return Period(first, last, self.zone)

    async def _tell_requested(self, conn: Connection, report: Report) -> None:
        requested = events.ReportRequested(
            report_id=report.id,
            report_type=report.type,
            period_from=report.period.first,
            period_to=report.period.last,
            round=report.round,
            vendor_id=report.vendor_id,
        )
        await self.outbox.add(conn, requested, identifier=report.request_id)

    async def _wanted(self, job: GenerateReport) -> Report:
        """The row a job is about; for a job of the schedule it may still have to be written."""
        if job.report_id is not None:
            return await self.find(job.report_id, vendor_id=None)
        report_type = _known_type(job.report_type)
        period = self._due_period(job)
        async with transaction(self.pool) as conn:
            known = await store.lock_report(conn, report_type, job.vendor_id, period)
        return known or Report(
            id=new_id(),
            type=report_type,
            vendor_id=job.vendor_id,
            period=period,
            state=ReportState.PENDING,
            round=1,
            requested_at=self.clock(),
        )

    def _due_period(self, job: GenerateReport) -> Period:
        """The days a job names, or the day before the one on which it was due."""
        if job.period_from is not None and job.period_to is not None:
            return Period(job.period_from, job.period_to, self.zone)
        if job.due_at is None:
            raise BadReportJob("A job without report needs a period, or the time it was due.")
        return _day_before(job.due_at, self.zone)

    async def _taken(self, report: Report) -> tuple[AnyFigures, datetime]:
        """The report's figures as of one moment, and that moment."""
        period, vendor_id = report.period, report.vendor_id
        async with transaction(self.pool) as conn:
            at = await store.begin_snapshot(conn)
            sold = await store.sales(conn, period, vendor_id)
            match report.type:
                case "daily_sales":
                    top = await store.top_products(conn, period, vendor_id, limit=TOP_PRODUCTS)
                    return daily_sales(period, sold, top), at
                case "daily_metrics":
                    return daily_metrics(period, sold, await store.fact_counts(conn, period)), at


def counts_of(report: Report) -> dict[str, int]:
    """What a job that built a report says of it."""
    match report.figures:
        case DailySales(totals=totals):
            return {"orders": totals.orders, "units": totals.units, "cancelled_orders": totals.cancelled_orders}
        case DailyMetrics(sales=sales, activity=activity):
            return {"orders": sales.orders, "units": sales.units, **activity.model_dump()}
        case None:
            return {}


def _day_before(at: datetime, zone: ZoneInfo) -> Period:
    day = at.astimezone(zone).date() - timedelta(days=1)
    return Period(day, day, zone)


def _known_type(name: str) -> ReportType:
    match name:
        case "daily_sales" | "daily_metrics":
            return name
        case _:
            raise BadReportJob(f"There is no report {name!r}; there are {', '.join(sorted(REPORT_TYPES))}.")


def _lines(event: events.OrderPlaced | events.OrderCancelled) -> list[SoldLine]:
    return [
        SoldLine(
            order_id=event.order_id,
            line=number,
            vendor_id=line.vendor_id,
            product_id=line.product_id,
            title=line.title,
            quantity=line.quantity,
            unit_minor=line.unit_price.amount_minor,
            currency=line.unit_price.currency,
            placed_at=event.placed_at,
        )
        for number, line in enumerate(event.lines, start=1)
    ]
