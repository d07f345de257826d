"""Reports: asked for, watched while they are built, opened. A vendor's own, and the marketplace's for admins.

Reporting draws them (`/api/…/reports/{id}/file`); here is who asked for which, and how far it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from aiohttp import web
from pydantic import Field
from yarl import URL

from services.catalog.answers import uuid_in_path
from services.catalog.asking import ask
from services.catalog.monitoring.models import Heard
from services.catalog.pages.forms import Form, read_form
from services.catalog.pages.view import View, done
from services.catalog.pages.wording import money_minor
from services.catalog.proxy import Upstream
from services.catalog.vendors.usecases import Vendors
from shared.clock import Clock
from shared.contracts.base import Money
from shared.errors import Conflict, InvalidInput
from shared.ids import TOP
from shared.web.identity import IDENTITY, Role

A_PAGE: Final = 24
MAX_VENDORS: Final = 200
"""Offered by name; reports about others are asked for by the API."""
TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "daily_sales": ("Sales", "Orders, pieces and amounts, by day and hour, and what sold best."),
    "vendor_performance": ("Performance", "Sales over thirty days, decisions, low stock and cancelled orders."),
    "catalog_quality": ("Catalogue quality", "Products without pictures, with short texts, or turned down."),
    "daily_metrics": ("The marketplace's day", "Products, decisions, stock and work of the whole installation."),
}
SALES: Final = "daily_sales"
ONLY_ADMINS: Final = "daily_metrics"
STATE_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "pending": ("Being built", "info"),
    "ready": ("Ready", "good"),
    "failed": ("Failed", "bad"),
    "cancelled": ("Cancelled", "quiet"),
}
PERIODS: Final[Mapping[str, tuple[str, int]]] = {
    "yesterday": ("Yesterday", 1),
    "week": ("The last 7 days", 7),
    "month": ("The last 30 days", 30),
}


class PeriodHeard(Heard):
    """Days, both inclusive."""

    first: date = Field(alias="from")
    last: date = Field(alias="to")


class ReportHeard(Heard):
    """A report without its figures."""

    id: UUID
    type: str
    vendor_id: UUID | None
    vendor_name: str
    period: PeriodHeard
    state: str
    progress: float | None = None
    requested_at: datetime
    ready_at: datetime | None
    error: str | None
    is_revised: bool
    formats: tuple[str, ...] = ("html", "csv", "xlsx")

    @property
    def name(self) -> str:
        """What it is called."""
        return TYPES[self.type][0] if self.type in TYPES else self.type.replace("_", " ").capitalize()

    @property
    def about(self) -> str:
        """Whose it is; reporting hears of a new vendor's name a moment after the vendor is there."""
        return (self.vendor_name or "a vendor") if self.vendor_id else "the marketplace"

    @property
    def days(self) -> str:
        """Its period in words."""
        first, last = self.period.first, self.period.last
        until = f"{last.day} {last:%b %Y}"
        if first == last:
            return until
        began = f"{first.day} {first:%b}" if first.year == last.year else f"{first.day} {first:%b %Y}"
        return f"{began} to {until}"


class SalesHeard(Heard):
    """What was sold, in a day or a period."""

    orders: int
    units: int
    net: tuple[Money, ...]

    def in_currency(self, currency: str) -> int:
        """The net amount in one currency, in minor units."""
        return sum(money.amount_minor for money in self.net if money.currency == currency)


class DayHeard(SalesHeard):
    """One day's."""

    day: date


class TopHeard(Heard):
    """A product that sold."""

    title: str
    units: int
    net: tuple[Money, ...]


class DailySalesHeard(Heard):
    """The figures of a `daily_sales`."""

    totals: SalesHeard
    days: tuple[DayHeard, ...]
    top_products: tuple[TopHeard, ...]

    @property
    def currency(self) -> str:
        """The one that most of it was sold in, which is drawn."""
        return max(self.totals.net, key=lambda money: money.amount_minor).currency if self.totals.net else ""

    @property
    def bars(self) -> list[tuple[str, int, str]]:
        """Each day's net amount: label, value, and what is said of it."""
        amounts = ((one.day, one.in_currency(self.currency)) for one in self.days)
        return [
            (f"{day.day} {day:%b}", max(0, amount), f"{day.day} {day:%B}: {money_minor(amount, self.currency)}")
            for day, amount in amounts
        ]


class SalesReportHeard(Heard):
    """`GET /api/…/reports/{id}` of a `daily_sales`."""

    figures: DailySalesHeard | None


