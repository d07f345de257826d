"""What reporting tells the others of its reports."""

from services.reporting.models import Report
from shared.contracts.events import ReportFailed, ReportRequested


def requested(report: Report) -> ReportRequested:
    """That somebody wants it: its job follows."""
    return ReportRequested(
        report_id=report.id,
        report_type=report.type,
        period_from=report.period.first,
        period_to=report.period.last,
        round=report.round,
        vendor_id=report.vendor_id,
    )


def failed(report: Report) -> ReportFailed:
    """That it will not come, for who looks at it."""
    return ReportFailed(
        report_id=report.id, report_type=report.type, vendor_id=report.vendor_id, error=(report.error or "")[:500]
    )
