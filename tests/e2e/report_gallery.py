"""`python -m tests.e2e.report_gallery docs/reports`: each report of a seeded past, as pictures for the documentation.

Fails where a page is wider than its window or has a barrier that axe knows of.

The past comes in as events, and the reports are made of it on a real PostgreSQL, as reporting makes them.
"""

import asyncio
import io
import secrets
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from PIL import Image
from playwright.async_api import Browser

from deploy.local.catalogue.goods import GOODS
from deploy.local.catalogue.history import ForSale, history
from services.reporting.counting import Counting
from services.reporting.files import Pages
from services.reporting.layout import document_of
from services.reporting.links import Links
from services.reporting.models import Report, ReportType
from services.reporting.usecases import Reports
from shared.contracts import events
from shared.contracts.base import Event, Money, Reason
from shared.contracts.envelope import wrap
from shared.contracts.jobs import GenerateReport
from shared.db.migrate import quoted, with_database
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import Pool, open_pool
from shared.ids import derived_id
from shared.messaging.attempt import Attempt
from shared.messaging.reader import Received
from tests.browser import new_page, open_browser
from tests.servers import Databases, Servers

DAY = date(2026, 11, 28)
FIRST = DAY - timedelta(days=44)
NOW = datetime.combine(DAY + timedelta(days=1), time(0, 1), UTC)
SEED = 5
ORDERS_A_DAY = 60
SHOPS = ("Atelier North", "Brass & Birch", "Papermill Lane")
VENDORS = tuple(derived_id(NOW, shop) for shop in SHOPS)
REASONS = ("photo_quality", "missing_information", "price", "wrong_category")
QUALITY = 82
PHONE, DESK = 360, 1180
VIEWS = ((DESK, "light"), (DESK, "dark"), (PHONE, "light"), (PHONE, "dark"))
MOST_HEIGHT, SCALE, BACKGROUND = 2100, 0.55, "#808080"
REPORTS: tuple[tuple[str, ReportType, UUID | None, date], ...] = (
    ("daily-sales", "daily_sales", VENDORS[0], DAY),
    ("sales-of-a-month", "daily_sales", None, DAY - timedelta(days=27)),
    ("vendor-performance", "vendor_performance", VENDORS[0], DAY - timedelta(days=27)),
    ("daily-metrics", "daily_metrics", None, DAY),
    ("catalogue-quality", "catalog_quality", None, DAY - timedelta(days=27)),
)


