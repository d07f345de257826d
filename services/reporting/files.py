"""Writes a report's document as a file: CSV for programs and spreadsheets, HTML to read and print."""

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.reporting.document import Cell, Document

_STARTS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A text that begins like this may be run as a formula by a spreadsheet
(https://owasp.org/www-community/attacks/CSV_Injection); the last four are full-width forms."""


def csv_of(document: Document) -> bytes:
    """The tables as RFC 4180, UTF-8, each under its column names, an empty line between them; amounts with a point."""
    out = io.StringIO()
    writer = csv.writer(out)
    for number, table in enumerate(document.tables):
        if number:
            writer.writerow(())
        writer.writerow([_safe(column) for column in table.columns])
        writer.writerows([_safe(cell) for cell in row] for row in table.rows)
    return out.getvalue().encode()


def _safe(cell: Cell) -> str:
    match cell:
        case str():
            # An apostrophe makes a spreadsheet take the rest as text. Also behind spaces, which some skip.
            return f"'{cell}" if cell.startswith(_STARTS_FORMULA) or cell.lstrip().startswith(_STARTS_FORMULA) else cell
        case date():
            return cell.isoformat()
        case int() | Decimal():
            return str(cell)


class Pages:
    """Renders documents as HTML pages that need nothing but themselves."""

    def __init__(self) -> None:
        environment = Environment(
            loader=PackageLoader("services.reporting"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["shown"] = _shown
        environment.tests["numeric"] = lambda cell: isinstance(cell, int | Decimal)
        self._template = environment.get_template("report.html.jinja")

    def html_of(self, document: Document, *, figures_at: str) -> bytes:
        """A whole page."""
        return self._template.render(document=document, figures_at=figures_at).encode()


def _shown(cell: Cell) -> str:
    return f"{cell:,}" if isinstance(cell, int | Decimal) else str(cell)
