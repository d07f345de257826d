"""Low stock on the real database: one alert until it recovers, one mail for a vendor."""

import asyncio
from typing import Any

import pytest

from services.catalog.inventory.low_stock import LowStock
from shared.db.outbox import Outbox
from shared.db.pool import Pool
from tests.factories import make_approved, make_product, order
from tests.integration.catalog.conftest import Client
from tests.integration.catalog.told import outbox, outbox_kinds

INVENTORY = "/api/vendor/inventory"


@pytest.fixture
def low_stock(pool: Pool) -> LowStock:
    """The use case as the worker holds it, but telling at once."""
    return LowStock(pool=pool, outbox=Outbox("catalog"), settle_seconds=0)


async def _sell(channel: Client, product: dict[str, Any], quantity: int) -> str:
    async with channel.post("/api/orders", json=order((product["id"], quantity))) as answer:
        placed = await answer.json()
        assert answer.status == 201, placed
        return str(placed["id"])


async def _cancel(channel: Client, order_id: str) -> None:
    async with channel.post(f"/api/orders/{order_id}/cancel") as answer:
        assert answer.status == 200


async def _count(vendor: Client, product: dict[str, Any], *, now: int, then: int) -> None:
    body = {"on_hand": then, "expected_on_hand": now}
    async with vendor.put(f"{INVENTORY}/{product['id']}", json=body) as answer:
        assert answer.status == 200, await answer.text()


async def _digests(pool: Pool) -> list[list[str]]:
    return [[line["sku"] for line in digest["data"]["products"]] for digest in await outbox(pool, "stock.low_digest")]


async def test_low_products_are_told_once_and_in_one_digest_for_each_vendor(
    vendor: Client, other_vendor: Client, admin: Client, low_stock: LowStock, pool: Pool
) -> None:
    low = [await make_approved(vendor, admin, on_hand=number) for number in (0, 5)]
    await make_approved(vendor, admin, on_hand=6)
    await make_product(vendor, on_hand=0)
    others = await make_approved(other_vendor, admin, on_hand=1)
    done = await low_stock.check()
    assert (done.alerts, done.vendors, done.products, done.open_alerts) == (3, 2, 3, 3)
    digests = {digest["data"]["vendor_id"]: digest["data"] for digest in await outbox(pool, "stock.low_digest")}
    assert {line["product_id"] for line in digests[low[0]["vendor"]["id"]]["products"]} == {one["id"] for one in low}
    assert [line["sku"] for line in digests[others["vendor"]["id"]]["products"]] == [others["sku"]]
    assert len(await outbox(pool, "stock.low")) == 3
    again = await low_stock.check()
    assert (again.alerts, again.recovered, again.vendors, again.products, again.open_alerts) == (0, 0, 0, 0, 3)


async def test_two_checks_at_once_open_each_alert_once_and_tell_it_once(
    vendor: Client, admin: Client, low_stock: LowStock, pool: Pool
) -> None:
    for _ in range(3):
        await make_approved(vendor, admin, on_hand=0)
    counts = await asyncio.gather(*(low_stock.check() for _ in range(4)))
    assert sum(count.alerts for count in counts) == len(await outbox(pool, "stock.low")) == 3
    assert len(await _digests(pool)) == 1


async def test_a_sale_that_reaches_the_threshold_opens_the_alert_with_it_and_is_told_without_a_check(
    vendor: Client, admin: Client, channel: Client, low_stock: LowStock, pool: Pool
) -> None:
    one, two = [await make_approved(vendor, admin, on_hand=8) for _ in range(2)]
    await _sell(channel, one, 2)
    assert await low_stock.run_once() == 0
    await _sell(channel, one, 1)
    assert (await outbox_kinds(pool))[-3:] == ["stock.changed", "stock.low", "order.placed"]
    await _sell(channel, two, 8)
    assert await low_stock.run_once() == 2
    assert await _digests(pool) == [[two["sku"], one["sku"]]]
    assert await low_stock.run_once() == 0


async def test_what_falls_low_in_one_rush_comes_in_one_mail(
    vendor: Client, admin: Client, channel: Client, pool: Pool
) -> None:
    patient = LowStock(pool=pool, outbox=Outbox("catalog"), settle_seconds=600)
    products = [await make_approved(vendor, admin, on_hand=6) for _ in range(4)]
    for product in products[:3]:
        await _sell(channel, product, 1)
        assert await patient.run_once() == 0, "another may be sold in a moment"
    settled = LowStock(pool=pool, outbox=Outbox("catalog"), settle_seconds=0)
    assert await settled.run_once() == 3
    await _sell(channel, products[3], 1)
    assert await settled.run_once() == 0, "the vendor was told just now: the next check tells the rest"
    assert (await settled.check()).products == 1
    assert [len(digest) for digest in await _digests(pool)] == [3, 1]


