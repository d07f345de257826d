"""Reporting's HTTP edge, called by the gateway. Vendors have their own reports, admins and ops read everybody's."""

from typing import Final, assert_never
from uuid import UUID

import orjson
from aiohttp import web

from services.reporting.errors import ReportNotReady, UnknownReport
from services.reporting.files import Pages, csv_of, xlsx_of
from services.reporting.layout import document_of
from services.reporting.links import PREFIX as LINKS
from services.reporting.models import Report, ReportType
from services.reporting.pdf import Pdfs
from services.reporting.schemas import (
    AdminReportBody,
    FileFormat,
    FileQuery,
    PeriodBody,
    ReportItem,
    VendorReportBody,
)
from services.reporting.usecases import Reports
from shared.errors import Forbidden
from shared.web.bodies import read_body, read_query
from shared.web.cursors import Cursors
from shared.web.identity import Role, identity_middleware, require
from shared.web.paging import CURSORS, PageQuery, cursor_behind, id_in, link_to
from shared.web.server import new_app

REPORTS: Final = web.AppKey("reports", Reports)
PDFS: Final = web.AppKey("pdfs", Pdfs)
PAGES: Final = web.AppKey("pages", Pages)
VENDOR_REPORTS: Final = "/api/vendor/reports"
ADMIN_REPORTS: Final = "/api/admin/reports"
PDF: Final = "application/pdf"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_PAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def new_api(reports: Reports, pages: Pages, pdfs: Pdfs, *, key: str) -> web.Application:
    """The application that `serving` serves."""
    app = new_app(middlewares=[identity_middleware(service="reporting", key=key)])
    app[CURSORS] = Cursors(key.encode())
    app[REPORTS] = reports
    app[PAGES] = pages
    app[PDFS] = pdfs
    app.router.add_post(VENDOR_REPORTS, request_own)
    app.router.add_post(ADMIN_REPORTS, request_any)
    for path in (VENDOR_REPORTS, ADMIN_REPORTS):
        app.router.add_get(path, list_reports)
        app.router.add_get(f"{path}/{{id}}", show_report)
        app.router.add_get(f"{path}/{{id}}/file", show_file)
        app.router.add_post(f"{path}/{{id}}/cancel", cancel_report)
    app.router.add_get(f"{LINKS}/{{id}}/{{token}}", show_linked)
    return app


async def request_own(request: web.Request) -> web.Response:
    """A vendor asks for a report about itself: 201 with the new row, or 200 with the one that is there."""
    vendor_id = _scope(request)
    body = await read_body(request, VendorReportBody)
    return await _request(request, body.type, vendor_id, body.period)


async def request_any(request: web.Request) -> web.Response:
    """An admin asks for a report about the marketplace or a vendor; answers like `request_own`."""
    require(request, Role.ADMIN)
    body = await read_body(request, AdminReportBody)
    return await _request(request, body.type, body.vendor_id, body.period)


async def list_reports(request: web.Request) -> web.Response:
    """A page of reports, newest first."""
    vendor_id = _scope(request)
    query = read_query(request, PageQuery)
    found = await request.app[REPORTS].listing(vendor_id=vendor_id, below=id_in(request, query), limit=query.limit + 1)
    page = found[: query.limit]
    following = cursor_behind(request, query, str(page[-1].id)) if len(found) > query.limit else None
    items = [ReportItem.of(report).model_dump(mode="json", exclude={"figures"}) for report in page]
    return _json({"items": items, "next": following}, headers=link_to(request, following))


async def show_report(request: web.Request) -> web.Response:
    """One report with its figures."""
    report = await _found(request)
    return _json(ReportItem.of(report).model_dump(mode="json"))


async def cancel_report(request: web.Request) -> web.Response:
    """Nobody waits for a report any more: who may ask for one may take that back."""
    vendor_id = _scope(request)
    if vendor_id is None:
        require(request, Role.ADMIN)
    report = await request.app[REPORTS].cancel(_id(request), vendor_id=vendor_id)
    return _json(ReportItem.of(report).model_dump(mode="json"))


async def show_file(request: web.Request) -> web.Response:
    """One report as a file. While newer figures are pending, the ones that are there."""
    report = await _found(request)
    return await _file(request, report, read_query(request, FileQuery).format)


async def show_linked(request: web.Request) -> web.Response:
    """One report's page, for whoever has its link: no sign-in."""
    reports = request.app[REPORTS]
    report_id = _id(request)
    reports.links.check(report_id, request.match_info["token"], now=reports.clock())
    return await _file(request, await reports.find(report_id, vendor_id=None), "html")


def _page(request: web.Request, report: Report) -> bytes:
    assert report.figures_at is not None
    shown_at = report.figures_at.astimezone(report.period.zone).strftime("%Y-%m-%d %H:%M %Z")
    return request.app[PAGES].html_of(document_of(report), figures_at=shown_at)


async def _file(request: web.Request, report: Report, form: FileFormat) -> web.Response:
    if report.figures is None or report.figures_at is None:
        raise ReportNotReady(f"The report is {report.state.value}; it has no figures yet.")
    document = document_of(report)
    match form:
        case "csv":
            body, kind, disposition = csv_of(document), "text/csv; charset=utf-8; header=present", "attachment"
        case "xlsx":
            body, kind, disposition = xlsx_of(document), XLSX, "attachment"
        case "html":
            body, kind, disposition = _page(request, report), "text/html; charset=utf-8", "inline"
        case "pdf":
            body = await request.app[PDFS].of((report.id, report.figures_at), _page(request, report))
            kind, disposition = PDF, "attachment"
        case _:
            assert_never(form)
    return web.Response(
        body=body,
        headers={
            "Content-Type": kind,
            "Content-Disposition": f'{disposition}; filename="{document.stem}.{form}"',
            "Content-Security-Policy": _PAGE_POLICY,
            "Cache-Control": "private, no-cache",
            "Referrer-Policy": "no-referrer",  # a link's address is its key
        },
    )


async def _request(
    request: web.Request, report_type: ReportType, vendor_id: UUID | None, period: PeriodBody
) -> web.Response:
    report, is_new = await request.app[REPORTS].request(report_type, vendor_id, period.first, period.last)
    return _json(
        ReportItem.of(report).model_dump(mode="json"),
        status=201 if is_new else 200,
        headers={"Location": f"{request.path}/{report.id}"},
    )


async def _found(request: web.Request) -> Report:
    vendor_id = _scope(request)
    return await request.app[REPORTS].find(_id(request), vendor_id=vendor_id)


def _id(request: web.Request) -> UUID:
    try:
        return UUID(request.match_info["id"])
    except ValueError as exc:
        raise UnknownReport("There is no such report.") from exc


def _scope(request: web.Request) -> UUID | None:
    """Whose reports the caller may see: its own vendor's, or (null) everybody's. Raises `Forbidden`."""
    if not request.path.startswith(VENDOR_REPORTS):
        require(request, Role.ADMIN, Role.OPS)
        return None
    vendor_id = require(request, Role.VENDOR).vendor_id
    if vendor_id is None:
        raise Forbidden("This account belongs to no vendor.")
    return vendor_id


def _json(body: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(body), headers={"Content-Type": "application/json", **(headers or {})}
    )
