"""Stock over HTTP, on the real database."""

import asyncio
from typing import Any

import asyncpg
import pytest

from shared.db.pool import Pool
from tests.factories import make_approved, make_product, order
from tests.integration.catalog.conftest import Client
from tests.integration.catalog.told import outbox, rows
from tests.stock import check_stock

INVENTORY = "/api/vendor/inventory"


async def _movements(vendor: Client, product_id: str) -> list[dict[str, Any]]:
    async with vendor.get(f"{INVENTORY}/{product_id}/movements") as answer:
        found: list[dict[str, Any]] = (await answer.json())["items"]
        return found


async def test_a_counted_level_is_a_movement_and_an_event(vendor: Client, pool: Pool) -> None:
    product = await make_product(vendor, on_hand=10)
    at = f"{INVENTORY}/{product['id']}"
    async with vendor.put(at, json={"on_hand": 7, "expected_on_hand": 10}) as answer:
        assert (answer.status, (await answer.json())["on_hand"]) == (200, 7)
    moved = [(step["kind"], step["delta"], step["on_hand"]) for step in await _movements(vendor, product["id"])]
    assert moved == [("adjust", -3, 7), ("receive", 10, 10)]
    changed = (await outbox(pool, "stock.changed"))[-1]["data"]
    assert (changed["delta"], changed["on_hand"], changed["version"]) == (-3, 7, 2)
    assert changed["vendor_id"] == product["vendor"]["id"]


async def test_a_stale_count_is_refused_with_the_level_as_it_is(vendor: Client) -> None:
    product = await make_product(vendor, on_hand=10)
    async with vendor.put(f"{INVENTORY}/{product['id']}", json={"on_hand": 7, "expected_on_hand": 9}) as answer:
        problem = await answer.json()
        assert (answer.status, problem["type"]) == (409, "urn:souk:problem:stale_quantity")
    assert problem["errors"] == [{"pointer": "/expected_on_hand", "code": "stale_quantity", "detail": "10"}]
    assert len(await _movements(vendor, product["id"])) == 1


async def test_of_many_counts_at_once_one_wins(vendor: Client) -> None:
    product = await make_product(vendor, on_hand=10)
    at = f"{INVENTORY}/{product['id']}"
    answers = await asyncio.gather(
        *(vendor.put(at, json={"on_hand": 20 + number, "expected_on_hand": 10}) for number in range(8))
    )
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7


async def test_stock_is_its_vendors_alone(vendor: Client, other_vendor: Client) -> None:
    product = await make_product(vendor)
    at = f"{INVENTORY}/{product['id']}"
    answers = [
        await other_vendor.put(at, json={"on_hand": 0, "expected_on_hand": 10}),
        await other_vendor.put(f"{at}/threshold", json={"threshold": 3}),
        await other_vendor.get(f"{at}/movements"),
    ]
    assert [answer.status for answer in answers] == [404, 404, 404]
    async with other_vendor.get(INVENTORY) as answer:
        assert (await answer.json())["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {"on_hand": -1, "expected_on_hand": 10},
        {"on_hand": "7", "expected_on_hand": 10},
        {"on_hand": 2**31, "expected_on_hand": 10},
        {"on_hand": 7},
        {"on_hand": 7.0, "expected_on_hand": 10},
    ],
)
async def test_a_level_that_does_not_fit_changes_nothing(vendor: Client, body: dict[str, Any]) -> None:
    product = await make_product(vendor, on_hand=10)
    async with vendor.put(f"{INVENTORY}/{product['id']}", json=body) as answer:
        assert answer.status == 422
    async with vendor.get(INVENTORY) as answer:
        assert [item["on_hand"] for item in (await answer.json())["items"]] == [10]


async def test_the_database_itself_keeps_levels_and_movements(vendor: Client, pool: Pool) -> None:
    await make_product(vendor)
    with pytest.raises(asyncpg.CheckViolationError):
        await pool.execute("UPDATE catalog.stock SET on_hand = -1")
    with pytest.raises(asyncpg.RaiseError):
        await pool.execute("UPDATE catalog.movements SET delta = 1")
    with pytest.raises(asyncpg.RaiseError):
        await pool.execute("DELETE FROM catalog.movements")


