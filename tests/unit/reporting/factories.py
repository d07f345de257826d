"""Figures and reports for tests."""

from datetime import UTC, date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from services.reporting.models import AnyFigures, Period, Report, ReportState, ReportType

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)


def make_report(
    figures: AnyFigures, *, first: date = date(2026, 3, 1), last: date = date(2026, 3, 2), vendor_id: UUID | None = None
) -> Report:
    """A ready report."""
    kind: ReportType = figures.type
    return Report(
        id=UUID(int=1),
        type=kind,
        vendor_id=vendor_id,
        period=Period(first, last, ZoneInfo("UTC")),
        state=ReportState.READY,
        round=1,
        requested_at=NOON,
        figures=figures,
        figures_at=NOON,
    )