@pytest.mark.parametrize("pieces", [1, 60], ids=["around the threshold", "far above it and back"])
async def test_twenty_flaps_make_one_mail(
    vendor: Client, admin: Client, channel: Client, pool: Pool, pieces: int
) -> None:
    eager = LowStock(pool=pool, outbox=Outbox("catalog"), settle_seconds=0, spacing_seconds=0)
    product = await make_approved(vendor, admin, on_hand=5 + pieces)
    for _ in range(20):
        sold = await _sell(channel, product, pieces)
        await eager.run_once()
        await eager.check()
        await _cancel(channel, sold)
        await eager.check()
    assert await _digests(pool) == [[product["sku"]]]
    flaps = 1 if pieces == 1 else 20
    assert len(await outbox(pool, "stock.low")) == flaps
    assert len(await outbox(pool, "stock.recovered")) == (0 if pieces == 1 else 20)


async def test_a_product_that_recovers_can_be_low_again_and_is_told_once_it_was_quiet(
    vendor: Client, admin: Client, pool: Pool
) -> None:
    quiet = LowStock(pool=pool, outbox=Outbox("catalog"), settle_seconds=0, spacing_seconds=0)
    loud = LowStock(pool=pool, outbox=Outbox("catalog"), settle_seconds=0, spacing_seconds=0, quiet_seconds=0)
    product = await make_approved(vendor, admin, on_hand=5)
    assert (await quiet.check()).products == 1
    await _count(vendor, product, now=5, then=6)
    assert (await outbox_kinds(pool))[-1] == "stock.changed", "a fifth above the threshold is not reached"
    await _count(vendor, product, now=6, then=7)
    assert (await outbox_kinds(pool))[-2:] == ["stock.changed", "stock.recovered"]
    await _count(vendor, product, now=7, then=1)
    assert (await outbox_kinds(pool))[-1] == "stock.low"
    assert (await quiet.check()).products == 0
    assert (await loud.check()).products == 1


async def test_alerts_follow_thresholds_with_the_next_check(
    vendor: Client, admin: Client, ops: Client, low_stock: LowStock, pool: Pool
) -> None:
    product = await make_approved(vendor, admin, on_hand=8)
    at = f"{INVENTORY}/{product['id']}"

    async def threshold() -> tuple[int, int | None]:
        async with vendor.get(at) as answer:
            level = await answer.json()
            return level["threshold"], level["own_threshold"]

    assert await threshold() == (5, None)
    for client, path in ((admin, "/api/admin"), (vendor, "/api/vendor")):
        limit = 10 if client is admin else 9
        async with client.put(f"{path}/inventory-defaults", json={"threshold": limit}) as answer:
            assert (answer.status, (await answer.json())["threshold"]) == (200, limit)
        assert await threshold() == (limit, None)
    assert (await low_stock.check()).alerts == 1
    async with vendor.put(f"{at}/threshold", json={"threshold": 2}) as answer:
        assert (await answer.json())["is_low"] is False
    assert (await outbox_kinds(pool))[-1] == "stock.recovered"
    assert await threshold() == (2, 2)
    async with vendor.put(f"{at}/threshold", json={"threshold": None}) as answer:
        assert (await answer.json())["threshold"] == 9
    assert (await low_stock.check()).alerts == 1
    async with vendor.put("/api/vendor/inventory-defaults", json={"threshold": None}) as answer:
        assert await answer.json() == {"threshold": None, "marketplace_threshold": 10}
    async with admin.put("/api/admin/inventory-defaults", json={"threshold": 3}) as answer:
        assert answer.status == 200
    assert (await low_stock.check()).recovered == 1
    async with ops.get("/api/admin/inventory-defaults") as answer:
        assert await answer.json() == {"threshold": 3}


async def test_a_digest_names_the_most_urgent_and_counts_the_rest(
    vendor: Client, admin: Client, low_stock: LowStock, pool: Pool
) -> None:
    product = await make_approved(vendor, admin, on_hand=5)
    await pool.execute(
        """
        WITH more AS (
            INSERT INTO catalog.products
                (id, vendor_id, sku, slug, title, description, price_minor, currency, category, status)
            SELECT gen_random_uuid(), vendor_id, 'bulk-' || n, 'bulk-' || n, title, '', 100, 'EUR', category, 'approved'
            FROM catalog.products, generate_series(1, 250) AS n WHERE id = $1
            RETURNING id
        )
        INSERT INTO catalog.stock (product_id, on_hand) SELECT id, 0 FROM more
        """,
        product["id"],
    )
    assert (await low_stock.check()).products == 251
    [digest] = await outbox(pool, "stock.low_digest")
    assert (len(digest["data"]["products"]), digest["data"]["more"]) == (200, 51)
    assert {line["on_hand"] for line in digest["data"]["products"]} == {0}
