"""The midnight of a market: all reports over a day of orders, while mails and pictures go on being started."""

import asyncio
import secrets
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import quantiles
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson

from deploy.local.catalogue.history import ForSale, history
from deploy.local.ports import free_port
from services.jobs.models import Order, new_job
from services.jobs.partitions import Partitions
from services.jobs.parts import make_ledger
from services.jobs.publishing import due_now
from services.jobs.store import in_ledger
from services.reporting import store
from services.reporting.links import Links
from services.reporting.models import SoldLine, Vendor
from services.reporting.usecases import Reports
from shared.clock import utc_now
from shared.contracts.base import Audience
from shared.contracts.jobs import ProcessImage, SendEmail
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection, open_pool, transaction
from shared.ids import new_id
from shared.lifecycle import background, every
from tests.bench.figures import Figure
from tests.bench.stage import Stage, memory_mib
from tests.eventually import eventually

VENDORS = 200
PRODUCTS = 4000
LINES = 100_000
BATCH = 5000
PROBES_A_SECOND = 5
"""As many mails as pictures; the midnight's own mails come to them."""
PATIENCE_SECONDS = 600
KEY = secrets.token_urlsafe(32)
READY = "SELECT count(*) FROM reporting.reports WHERE state = 'ready'"


async def measure(stage: Stage) -> list[Figure]:
    """Reporting has heard the day's orders; the clock runs from the tick to the last report."""
    async with open_pool(stage.database_urls["reporting"], name="bench") as pool:
        await _hear(pool)
        reporting = {"SOUK_REPORTING_KEY": KEY, "SOUK_HTTP_PORT": str(free_port())}
        async with (
            stage.service("services.jobs", "ledger"),
            stage.service("services.reporting", settings=reporting) as pid,
            _probing(stage) as waits,
        ):
            begun = time.monotonic()
            midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            yesterday = midnight.date() - timedelta(days=1)
            reports = Reports(
                pool=pool, outbox=Outbox("reporting"), links=Links(KEY), zone=ZoneInfo("UTC"), clock=utc_now
            )
            asked = 1 + await reports.request_due("daily_sales", midnight)
            await reports.request("daily_metrics", None, yesterday, yesterday)
            await eventually(lambda: _are_ready(pool, asked), PATIENCE_SECONDS, every=0.2)
            seconds = time.monotonic() - begun
            peak_mib = memory_mib(pid, "VmHWM")
    what = f"{asked} midnight reports of {VENDORS} vendors, {LINES:,} order lines"
    return [
        Figure(f"{what}: until the last", f"{seconds:.1f} s", "-", seconds, 300, "s", is_most=True),
        Figure(f"{what}: memory of reporting", f"{peak_mib:.0f} MiB", "-", peak_mib, 300, "MiB", is_most=True),
        *(_started(what, kind, seconds) for kind, seconds in waits.items()),
    ]


def _started(what: str, kind: str, waits: Sequence[float]) -> Figure:
    p95 = quantiles(waits, n=20)[18]
    name = f"{what}: start of {kind} meanwhile, p95 of {len(waits)} (longest {max(waits) * 1000:.0f} ms)"
    return Figure(name, f"{p95 * 1000:.0f} ms", "-", p95 * 1000, 1000, "ms", is_most=True)


async def _hear(pool: Pool) -> None:
    """A day of orders as reporting keeps them."""
    vendors = [UUID(int=number) for number in range(1, VENDORS + 1)]
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    goods = [ForSale(new_id(), vendors[n % VENDORS], f"Product {n}", 500 + n, "EUR") for n in range(PRODUCTS)]
    lines = [
        SoldLine(
            order_id,
            number,
            line.product.vendor_id,
            line.product.product_id,
            line.product.title,
            line.quantity,
            line.product.price_minor,
            line.product.currency,
            order.placed_at,
        )
        for order in history(goods, first=yesterday, last=yesterday, orders_a_day=LINES, seed=1)
        for order_id in [new_id()]
        for number, line in enumerate(order.lines, start=1)
    ][:LINES]
    async with transaction(pool) as conn:
        for vendor_id in vendors:
            await store.keep_vendor(conn, Vendor(vendor_id, f"Vendor {vendor_id.int}", None), told_at=utc_now())
        for first in range(0, len(lines), BATCH):
            await store.add_lines(conn, lines[first : first + BATCH])


async def _are_ready(pool: Pool, count: int) -> bool:
    async with connection(pool) as conn:
        ready: int = await conn.fetchval(READY)
    return ready >= count


@asynccontextmanager
async def _probing(stage: Stage) -> AsyncIterator[dict[str, list[float]]]:
    """Mails and pictures come in while the block runs; afterwards the answer has how long each waited, in seconds."""
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.workers", "waiting", stage.amqp_url, "0"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    waits: dict[str, list[float]] = {}
    try:
        await worker.stdout.readline()
        async with background(every(1 / PROBES_A_SECOND, partial(_probe, stage)), name="probes"):
            yield waits
        worker.stdin.close()
        waits |= orjson.loads(await worker.stdout.readline())
        await worker.wait()
    finally:
        if worker.returncode is None:
            worker.kill()


async def _probe(stage: Stage) -> None:
    """A mail and a picture as the ledger makes them of an event: row, publish, confirm."""
    ledger, now, cause = make_ledger(), utc_now(), new_id()
    orders = (
        SendEmail(letter="bench", audience=Audience(kind="admins"), params={}),
        ProcessImage(image_id=new_id(), product_id=new_id(), source="blob:bench"),
    )
    jobs = [
        new_job(Order(order, target=order.type), cause=cause, cause_type="bench", caused_at=now) for order in orders
    ]
    await Partitions(stage.jobs_pool, utc_now).ensure_for([jobs[0].id])
    await in_ledger(stage.jobs_pool, lambda conn: ledger.insert(conn, jobs, claim_seconds=600))
    await stage.publisher.publish([due_now(job) for job in jobs])
