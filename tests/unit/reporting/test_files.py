"""Reports as files."""

import csv
import io
import zipfile
from datetime import date
from uuid import UUID
from xml.etree import ElementTree

import pytest

from services.reporting.document import decimal_of
from services.reporting.files import Pages, csv_of, xlsx_of
from services.reporting.layout import document_of
from services.reporting.models import (
    Activity,
    DailyMetrics,
    DailySales,
    DayMetrics,
    DaySales,
    FailedJobs,
    Sales,
    TopProduct,
)
from shared.contracts.base import Money
from tests.unit.reporting.factories import make_report

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
PRODUCT = UUID("018f0000-0000-7000-8000-000000000001")


def eur(minor: int) -> Money:
    return Money(amount_minor=minor, currency="EUR")


def make_sales(title: str = "Lamp") -> DailySales:
    sold = Sales(
        orders=3,
        units=5,
        cancelled_orders=1,
        cancelled_units=2,
        gross=(eur(123456), Money(amount_minor=900, currency="JPY")),
        cancelled=(eur(1000), Money(amount_minor=0, currency="JPY")),
        net=(eur(122456), Money(amount_minor=900, currency="JPY")),
    )
    return DailySales(
        totals=sold,
        days=(DaySales(day=date(2026, 3, 1), **dict(sold)), DaySales(day=date(2026, 3, 2))),
        top_products=(TopProduct(product_id=PRODUCT, title=title, units=3, net=(eur(122456),)),),
    )


def rows_of(figures: DailySales | DailyMetrics) -> list[list[str]]:
    return list(csv.reader(io.StringIO(csv_of(document_of(make_report(figures))).decode())))


def test_csv_of_daily_sales() -> None:
    money = ["Gross EUR", "Cancelled EUR", "Net EUR", "Gross JPY", "Cancelled JPY", "Net JPY"]
    assert rows_of(make_sales()) == [
        ["Day", "Orders", "Units", "Cancelled orders", "Cancelled units", *money],
        ["2026-03-01", "3", "5", "1", "2", "1234.56", "10.00", "1224.56", "900", "0", "900"],
        ["2026-03-02", "0", "0", "0", "0", "0.00", "0.00", "0.00", "0", "0", "0"],
        [],
        ["Product", "Product id", "Units", "Net EUR", "Net JPY"],
        ["Lamp", str(PRODUCT), "3", "1224.56", "0"],
    ]


@pytest.mark.parametrize(
    "title",
    ['=HYPERLINK("http://example.com")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\uff1d1", "\n@x"],
)
def test_a_text_that_a_spreadsheet_would_run_is_kept_as_text(title: str) -> None:
    assert rows_of(make_sales(title))[-1][0] == f"'{title}"


@pytest.mark.parametrize("title", ['a "quoted", one', "5 = 4 + 1", "Stühle", "two\nlines"])
def test_an_ordinary_text_is_left_as_it_is(title: str) -> None:
    assert rows_of(make_sales(title))[-1][0] == title


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [(1999, "EUR", "19.99"), (5, "USD", "0.05"), (500, "JPY", "500"), (1234, "KWD", "1.234")],
)
def test_amounts_have_their_currencys_decimals(minor: int, currency: str, shown: str) -> None:
    assert str(decimal_of(Money(amount_minor=minor, currency=currency))) == shown


def test_the_page_shows_the_figures_and_escapes_texts() -> None:
    document = document_of(make_report(make_sales("<script>alert(1)</script>")))
    page = Pages().html_of(document, figures_at="2026-03-03 12:00 UTC").decode()
    assert "1,224.56 EUR, 900 JPY" in page
    assert "2026-03-01 to 2026-03-02" in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_daily_metrics_in_both_forms() -> None:
    activity = Activity(products_submitted=4, products_approved=2, products_rejected=1, stock_alerts=3, jobs_failed=5)
    sold = Sales(orders=2, units=3, gross=(eur(500),), cancelled=(eur(0),), net=(eur(500),))
    figures = DailyMetrics(
        sales=sold,
        activity=activity,
        days=(DayMetrics(day=date(2026, 3, 1), sales=sold, activity=activity),),
        failed_jobs=(FailedJobs(job_type="send-email", count=5),),
    )
    assert rows_of(figures) == [
        ["Day", "Orders", "Units", "Gross EUR", "Submitted", "Approved", "Rejected", "Stock alerts", "Jobs failed"],
        ["2026-03-01", "2", "3", "5.00", "4", "2", "1", "3", "5"],
        [],
        ["Job type", "Failed"],
        ["send-email", "5"],
    ]
    page = Pages().html_of(document_of(make_report(figures)), figures_at="now").decode()
    assert "Daily metrics" in page
    assert "send-email" in page


def cells_of(figures: DailySales, sheet: int) -> list[list[tuple[str, str]]]:
    """Kind and text of each cell of a sheet, read from the file's own XML."""
    with zipfile.ZipFile(io.BytesIO(xlsx_of(document_of(make_report(figures))))) as book:
        strings = ["".join(entry.itertext()) for entry in ElementTree.fromstring(book.read("xl/sharedStrings.xml"))]
        root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
    rows = []
    for row in root.iter(f"{SHEET}row"):
        assert not list(row.iter(f"{SHEET}f")), "a formula"
        cells = [(cell.get("t", "n"), cell.findtext(f"{SHEET}v", "")) for cell in row]
        rows.append([(kind, strings[int(value)] if kind == "s" else value) for kind, value in cells])
    return rows


def test_a_workbook_keeps_numbers_as_numbers_and_texts_as_texts() -> None:
    top = cells_of(make_sales("=HYPERLINK(1)"), 3)
    assert top[1] == [("s", "=HYPERLINK(1)"), ("s", str(PRODUCT)), ("n", "3"), ("n", "1224.56"), ("n", "0")]
    by_day = cells_of(make_sales(), 2)
    assert by_day[0][0] == ("s", "Day")
    assert by_day[1][0] == ("n", "46082")  # 1 March 2026, as spreadsheets count days
    assert by_day[1][5] == ("n", "1234.56")


def test_the_page_draws_its_charts_with_a_text_for_who_cannot_see_them() -> None:
    page = Pages().html_of(document_of(make_report(make_sales('"><script>'))), figures_at="now").decode()
    assert page.count("<svg") == 3  # net sales by day in two currencies, the top products
    assert page.count("<desc") == 3
    assert "Net sales: most on 2026-03-01 (1,224.56 EUR)" in page
    assert "<script" not in page


def test_an_empty_report_says_so() -> None:
    figures = DailySales(totals=Sales(), days=(DaySales(day=date(2026, 3, 1)),), top_products=())
    page = Pages().html_of(document_of(make_report(figures)), figures_at="now").decode()
    assert "Nothing in this period." in page
