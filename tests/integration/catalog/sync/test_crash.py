"""kill -9 in the middle of a run of many rows, again and again: each batch is in everything or in nothing."""

import asyncio
import sys
from typing import Any
from uuid import UUID

import orjson
import pytest

from shared.db.pool import Pool
from tests.eventually import eventually
from tests.factories import make_approved
from tests.integration.catalog.conftest import KEY, Client
from tests.integration.catalog.sync.conftest import Depot, Sync, ask, make_source, on_hand
from tests.servers import Database
from tests.stock import check_stock

ROWS = 4000
MANY = 50_000
KILLS = 2
WORK = """
import asyncio, sys
from uuid import UUID
from services.catalog.sync.applying import Applying
from services.catalog.sync.runner import Runner
from services.catalog.sync.vault import Vault
from shared.clock import utc_now
from shared.contracts.jobs import SyncInventory
from shared.db.outbox import Outbox
from shared.db.pool import open_pool
from shared.ids import new_id
from shared.messaging.attempt import Attempt
from shared.outbound import guarded_session

async def main(url, key, allow, source_id, run_id):
    outbox = Outbox("catalog")
    async with open_pool(url, name="tests") as pool, guarded_session(allow=[allow]) as outbound:
        applying = Applying(pool=pool, outbox=outbox)
        runner = Runner(
            pool=pool, outbox=outbox, vault=Vault(key), outbound=outbound, applying=applying, clock=utc_now
        )
        job = SyncInventory(source_id=UUID(source_id), run_id=UUID(run_id))
        await runner.work(job, Attempt(new_id(), 1, 5, None, utc_now()))

asyncio.run(main(*sys.argv[1:]))
"""


async def stocked(vendor: Client, admin: Client, pool: Pool, count: int) -> dict[str, Any]:
    """A vendor with `count` products more, `BULK-1` …, of 5 pieces each; one of them was made by itself."""
    product = await make_approved(vendor, admin, on_hand=5)
    await pool.execute(
        """
        WITH more AS (
            INSERT INTO catalog.products
                (id, vendor_id, sku, slug, title, description, price_minor, currency, category, status)
            SELECT gen_random_uuid(), vendor_id, 'BULK-' || n, 'bulk-' || n, title, '', 100, 'EUR', category, 'draft'
            FROM catalog.products, generate_series(1, $2::int) AS n WHERE id = $1
            RETURNING id
        ), levels AS (
            INSERT INTO catalog.stock (product_id, on_hand) SELECT id, 5 FROM more
        )
        INSERT INTO catalog.movements (product_id, version, kind, delta, on_hand)
        SELECT id, 1, 'receive', 5, 5 FROM more
        """,
        product["id"],
        count,
    )
    return product


def says(depot: Depot, count: int, *last: dict[str, Any]) -> None:
    """All bulk products have 9 pieces."""
    depot.body = orjson.dumps(
        {"stock": [*({"sku": f"BULK-{n}", "quantity": 9, "version": 1} for n in range(1, count + 1)), *last]}
    )


@pytest.mark.timeout(180)
async def test_killed_anywhere_a_run_has_applied_whole_batches_once(
    vendor: Client, admin: Client, depot: Depot, sync: Sync, pool: Pool, database: Database
) -> None:
    await stocked(vendor, admin, pool, ROWS)
    source = await make_source(vendor, depot)
    says(depot, ROWS)
    run_id = await ask(vendor, source)
    allow = depot.url.removeprefix("http://").removesuffix("/stock")

    async def applied() -> int:
        return int(await pool.fetchval("SELECT count(*) FROM catalog.movements WHERE kind = 'sync'"))

    for kill in range(1, KILLS + 1):
        before = await applied()
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORK, database.url("catalog"), KEY, allow, source["id"], run_id
        )
        target = before + kill * 300

        async def is_in_the_middle(target: int = target) -> bool:
            return await applied() >= target

        await eventually(is_in_the_middle, 30, every=0.005)
        worker.kill()
        await worker.wait()
        done = await applied()
        assert done % 500 == 0, "a batch is all there or not at all"
        counted = await pool.fetchval("SELECT changed FROM catalog.sync_runs")
        positions = await pool.fetchval("SELECT count(*) FROM catalog.sync_positions")
        told = await pool.fetchval('SELECT count(*) FROM catalog.outbox WHERE body LIKE \'%"cause":"sync"%\'')
        assert (counted, positions, told) == (done, done, done)
        await check_stock(pool)
    result = await sync.run(UUID(source["id"]), UUID(run_id))
    assert (result["state"], result["changed"], result["unchanged"], result["rows"]) == ("completed", ROWS, 0, ROWS)
    assert await applied() == ROWS
    await check_stock(pool)


@pytest.mark.timeout(180)
@pytest.mark.long
async def test_what_is_sold_out_is_applied_within_seconds_while_fifty_thousand_others_wait(
    vendor: Client, admin: Client, depot: Depot, sync: Sync, pool: Pool
) -> None:
    product = await stocked(vendor, admin, pool, MANY)
    source = await make_source(vendor, depot)
    says(depot, MANY, {"sku": product["sku"], "quantity": 0, "version": 1})
    run_id = await ask(vendor, source)
    working = asyncio.create_task(sync.run(UUID(source["id"]), UUID(run_id)))

    async def is_sold_out() -> bool:
        return await on_hand(vendor, product) == 0

    await eventually(is_sold_out, 20)  # four times the 5 s that must hold
    assert not working.done(), "the others are still being applied"
    assert (await working)["changed"] == MANY + 1
    await check_stock(pool)