async def test_the_sum_of_the_movements_is_the_level(
    vendor: Client, admin: Client, channel: Client, pool: Pool
) -> None:
    product = await make_approved(vendor, admin, on_hand=10)
    async with channel.post("/api/orders", json=order((product["id"], 4))) as answer:
        placed = await answer.json()
    async with vendor.put(f"{INVENTORY}/{product['id']}", json={"on_hand": 5, "expected_on_hand": 6}) as answer:
        assert answer.status == 200
    async with channel.post(f"/api/orders/{placed['id']}/cancel") as answer:
        assert answer.status == 200
    moved = await _movements(vendor, product["id"])
    assert [(step["kind"], step["delta"]) for step in moved] == [
        ("return", 4),
        ("adjust", -1),
        ("sale", -4),
        ("receive", 10),
    ]
    assert moved[0]["on_hand"] == sum(step["delta"] for step in moved) == 9
    await check_stock(pool)
    assert moved[0]["reference"] == f"order {placed['id']}"
    async with vendor.get(f"{INVENTORY}/{product['id']}/movements?limit=3") as answer:
        following = (await answer.json())["next"]
    async with vendor.get(f"{INVENTORY}/{product['id']}/movements?cursor={following}") as answer:
        assert [step["kind"] for step in (await answer.json())["items"]] == ["receive"]


async def test_adjustments_happen_together_or_not_at_all(vendor: Client, other_vendor: Client, pool: Pool) -> None:
    one, two = await make_product(vendor, on_hand=10), await make_product(vendor, on_hand=1)
    foreign = await make_product(other_vendor, on_hand=10)
    at = f"{INVENTORY}/adjust"

    def lines(*deltas: tuple[dict[str, Any], int]) -> dict[str, Any]:
        return {"lines": [{"product_id": product["id"], "delta": delta} for product, delta in deltas], "note": "count"}

    async with vendor.post(at, json=lines((one, -3), (two, -2))) as answer:
        problem = await answer.json()
        assert (answer.status, problem["errors"][0]["pointer"]) == (409, "/lines/1/delta")
    async with vendor.post(at, json=lines((one, -3), (foreign, 1))) as answer:
        problem = await answer.json()
        assert (answer.status, problem["errors"][0]["pointer"]) == (422, "/lines/1/product_id")
    for refused in (lines(), lines((one, 0)), lines((one, 1), (one, 1)), lines(*[(one, 1)] * 251)):
        async with vendor.post(at, json=refused) as answer:
            assert answer.status == 422
    assert await _movements(vendor, one["id"]) == (await _movements(vendor, one["id"]))[-1:]
    async with vendor.post(at, json=lines((one, -3), (two, 5))) as answer:
        assert {item["on_hand"] for item in (await answer.json())["items"]} == {7, 6}
    assert (await _movements(vendor, one["id"]))[0]["reference"] == "count"
    assert len(await outbox(pool, "stock.changed")) == 5


async def test_a_level_has_an_upper_end(vendor: Client) -> None:
    product = await make_product(vendor, on_hand=10**9)
    for _ in range(2):
        adjusted = {"lines": [{"product_id": product["id"], "delta": 10**9}]}
        async with vendor.post(f"{INVENTORY}/adjust", json=adjusted) as answer:
            assert answer.status == 409


async def test_each_line_can_be_done_for_itself_and_a_repeated_request_is_answered_alike(
    vendor: Client, other_vendor: Client, pool: Pool
) -> None:
    one, two = await make_product(vendor, on_hand=10), await make_product(vendor, on_hand=1)
    foreign = await make_product(other_vendor, on_hand=10)
    deltas = ((one, -3), (two, -2), (foreign, 1))
    body = {
        "mode": "each",
        "lines": [{"product_id": product["id"], "delta": delta} for product, delta in deltas],
    }
    answers = []
    for _ in range(2):
        async with vendor.post(f"{INVENTORY}/adjust", json=body, headers={"Idempotency-Key": "recount-1"}) as answer:
            assert answer.status == 200
            answers.append(await answer.json())
    assert answers[0] == answers[1]
    assert answers[0]["items"] == [
        {"product_id": one["id"], "applied": True, "on_hand": 7},
        {"product_id": two["id"], "applied": False, "on_hand": 1, "code": "out_of_range"},
        {"product_id": foreign["id"], "applied": False, "on_hand": None, "code": "unknown_product"},
    ]
    assert await rows(pool, "movements") == 4
    await check_stock(pool)


async def test_goods_that_come_are_received(vendor: Client) -> None:
    product = await make_product(vendor, on_hand=0)
    for delta, status in ((-1, 422), (12, 200)):
        body = {"kind": "receive", "lines": [{"product_id": product["id"], "delta": delta}]}
        async with vendor.post(f"{INVENTORY}/adjust", json=body) as answer:
            assert answer.status == status
    assert [(step["kind"], step["delta"]) for step in await _movements(vendor, product["id"])] == [("receive", 12)]
