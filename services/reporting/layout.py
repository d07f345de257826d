"""A report's document: what its readers see, whatever the form. Pure."""

from typing import assert_never

from services.reporting.document import Document, days_read
from services.reporting.layouts.metrics import metrics_charts, metrics_key_figures, metrics_notes, metrics_tables
from services.reporting.layouts.performance import (
    performance_charts,
    performance_key_figures,
    performance_notes,
    performance_tables,
)
from services.reporting.layouts.quality import quality_charts, quality_key_figures, quality_notes, quality_tables
from services.reporting.layouts.sales import daily_sales_charts, daily_sales_tables, sales_key_figures, sales_notes
from services.reporting.models import CatalogQuality, DailyMetrics, DailySales, Report, VendorPerformance

TITLES = {
    "daily_sales": "Daily sales",
    "daily_metrics": "Daily metrics",
    "vendor_performance": "Vendor performance",
    "catalog_quality": "Catalogue quality",
}


def document_of(report: Report) -> Document:
    """The document of a report that has figures."""
    match report.figures:
        case DailySales() as figures:
            parts = (
                sales_key_figures(figures.totals),
                daily_sales_charts(figures),
                daily_sales_tables(figures),
                sales_notes(figures),
            )
        case DailyMetrics() as figures:
            parts = (
                metrics_key_figures(figures),
                metrics_charts(figures, report.period.zone),
                metrics_tables(figures, report.period.zone),
                metrics_notes(figures),
            )
        case VendorPerformance() as figures:
            parts = (
                performance_key_figures(figures),
                performance_charts(figures),
                performance_tables(figures),
                performance_notes(figures),
            )
        case CatalogQuality() as figures:
            parts = (
                quality_key_figures(figures),
                quality_charts(figures),
                quality_tables(figures),
                quality_notes(figures),
            )
        case None:
            raise AssertionError("a report without figures has no document")
        case _:
            assert_never(report.figures)
    first, last = report.period.first.isoformat(), report.period.last.isoformat()
    key_figures, charts, tables, notes = parts
    return Document(
        title=TITLES[report.type],
        scope="Whole marketplace" if report.vendor_id is None else report.vendor_name or "One vendor",
        period=first if first == last else f"{first} to {last}",
        period_read=days_read(report.period.first, report.period.last),
        zone=report.period.zone.key,
        stem=f"{report.type.replace('_', '-')}-{first}-{last}",
        key_figures=tuple(key_figures),
        charts=tuple(charts),
        tables=tuple(tables),
        notes=tuple(notes),
        is_revised=report.is_revised,
    )
