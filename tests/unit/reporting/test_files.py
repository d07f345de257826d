"""Reports as files."""

import csv
import io
import zipfile
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from xml.etree import ElementTree

import pytest

from services.reporting.document import NOTHING, days_read, decimal_of, lasting
from services.reporting.files import Pages, csv_of, xlsx_of
from services.reporting.layout import document_of
from services.reporting.models import (
    Activity,
    CacheUse,
    DailyMetrics,
    DailySales,
    DayMetrics,
    DaySales,
    Decisions,
    FailedJobs,
    FailureCause,
    HealthScore,
    JobWork,
    Lasting,
    Sales,
    Slot,
    TopProduct,
    VendorPerformance,
    Work,
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
    assert "<span>1,224.56 <small>EUR</small></span><span>900 <small>JPY</small></span>" in page
    assert "1 \N{EN DASH} 2 March 2026" in page
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


def make_metrics() -> DailyMetrics:
    """A day on which something was slow and something failed."""
    begun = datetime(2026, 3, 1, tzinfo=UTC)
    health = HealthScore(mean=90, lowest=40)
    return DailyMetrics(
        sales=Sales(),
        activity=Activity(jobs_failed=2),
        days=(DayMetrics(day=date(2026, 3, 1), sales=Sales(), activity=Activity(jobs_failed=2)),),
        failed_jobs=(FailedJobs(job_type="send-email", count=2),),
        products=(("approved", 48), ("pending", 2)),
        work=Work(
            mails_sent=1200,
            mails_failed=2,
            jobs=(
                JobWork(
                    job_type="send-email",
                    completed=1200,
                    failed=2,
                    cancelled=0,
                    wait=Lasting(mean_ms=1500, longest_ms=95_000),
                ),
            ),
            failures=(FailureCause(job_type="send-email", error_class="MailboxRejected", count=2),),
            caches=(CacheUse(cache="product", hits=90, misses=10),),
            health=health,
            slots=tuple(
                Slot(at=begun + timedelta(hours=hour), mails_sent=50, health=None if hour == 3 else health)
                for hour in range(24)
            ),
        ),
    )


def test_the_work_of_a_day_is_shown_with_what_to_do() -> None:
    document = document_of(make_report(make_metrics(), last=date(2026, 3, 1)))
    assert {figure.label: (figure.value, figure.note) for figure in document.key_figures}.items() >= {
        ("E-mails sent", ("1,200", "2 failed")),
        ("Cache hit rate", ("90 %", "of 100 reads")),
        ("Health score", ("90", "lowest 40")),
    }
    assert [note.split(":")[0] for note in document.notes] == [
        "2 jobs of type send-email failed with MailboxRejected",
        "A send-email job waited 95.0 s to be begun",
        "The health score fell to 40",
    ]
    rows = rows_of(make_metrics())
    assert ["send-email", "1200", "2", "0", "1.50", "95.00", "\u2013", "\u2013"] in rows
    assert ["approved", "48"] in rows
    page = Pages().html_of(document, figures_at="now").decode()
    assert page.count('class="run ') == 4  # the health score and its lowest, each before and after a gap
    assert "A send-email job waited 95.0 s" in page


@pytest.mark.parametrize(
    ("earlier", "later", "shown"), [(100, 150, "+50 %"), (200, 100, "-50 %"), (100, 100, "+0 %"), (0, 100, NOTHING)]
)
def test_the_trend_is_the_later_half_against_the_earlier(earlier: int, later: int, shown: str) -> None:
    trend = tuple(
        DaySales(day=date(2026, 3, 1) + timedelta(days=passed), net=(eur(earlier if passed < 15 else later),))
        for passed in range(30)
    )
    figures = VendorPerformance(
        sales=Sales(orders=4, cancelled_orders=1), trend=trend, decisions=Decisions(), stock_outs=1, low_stock_days=2
    )
    document = document_of(make_report(figures))
    told = {figure.label: figure.value for figure in document.key_figures}
    assert (told["Trend"], told["Cancelled"]) == (shown, "25 %")
    assert document.notes[0] == "The last piece of a product was sold once: order earlier."
    assert document.notes[1] == "On 2 days a product was low."


def test_each_chart_has_its_figures_beside_it_as_a_table() -> None:
    page = Pages().html_of(document_of(make_report(make_sales())), figures_at="now").decode()
    assert page.count("<details") == page.count("<svg") == 3
    assert '<th scope="row">1 Mar</th><td class="number">1,224.56</td><td class="number">10.00</td>' in page


def test_ids_are_for_programs() -> None:
    document = document_of(make_report(make_sales()))
    assert str(PRODUCT) not in Pages().html_of(document, figures_at="now").decode()
    assert str(PRODUCT) in csv_of(document).decode()


def test_a_long_name_is_cut_where_it_is_drawn_and_whole_beside_it() -> None:
    name = "An extraordinarily long name of a product that no chart has room for"
    page = Pages().html_of(document_of(make_report(make_sales(name))), figures_at="now").decode()
    assert f">{name[:20]}" in page
    assert "…</text>" in page
    assert f'<th scope="row">{name}</th>' in page


@pytest.mark.parametrize(
    ("first", "last", "read"),
    [
        ("2026-03-01", "2026-03-01", "Sunday 1 March 2026"),
        ("2026-03-01", "2026-03-31", "1 - 31 March 2026"),
        ("2026-02-27", "2026-03-02", "27 February - 2 March 2026"),
        ("2025-12-31", "2026-01-01", "31 December 2025 - 1 January 2026"),
    ],
)
def test_a_period_is_written_as_people_do(first: str, last: str, read: str) -> None:
    assert days_read(date.fromisoformat(first), date.fromisoformat(last)).replace("\N{EN DASH}", "-") == read


@pytest.mark.parametrize(
    ("milliseconds", "read"),
    [
        (5, "5 ms"),
        (1500, "1.5 s"),
        (95_000, "95.0 s"),
        (600_000, "10 min"),
        (4 * 3600_000, "4.0 h"),
        (2**31, "24.9 days"),
    ],
)
def test_durations_have_the_unit_that_suits_them(milliseconds: int, read: str) -> None:
    assert lasting(milliseconds) == read


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
    assert "Net sales: most on Sun 1 Mar (1,224.56 EUR)" in page
    assert "<script" not in page


def test_an_empty_report_says_so() -> None:
    figures = DailySales(totals=Sales(), days=(DaySales(day=date(2026, 3, 1)),), top_products=())
    page = Pages().html_of(document_of(make_report(figures)), figures_at="now").decode()
    assert "Nothing in this period." in page
