"""The pages of reports, with reporting's own API behind the gateway."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from services.reporting.files import Pages
from services.reporting.links import Links
from services.reporting.models import DailySales, DaySales, Sales, TopProduct
from services.reporting.pdf import Pdfs
from services.reporting.routes import new_api
from services.reporting.usecases import Reports
from shared.clock import utc_now
from shared.contracts.base import Money
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection, open_pool
from shared.web.server import serving
from tests.integration.catalog.conftest import KEY, NOBODY_THERE, Gateway
from tests.integration.catalog.pages.browser import Browser
from tests.servers import Database

HERE = "/vendor/reports"


@pytest.fixture
async def reporting_pool(database: Database) -> AsyncIterator[Pool]:
    """Reporting's part of the same database."""
    async with open_pool(database.url("reporting"), name="tests") as opened:
        yield opened


@pytest.fixture
async def upstream_urls(reporting_pool: Pool) -> AsyncIterator[dict[str, str]]:
    """Reporting is there; the others are not."""
    reports = Reports(
        pool=reporting_pool, outbox=Outbox("reporting"), links=Links(KEY), zone=ZoneInfo("UTC"), clock=utc_now
    )
    pdfs = Pdfs()
    async with serving(new_api(reports, Pages(), pdfs, key=KEY), host="127.0.0.1", port=0, grace_seconds=0.5) as port:
        try:
            yield dict.fromkeys(("jobs", "notifier", "scheduler"), NOBODY_THERE) | {
                "reporting": f"http://127.0.0.1:{port}"
            }
        finally:
            await pdfs.close()


async def build(pool: Pool, first: date) -> None:
    """What the job `generate-report` leaves behind: figures of two days."""
    net = (Money(amount_minor=12_050, currency="EUR"),)
    figures = DailySales(
        totals=Sales(orders=3, units=4, gross=net, net=net),
        days=(DaySales(day=first, orders=3, units=4, gross=net, net=net), DaySales(day=first + timedelta(days=1))),
        top_products=(TopProduct(product_id=uuid4(), title="Bowl <of> elm", units=4, net=net),),
    )
    async with connection(pool) as conn:
        await conn.execute(
            "UPDATE reporting.reports SET state = 'ready', figures = $1, figures_at = now()",
            figures.model_dump(mode="json"),
        )


async def test_a_report_is_asked_for_watched_drawn_and_opened(vendors_browser: Browser, reporting_pool: Pool) -> None:
    token = await vendors_browser.token(HERE)
    wrong, text = await vendors_browser.post(
        HERE, csrf_token=token, type="daily_sales", days="own", **{"from": "2026-02-30", "to": "x"}
    )
    assert (wrong.status, 'value="2026-02-30"' in text, 'aria-invalid="true"' in text) == (422, True, True)
    asked, text = await vendors_browser.post(HERE, csrf_token=token, type="daily_sales", days="week")
    assert ("Being built" in text, 'data-again="2"' in text, "Asked for." in text) == (True, True, True)
    again, _ = await vendors_browser.post(HERE, csrf_token=token, type="daily_sales", days="week")
    assert again.url == asked.url, "one that is on its way is not made twice"
    await build(reporting_pool, utc_now().date() - timedelta(days=7))
    _, text = await vendors_browser.get(asked.url.path)
    for said in ("Ready", "€120.50", "Bowl &lt;of&gt; elm", "/file?format=xlsx"):
        assert said in text
    assert "data-again" not in text
    _, text = await vendors_browser.get(HERE)
    assert ('class="bar"' in text, "€120.50" in text) == (True, True)
    answer, text = await vendors_browser.get(f"/api{asked.url.path}/file?format=html")
    assert (answer.status, "<svg" in text) == (200, True)
    lead, _ = await vendors_browser.get(f"/reports/{asked.url.name}")
    assert lead.url.path == asked.url.path


async def test_a_report_is_given_up(vendors_browser: Browser) -> None:
    token = await vendors_browser.token(HERE)
    asked, _ = await vendors_browser.post(HERE, csrf_token=token, type="catalog_quality", days="yesterday")
    _, text = await vendors_browser.post(f"{asked.url.path}/cancel", csrf_token=token)
    assert ("Nobody waits for it any more." in text, "Cancelled" in text) == (True, True)


async def test_admins_ask_about_the_marketplace_and_about_vendors(browser: Browser, gateway: Gateway) -> None:
    here = "/admin/reports"
    await browser.sign_in(gateway.accounts.admin.email, gateway.accounts.admin.password)
    token = await browser.token(here)
    _, text = await browser.get(here)
    assert "The marketplace&#39;s day" in text
    vendor_id = str(gateway.accounts.vendors[0].vendor_id)
    assert f'<option value="{vendor_id}">' in text
    asked, text = await browser.post(here, csrf_token=token, type="daily_sales", days="week", vendor_id=vendor_id)
    assert (asked.status, asked.url.path.startswith(here)) == (200, True)
    wrong, _ = await browser.post(here, csrf_token=token, type="daily_sales", days="week", vendor_id="nobody")
    assert wrong.status == 422


async def test_another_vendors_report_is_not_there(
    vendors_browser: Browser, gateway: Gateway, reporting_pool: Pool
) -> None:
    token = await vendors_browser.token(HERE)
    asked, _ = await vendors_browser.post(HERE, csrf_token=token, type="daily_sales", days="week")
    await vendors_browser.post("/logout", csrf_token=token)
    account = gateway.accounts.vendors[1]
    await vendors_browser.sign_in(account.email, account.password)
    for path in (asked.url.path, f"/reports/{asked.url.name}"):
        answer, _ = await vendors_browser.get(path)
        assert answer.status == 404
    _, text = await vendors_browser.get(HERE)
    assert "No reports yet" in text
