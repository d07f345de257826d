"""Writes a report's document as a file: CSV for programs, XLSX for spreadsheets, HTML to read and print."""

import csv
import io
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Final

import xlsxwriter
from jinja2 import Environment, PackageLoader, StrictUndefined
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from services.reporting.charts import drawing_of
from services.reporting.document import NOTHING, Cell, Document, Table, day_read

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


def xlsx_of(document: Document) -> bytes:
    """A workbook: a sheet of the key figures, then one a table. A text is never a formula or a link, a number a number.

    Spreadsheets keep 15 digits of a number; an amount with more is rounded there.
    """
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        styles = Styles(book)
        sheet = book.add_worksheet("Summary")
        heading = [(document.title,), (document.scope,), (document.period,), ()]
        _write_rows(sheet, 0, heading, styles)
        _write_rows(sheet, len(heading), [(each.label, each.value, each.note) for each in document.key_figures], styles)
        sheet.set_column(0, 2, 28)
        for table in document.tables:
            _write_table(book.add_worksheet(table.title[:31]), table, styles)
    return out.getvalue()


class Styles:
    """The formats of a workbook's cells, made when first needed."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._made: dict[tuple[str, bool], Format] = {}

    def of(self, cell: Cell, *, is_bold: bool = False) -> Format:
        """How a cell is shown: dates as dates, amounts with their currency's decimals."""
        pattern = _pattern(cell)
        if (pattern, is_bold) not in self._made:
            self._made[pattern, is_bold] = self._book.add_format({"num_format": pattern, "bold": is_bold})
        return self._made[pattern, is_bold]


def _pattern(cell: Cell) -> str:
    match cell:
        case Decimal():
            digits = max(-int(cell.as_tuple().exponent), 0)
            return "#,##0" + (f".{'0' * digits}" if digits else "")
        case int():
            return "#,##0"
        case date():
            return "yyyy-mm-dd"
        case str():
            return "@"


def _write_table(sheet: Worksheet, table: Table, styles: Styles) -> None:
    _write_rows(sheet, 0, [table.columns], styles, is_bold=True)
    _write_rows(sheet, 1, table.rows, styles)
    if table.total:
        _write_rows(sheet, 1 + len(table.rows), [table.total], styles, is_bold=True)
    sheet.freeze_panes(1, 0)
    sheet.autofit()


def _write_rows(
    sheet: Worksheet, first: int, rows: Sequence[Sequence[Cell]], styles: Styles, *, is_bold: bool = False
) -> None:
    for row, cells in enumerate(rows, start=first):
        for column, cell in enumerate(cells):
            style = styles.of(cell, is_bold=is_bold)
            match cell:
                case str():
                    sheet.write_string(row, column, cell, style)
                case date():
                    sheet.write_datetime(row, column, cell, style)
                case int() | Decimal():
                    sheet.write_number(row, column, cell, style)


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
        environment.tests["a_day"] = lambda cell: isinstance(cell, date)
        self._template = environment.get_template("report.html.jinja")

    def html_of(self, document: Document, *, figures_at: str) -> bytes:
        """A whole page."""
        drawings = [drawing_of(chart) for chart in document.charts]
        return self._template.render(document=document, drawings=drawings, figures_at=figures_at).encode()


def _shown(cell: Cell | None) -> str:
    match cell:
        case None:
            return NOTHING
        case date():
            return day_read(cell)
        case int() | Decimal():
            return f"{cell:,}"
        case str():
            return cell
