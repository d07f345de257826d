"""What reporting's addresses promise."""

from typing import Final

from pydantic import BaseModel

from services.reporting.routes import ADMIN_REPORTS, PDF, VENDOR_REPORTS, XLSX
from services.reporting.schemas import (
    AdminReportBody,
    FileQuery,
    ReportInList,
    ReportItem,
    VendorReportBody,
)
from shared.web.operations import Answer, Group, Operation, Page
from shared.web.paging import PageQuery


def _reports(at: str, who: str, body: type[BaseModel]) -> tuple[Operation, ...]:
    """The same for vendors, about themselves, and for admins, about anybody."""
    return (
        Operation(
            route=f"GET {at}",
            id=f"list{who}Reports",
            summary="List reports",
            query=PageQuery,
            answers={200: Answer(Page[ReportInList], "A page of reports, newest first.")},
        ),
        Operation(
            route=f"POST {at}",
            id=f"request{who}Report",
            summary="Ask for a report",
            description="There is one per type, scope and period, so no `Idempotency-Key` is needed: asked again, "
            "it is made anew.",
            body=body,
            answers={
                201: Answer(ReportItem, "The report; its job follows.", headers=("Location",)),
                200: Answer(ReportItem, "It is there already.", headers=("Location",)),
            },
        ),
        Operation(
            route=f"GET {at}/{{id}}",
            id=f"read{who}Report",
            summary="Read a report with its figures",
            answers={200: Answer(ReportItem, "The report.")},
        ),
        Operation(
            route=f"POST {at}/{{id}}/cancel",
            id=f"cancel{who}Report",
            summary="Cancel a report that is being made",
            description="What has figures of an earlier time goes on showing them.",
            answers={200: Answer(ReportItem, "The report; `cancelled`, or `ready` with the figures it had.")},
            errors=(409,),
        ),
        Operation(
            route=f"GET {at}/{{id}}/file",
            id=f"read{who}ReportFile",
            summary="Read a report as a file",
            query=FileQuery,
            answers={200: Answer(str, "The file.", media_types=("text/html", "text/csv", XLSX, PDF))},
            errors=(409, 503),
        ),
    )


REPORTS: Final = Group(
    "Reports",
    "Figures of days that are over, in the vendor's own time zone.",
    (*_reports(VENDOR_REPORTS, "Own", VendorReportBody), *_reports(ADMIN_REPORTS, "Any", AdminReportBody)),
)
