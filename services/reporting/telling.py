"""What reporting tells the others of its reports."""

from typing import Final

from services.reporting.layout import document_of
from services.reporting.models import Report
from shared.contracts.events import ReportFailed, ReportFigure, ReportReady, ReportRequested

MOST_CHARS: Final = 500


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
        report_id=report.id,
        report_type=report.type,
        vendor_id=report.vendor_id,
        error=(report.error or "")[:MOST_CHARS],
    )


def ready(report: Report, *, link: str, is_revision: bool, is_news: bool) -> ReportReady:
    """That it can be opened; where it is news in words, too: key figures, what to look at, what each chart shows."""
    document = document_of(report)
    charts = [chart for chart in document.charts if not chart.is_empty]
    return ReportReady(
        report_id=report.id,
        report_type=report.type,
        vendor_id=report.vendor_id,
        revised=is_revision,
        is_due=report.is_due,
        period_from=report.period.first,
        period_to=report.period.last,
        link=link,
        summary=tuple(
            ReportFigure(label=figure.label, value=figure.value, note=figure.note)
            for figure in document.key_figures
            if is_news
        ),
        notes=tuple(note[:MOST_CHARS] for note in document.notes if is_news),
        charts=tuple(
            ReportFigure(label=chart.title, value=chart.description[:MOST_CHARS]) for chart in charts if is_news
        ),
    )
