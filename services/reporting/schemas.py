"""The bodies of reporting's HTTP API."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.reporting.models import AnyFigures, Report, ReportState, ReportType, VendorReportType
from services.reporting.pdf import is_installed
from shared.web.bodies import Body, Query

FileFormat = Literal["csv", "html", "pdf", "xlsx"]


class PeriodBody(Body):
    """Days, both inclusive."""

    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]


class VendorReportBody(Body):
    """A vendor asks for a report about itself."""

    type: VendorReportType
    period: PeriodBody


class AdminReportBody(Body):
    """An admin asks for a report about the marketplace, or about one vendor."""

    type: ReportType
    period: PeriodBody
    vendor_id: UUID | None = None


class FileQuery(Query):
    """In which form."""

    format: FileFormat = "html"


class PeriodItem(BaseModel):
    """Days, both inclusive."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]


class ReportInList(BaseModel):
    """A report without its figures. `formats` are those that its file can be had in here, once it has figures."""

    id: UUID
    type: ReportType
    vendor_id: UUID | None
    period: PeriodItem
    time_zone: str
    state: ReportState
    round: int
    requested_at: datetime
    ready_at: datetime | None
    error: str | None
    is_due: bool
    is_revised: bool
    vendor_name: str
    progress: float | None
    formats: tuple[FileFormat, ...]


class ReportItem(ReportInList):
    """A report. `figures` are there once it was ready for the first time."""

    figures: AnyFigures | None

    @classmethod
    def of(cls, report: Report) -> "ReportItem":
        """The item of a row."""
        return cls(
            id=report.id,
            type=report.type,
            vendor_id=report.vendor_id,
            period=PeriodItem(first=report.period.first, last=report.period.last),
            time_zone=report.period.zone.key,
            state=report.state,
            round=report.round,
            requested_at=report.requested_at,
            ready_at=report.figures_at,
            error=report.error,
            is_due=report.is_due,
            is_revised=report.is_revised,
            vendor_name=report.vendor_name,
            progress=report.progress,
            formats=("html", "csv", "xlsx", "pdf") if is_installed() else ("html", "csv", "xlsx"),
            figures=report.figures,
        )