class ReportsHeard(Heard):
    """`GET /api/…/reports`."""

    items: tuple[ReportHeard, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPages:
    """`/vendor/reports` and `/admin/reports`, from one template."""

    view: View
    reporting: Upstream
    vendors: Vendors
    clock: Clock
    zone: ZoneInfo

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.get("/reports/{id}", self.lead),
            *(
                route
                for at in ("/vendor/reports", "/admin/reports")
                for route in (
                    web.get(at, self.list_reports),
                    web.post(at, self.order),
                    web.get(f"{at}/{{id}}", self.show),
                    web.post(f"{at}/{{id}}/cancel", self.cancel),
                )
            ),
        ]

    async def lead(self, request: web.Request) -> web.StreamResponse:
        """To the reader's own page of a report: notifications know no roles."""
        return web.Response(status=303, headers={"Location": f"{_area(request)}/reports/{uuid_in_path(request)}"})

    async def list_reports(self, request: web.Request) -> web.Response:
        """What was asked for, newest first, and the form to ask."""
        return await self._page(request, Form({"type": "daily_sales"}))

    async def order(self, request: web.Request) -> web.StreamResponse:
        """Ask for one: one that is there or on its way is answered, not made twice."""
        form = Form(await read_form(request))
        wanted: dict[str, object] = {
            "type": form.values.get("type", ""),
            "period": chosen_days(form.values, yesterday=await self._yesterday(request)),
        }
        if vendor_id := form.values.get("vendor_id", ""):
            wanted["vendor_id"] = vendor_id
        try:
            report = await ask(request, self.reporting, ReportHeard, f"/api{request.path}", method="POST", body=wanted)
        except (InvalidInput, Conflict) as exc:
            return await self._page(request, _beside_fields(form.refused(exc)), status=422)
        return done(f"{request.path}/{report.id}", "Asked for." if report.state == "pending" else "Here it is.")

    async def show(self, request: web.Request) -> web.Response:
        """One report: how far it is, and where to open it."""
        report = await ask(request, self.reporting, ReportHeard, f"/api{_at(request)}/{uuid_in_path(request)}")
        return await self.view.page(
            request,
            "report.html.jinja",
            report=report,
            sales=await self._sales(request, report),
            at=_at(request),
            state_words=STATE_WORDS,
        )

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        """Wait for it no more."""
        here = f"{_at(request)}/{uuid_in_path(request)}"
        try:
            await ask(request, self.reporting, ReportHeard, f"/api{here}/cancel", method="POST", body={})
        except Conflict as exc:
            return done(here, exc.detail, tone="warn")
        return done(here, "Nobody waits for it any more.")

    async def _sales(self, request: web.Request, report: ReportHeard | None) -> DailySalesHeard | None:
        """The figures of a report of sales, to be drawn beside it; None for others and for one without any."""
        if report is None or report.type != SALES or report.ready_at is None:
            return None
        path = f"/api{_at(request)}/{report.id}"
        figures = (await ask(request, self.reporting, SalesReportHeard, path)).figures
        return figures if figures is not None and figures.currency else None

    async def _page(self, request: web.Request, form: Form, *, status: int = 200) -> web.Response:
        cursor = request.query.get("cursor", "")
        query = {"limit": str(A_PAGE), **({"cursor": cursor} if cursor else {})}
        page = await ask(request, self.reporting, ReportsHeard, URL(f"/api{_at(request)}").with_query(query))
        is_admin = request[IDENTITY].role is Role.ADMIN
        names = await self._vendor_names() if is_admin else {}
        drawn = None if cursor else next(filter(_is_over_days, page.items), None)
        return await self.view.page(
            request,
            "reports.html.jinja",
            http_status=status,
            reports=page.items,
            drawn=drawn,
            sales=await self._sales(request, drawn),
            next=f"{request.path}?cursor={page.next}" if page.next else "",
            first=request.path if cursor else "",
            at=_at(request),
            form=form,
            types={name: said for name, said in TYPES.items() if is_admin or name != ONLY_ADMINS},
            periods=PERIODS,
            vendor_names=names,
            is_admin=is_admin,
            yesterday=await self._yesterday(request),
            state_words=STATE_WORDS,
        )

    async def _vendor_names(self) -> dict[str, str]:
        found = await self.vendors.newest(below=TOP, limit=MAX_VENDORS, status=None)
        return {str(vendor.id): vendor.name for vendor in sorted(found, key=lambda one: one.name.casefold())}

    async def _yesterday(self, request: web.Request) -> date:
        """The day before today where the reader is: reports' days are the vendor's own, else the marketplace's."""
        vendor_id = request[IDENTITY].vendor_id
        own = None if vendor_id is None else (await self.vendors.read(vendor_id)).time_zone
        zone = self.zone if own is None else ZoneInfo(own)
        return self.clock().astimezone(zone).date() - timedelta(days=1)


def chosen_days(values: Mapping[str, str], *, yesterday: date) -> dict[str, str]:
    """The days that were chosen by name, else those that were typed; reporting says what is wrong with them."""
    if (chosen := values.get("days", "")) in PERIODS:
        first = yesterday - timedelta(days=PERIODS[chosen][1] - 1)
        return {"from": first.isoformat(), "to": yesterday.isoformat()}
    return {"from": values.get("from", "").strip(), "to": values.get("to", "").strip()}


def _beside_fields(form: Form) -> Form:
    """What is wrong with the period, by the names of the form's fields."""
    errors = (replace(error, pointer=error.pointer.removeprefix("/period")) for error in form.errors)
    return Form(form.values, tuple(errors))


def _is_over_days(report: ReportHeard) -> bool:
    """Whether it is one of sales that makes a chart of days."""
    return report.type == SALES and report.ready_at is not None and report.period.first < report.period.last


def _area(request: web.Request) -> str:
    return "/vendor" if request[IDENTITY].role is Role.VENDOR else "/admin"


def _at(request: web.Request) -> str:
    return f"{_area(request)}/reports"
