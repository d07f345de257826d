"""Lost acks, confirms, deliveries and COMMIT replies: each time nobody knows what happened, and it happens once."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from services.catalog.gateway import open_app
from services.catalog.seed import seed_accounts
from services.catalog.settings import GatewaySettings
from shared.db.pool import Pool, open_pool
from shared.ids import new_id
from shared.web.server import serving
from tests.eventually import eventually
from tests.factories import offer
from tests.faults.line import Line, running_line
from tests.faults.proxy import COMMITTED, COMMITTING, CONFIRM, DELIVERY, FaultProxy, Toward, fault_proxy
from tests.integration.catalog.conftest import QUICK_HASHER
from tests.servers import Database, Vhost

KEY = "k" * 40
POSITIONS = 5
"""So many messages of each kind are lost, one after the other: each position is another one's."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Bytes that do not pass: the link is reset in that moment."""

    name: str
    pattern: re.Pattern[bytes]
    toward: Toward
    is_of_database: bool = False


LOSSES = (
    Loss("an ack", CONFIRM, Toward.SERVER),
    Loss("a confirm", CONFIRM, Toward.CLIENT),
    Loss("a delivery", DELIVERY, Toward.CLIENT),
    Loss("a COMMIT", COMMITTING, Toward.SERVER, is_of_database=True),
    Loss("the reply to a COMMIT", COMMITTED, Toward.CLIENT, is_of_database=True),
)


@dataclass
class Ways:
    """A line with a proxy before the broker and one before the ledger's database."""

    line: Line
    broker: FaultProxy
    database: FaultProxy


@pytest.fixture
async def ways(database: Database, vhost: Vhost) -> AsyncIterator[Ways]:
    async with (
        fault_proxy(vhost.amqp_url) as broker,
        fault_proxy(database.url("jobs")) as jobs,
        running_line(database, broker, ledgers_database=jobs.url) as line,
    ):
        yield Ways(line, broker, jobs)


@pytest.mark.long
@pytest.mark.parametrize("loss", [pytest.param(each, id=each.name) for each in LOSSES])
async def test_what_is_lost_on_the_way_happens_once(ways: Ways, loss: Loss) -> None:
    line, carried = ways.line, 1
    way = ways.database if loss.is_of_database else ways.broker
    for position in range(POSITIONS):
        trap = way.at(loss.pattern, loss.toward, FaultProxy.reset, spared=position)
        while not trap.sprung.is_set():
            await line.carries()
            carried += 1
    await eventually(line.is_ready, 20)
    assert await line.reporting.fetchval("SELECT count(*) FROM reporting.order_lines") == carried
    await eventually(lambda: _all_counted(line.jobs, carried), 20, every=0.1)


async def _all_counted(jobs: Pool, carried: int) -> bool:
    """Every picture has one job, once completed, and the statistics say so."""
    async with jobs.acquire() as conn:
        states = await conn.fetch(
            "SELECT target, count(*) AS copies, bool_and(state = 'completed') AS is_done FROM jobs.jobs"
            " WHERE type = 'process-image' GROUP BY target"
        )
        counted = await conn.fetchval(
            "SELECT sum(n) FROM jobs.counters WHERE type = 'process-image' AND state = 'completed'"
        )
    assert all(row["copies"] == 1 and row["is_done"] for row in states)
    assert len(states) == carried
    assert counted == carried
    return True


@dataclass
class Shop:
    """A gateway whose database is behind a proxy, and a vendor."""

    way: FaultProxy
    pool: Pool
    vendor: ClientSession

    async def submit(self, body: dict[str, Any], key: str) -> tuple[int, str | None]:
        """Offer a product; the status, and whether the answer is a repeated one."""
        async with self.vendor.post("/api/vendor/products", json=body, headers={"Idempotency-Key": key}) as answer:
            return answer.status, answer.headers.get("Idempotent-Replayed")


@pytest.fixture
async def shop(database: Database, tmp_path: Path) -> AsyncIterator[Shop]:
    nobody = "http://127.0.0.1:9"
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        way = await enter(fault_proxy(database.url("catalog")))
        settings = GatewaySettings.model_validate(
            {
                "amqp_url": "amqp://guest:guest@127.0.0.1:9/",
                "public_url": nobody,
                "catalog_database_url": way.url,
                "blobs_url": (tmp_path / "blobs").as_uri(),
                "catalog_key": KEY,
                "sync_key": KEY,
                **{f"{name}_url": nobody for name in ("jobs", "notifier", "reporting", "scheduler")},
                **{f"{name}_key": KEY for name in ("jobs", "notifier", "reporting", "scheduler")},
            }
        )
        accounts = await seed_accounts(
            database.url("catalog"), secret_of=lambda name: f"{name}-secret-secret-secret", hasher=QUICK_HASHER
        )
        behind = await enter(open_pool(way.url, name="gateway"))
        app = await enter(open_app(settings, behind))
        port = await enter(serving(app, host="127.0.0.1", port=0, grace_seconds=0.5))
        signed = {"Authorization": f"Bearer {accounts.vendors[0].api_key}"}
        vendor = await enter(ClientSession(f"http://127.0.0.1:{port}", headers=signed))
        yield Shop(way, await enter(open_pool(database.url("catalog"), name="test")), vendor)


@pytest.mark.parametrize(
    ("pattern", "toward", "again"),
    [
        pytest.param(COMMITTED, Toward.CLIENT, (201, "true"), id="the reply: it happened"),
        pytest.param(COMMITTING, Toward.SERVER, (201, None), id="the COMMIT: it did not"),
    ],
)
async def test_a_product_is_made_once_when_nobody_knows_whether_it_was(
    shop: Shop, pattern: re.Pattern[bytes], toward: Toward, again: tuple[int, str | None]
) -> None:
    body, key = offer(), str(new_id())
    trap = shop.way.at(pattern, toward, FaultProxy.reset)
    assert await shop.submit(body, key) == (503, None)
    assert trap.sprung.is_set()
    assert await shop.submit(body, key) == again
    assert await shop.pool.fetchval("SELECT count(*) FROM catalog.products") == 1
    assert await shop.pool.fetchval("SELECT count(*) FROM catalog.outbox WHERE type = 'product.submitted'") == 1