def _past() -> Iterator[tuple[Event, datetime]]:
    random = Random(SEED)
    opened_at = datetime.combine(FIRST - timedelta(days=3), time(9), UTC)
    for vendor_id, shop in zip(VENDORS, SHOPS, strict=True):
        yield events.VendorChanged(vendor_id=vendor_id, version=2, name=shop, time_zone="Europe/Berlin"), opened_at
    goods = []
    for number, good in enumerate(GOODS):
        product_id, vendor_id = derived_id(NOW, good.sku), VENDORS[good.shop]
        price = Money(amount_minor=good.price_minor, currency="EUR")
        goods.append(ForSale(product_id, vendor_id, good.title, good.price_minor, "EUR"))
        submitted = events.ProductSubmitted(
            product_id=product_id,
            vendor_id=vendor_id,
            version=1,
            sku=good.sku,
            title=good.title,
            vendor_name=SHOPS[good.shop],
            price=price,
            pictures=random.choice((0, 1, 1, 2, 3)),
            description_chars=round(len(good.description) * random.uniform(0.6, 3)),
        )
        at = opened_at if number % 3 else datetime.combine(DAY - timedelta(days=number // 2), time(10, number), UTC)
        yield submitted, at
        yield _decided(random, submitted), at + timedelta(minutes=random.randint(8, 600))
    yield from _sold(goods)
    yield from _stocked(random, goods)
    yield from _measured(random)


def _decided(random: Random, product: events.ProductSubmitted) -> Event:
    about = {"product_id": product.product_id, "vendor_id": product.vendor_id, "version": 2, "title": product.title}
    if random.random() < 0.8:
        return events.ProductApproved.model_validate({**about, "slug": product.sku.lower()})
    reasons = tuple(Reason(code=code) for code in random.sample(REASONS, random.randint(1, 2)))
    return events.ProductRejected.model_validate({**about, "reasons": reasons})


def _sold(goods: list[ForSale]) -> Iterator[tuple[Event, datetime]]:
    for order in history(goods, first=FIRST, last=DAY, orders_a_day=ORDERS_A_DAY, seed=SEED):
        placed = events.OrderPlaced(
            order_id=uuid4(),
            channel="shop",
            placed_at=order.placed_at,
            lines=tuple(
                events.OrderLine(
                    product_id=line.product.product_id,
                    vendor_id=line.product.vendor_id,
                    quantity=line.quantity,
                    unit_price=Money(amount_minor=line.product.price_minor, currency=line.product.currency),
                    title=line.product.title,
                )
                for line in order.lines
            ),
        )
        yield placed, order.placed_at
        if order.cancelled_at is not None:
            back = {**dict(placed), "cancelled_at": order.cancelled_at}
            yield events.OrderCancelled.model_validate(back), order.cancelled_at


def _stocked(random: Random, goods: list[ForSale]) -> Iterator[tuple[Event, datetime]]:
    for good in random.sample(goods, 9):
        about = {"product_id": good.product_id, "vendor_id": good.vendor_id}
        low_at = datetime.combine(DAY - timedelta(days=random.randint(0, 20)), time(random.randint(8, 20)), UTC)
        yield events.StockLow.model_validate({**about, "on_hand": 2, "threshold": 3}), low_at
        if random.random() < 0.5:
            out = {**about, "delta": -2, "on_hand": 0, "version": 9, "cause": "sale"}
            yield events.StockChanged.model_validate(out), low_at + timedelta(hours=5)
        yield events.StockRecovered.model_validate({**about, "on_hand": 40}), low_at + timedelta(hours=30)


def _measured(random: Random) -> Iterator[tuple[Event, datetime]]:
    """A day of an installation, as its services tell it: busy in the evening, unwell for a while at 14:00."""
    for hour in range(-1, 23):
        at = datetime.combine(DAY, time(), UTC) + timedelta(hours=hour)
        busy = random.randint(20, 40) + round(160 * max(0, 1 - abs(hour - 19) / 9))
        is_unwell = hour == 14
        mails, pictures = busy, busy // 3
        failed = 14 if is_unwell else 0
        yield from _told(at, "notifier", _measure("mails_sent", count=mails))
        yield from _told(
            at,
            "jobs",
            _measure("jobs_completed", "send-email", count=mails),
            _measure("jobs_completed", "send-notification", count=busy * 2),
            _measure("jobs_completed", "process-image", count=pictures),
            _measure(
                "completed_wait_ms",
                "send-email",
                count=mails,
                each=900 if is_unwell else 40,
                most=95_000 if is_unwell else 400,
            ),
            _measure("completed_wait_ms", "send-notification", count=busy * 2, each=25, most=300),
            _measure("completed_wait_ms", "process-image", count=pictures, each=120, most=2_100),
            _measure("completed_run_ms", "send-email", count=mails, each=140, most=900),
            _measure("completed_run_ms", "send-notification", count=busy * 2, each=8, most=70),
            _measure("completed_run_ms", "process-image", count=pictures, each=480, most=2_900),
            *([_measure("jobs_failed", "send-email", count=failed)] if failed else []),
            *([_measure("job_failures", "send-email MailboxDeferred", count=11)] if failed else []),
            *([_measure("job_failures", "send-email MailboxRejected", count=3)] if failed else []),
        )
        yield from _told(
            at,
            "catalog",
            events.Measure(
                name="health", count=60, total=60 * (84 if is_unwell else 100), least=61 if is_unwell else 99, most=100
            ),
            *(
                measure
                for cache, share in (("product", 0.97), ("list", 0.91), ("inventory", 0.94), ("vendor", 0.99))
                for reads in [busy * random.randint(20, 60)]
                for measure in (
                    _measure("cache_hits", cache, count=round(reads * share)),
                    _measure("cache_misses", cache, count=round(reads * (1 - share))),
                )
            ),
            _measure("products", "approved", count=41),
            _measure("products", "pending", count=3),
            _measure("products", "rejected", count=4),
        )
    failed_at = datetime.combine(DAY, time(14, 20), UTC)
    for number in range(14):
        yield (
            events.JobFailed(
                job_id=uuid4(),
                job_type="send-email",
                cause_id=None,
                target="",
                error_class="MailboxDeferred" if number < 11 else "MailboxRejected",
                error_message="mailbox full",
            ),
            failed_at + timedelta(minutes=number),
        )


def _measure(name: str, label: str = "", *, count: int, each: int = 0, most: int = 0) -> events.Measure:
    return events.Measure(name=name, label=label, count=count, total=count * each, most=most)


def _told(at: datetime, service: str, *measures: events.Measure) -> Iterator[tuple[Event, datetime]]:
    yield events.MeasuresRecorded(service=service, hour=at, measures=measures), at + timedelta(hours=1)


async def _made(pool: Pool) -> list[tuple[str, Report]]:
    outbox = Outbox("reporting")
    counting = Counting(pool=pool, inbox=Inbox("reporting"), outbox=outbox)
    received = [
        Received(
            wrap(
                event,
                identifier=uuid4(),
                kind=event.type,
                source="catalog",
                subject=None,
                time=at,
            ),
            event,
        )
        for event, at in _past()
    ]
    for first in range(0, len(received), 500):
        await counting.record(received[first : first + 500])
    links, zone = Links(secrets.token_urlsafe(32)), ZoneInfo("Europe/Berlin")
    reports = Reports(pool=pool, outbox=outbox, links=links, zone=zone, clock=lambda: NOW)
    made = []
    for name, kind, vendor_id, first_day in REPORTS:
        asked, _ = await reports.request(kind, vendor_id, first_day, DAY)
        attempt = Attempt(job_id=uuid4(), number=1, limit=3, cause_id=None, caused_at=NOW)
        made.append(
            (name, await reports.generate(GenerateReport(report_id=asked.id, report_type=kind), attempt=attempt))
        )
    return made


@asynccontextmanager
async def _database(databases: Databases) -> AsyncIterator[Pool]:
    name = f"gallery_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(databases.admin_url, timeout=10)
    try:
        await admin.execute(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(databases.template)}")
        async with open_pool(with_database(databases.service_urls["reporting"], name), name="gallery") as pool:
            yield pool
    finally:
        await admin.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")
        await admin.close()


async def _picture(browser: Browser, page_file: Path) -> Image.Image:
    """A page at a desk and on a phone, light and dark, side by side: the upper part, made smaller."""
    shots = [await _shot(browser, page_file, width, theme) for width, theme in VIEWS]
    height = min(max(shot.height for shot in shots[:2]), MOST_HEIGHT)
    whole = Image.new("RGB", (sum(shot.width for shot in shots), height), BACKGROUND)
    left = 0
    for shot in shots:
        whole.paste(shot.crop((0, 0, shot.width, min(shot.height, height))), (left, 0))
        left += shot.width
    return whole.resize((round(whole.width * SCALE), round(height * SCALE)), Image.Resampling.LANCZOS)


async def _shot(browser: Browser, page_file: Path, width: int, theme: str) -> Image.Image:
    async with new_page(browser, "http://127.0.0.1", width=width, theme=theme) as (page, _):
        await page.goto(page_file.as_uri())
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{page_file.name} is {wide} px wide in a window of {width}"
        found = await Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        return Image.open(io.BytesIO(await page.screenshot(full_page=True))).convert("RGB")


async def make(folder: Path, databases: Databases) -> None:
    """Write a picture and the page of each report."""
    async with _database(databases) as pool:
        made = await _made(pool)
    pages = Pages()
    async with open_browser() as browser:
        for name, report in made:
            page_file = folder / f"{name}.html"
            page_file.write_bytes(pages.html_of(document_of(report), figures_at="2026-11-29 01:01 CET"))
            (await _picture(browser, page_file)).save(folder / f"{name}.webp", quality=QUALITY)
            page_file.unlink()
            print(f"  {name}")


def main() -> None:
    """Start a database, make all, stop it."""
    servers, folder = Servers(), Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        databases = servers.get("database")
        if not isinstance(databases, Databases):
            sys.exit(f"no database: {databases}")
        asyncio.run(make(folder, databases))
    finally:
        servers.stop()


if __name__ == "__main__":
    main()
