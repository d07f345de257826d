"""Orders over HTTP, on the real database."""

import asyncio
import random
from typing import Any

import pytest

from services.catalog.inventory.low_stock import LowStock
from shared.db.outbox import Outbox
from shared.db.pool import Pool
from tests.factories import make_approved, make_product, order
from tests.integration.catalog.conftest import Client
from tests.integration.catalog.told import outbox, outbox_kinds, rows
from tests.stock import check_stock

UNKNOWN = "018f5b1c-0000-7000-8000-000000000000"


async def _on_hand(vendor: Client) -> dict[str, int]:
    async with vendor.get("/api/vendor/inventory") as answer:
        return {item["product_id"]: item["on_hand"] for item in (await answer.json())["items"]}


async def test_an_order_takes_from_stock_and_is_told_with_it(
    vendor: Client, other_vendor: Client, admin: Client, channel: Client, pool: Pool
) -> None:
    chair = await make_approved(vendor, admin, on_hand=10)
    lamp = await make_approved(other_vendor, admin, on_hand=3)
    given = order((chair["id"], 2), (lamp["id"], 3), (chair["id"], 1), placed_at="2026-11-02T10:00:00+01:00")
    async with channel.post("/api/orders", json=given) as answer:
        placed = await answer.json()
        assert answer.status == 201, placed
    assert (placed["status"], placed["placed_at"]) == ("placed", "2026-11-02T09:00:00Z")
    assert [(line["title"], line["quantity"]) for line in placed["lines"]] == [
        (chair["title"], 2),
        (lamp["title"], 3),
        (chair["title"], 1),
    ]
    assert (await _on_hand(vendor), await _on_hand(other_vendor)) == ({chair["id"]: 7}, {lamp["id"]: 0})
    assert sorted((await outbox_kinds(pool))[-4:]) == ["order.placed", "stock.changed", "stock.changed", "stock.low"]
    [told] = await outbox(pool, "order.placed")
    assert [line["vendor_id"] for line in told["data"]["lines"]] == [
        chair["vendor"]["id"],
        lamp["vendor"]["id"],
        chair["vendor"]["id"],
    ]


async def test_a_hundred_buyers_of_one_piece_buy_one(
    vendor: Client, admin: Client, channel: Client, pool: Pool
) -> None:
    product = await make_approved(vendor, admin, on_hand=1)
    answers = await asyncio.gather(*(channel.post("/api/orders", json=order((product["id"], 1))) for _ in range(100)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 99
    assert await _on_hand(vendor) == {product["id"]: 0}
    assert await rows(pool, "orders") == len(await outbox(pool, "order.placed")) == 1
    await check_stock(pool)


async def test_orders_of_the_same_products_in_any_order_do_not_block_each_other(
    vendor: Client, admin: Client, channel: Client
) -> None:
    one, two = [(await make_approved(vendor, admin, on_hand=100))["id"] for _ in range(2)]
    bodies = [order((one, 1), (two, 1)) if number % 2 else order((two, 1), (one, 1)) for number in range(20)]
    answers = await asyncio.gather(*(channel.post("/api/orders", json=body) for body in bodies))
    assert {answer.status for answer in answers} == {201}
    assert await _on_hand(vendor) == {one: 80, two: 80}


async def test_many_lines_in_any_order_with_returns_counts_and_checks_between_do_not_block_each_other(
    vendor: Client, admin: Client, channel: Client, pool: Pool
) -> None:
    products = [(await make_approved(vendor, admin, on_hand=40))["id"] for _ in range(6)]
    low_stock = LowStock(pool=pool, outbox=Outbox("catalog"), settle_seconds=0, spacing_seconds=0)
    shuffled = random.Random(6)

    async def trade(number: int) -> None:
        lines = [(product, 1 + number % 3) for product in shuffled.sample(products, 5)]
        async with channel.post("/api/orders", json=order(*lines)) as answer:
            assert answer.status in (201, 409), await answer.text()
            placed = await answer.json() if answer.status == 201 else None
        if placed and number % 2:
            async with channel.post(f"/api/orders/{placed['id']}/cancel") as answer:
                assert answer.status == 200

    async def count(number: int) -> None:
        lines = [{"product_id": product, "delta": 1} for product in shuffled.sample(products, 6)]
        async with vendor.post("/api/vendor/inventory/adjust", json={"lines": lines}) as answer:
            assert answer.status == 200, (number, await answer.text())

    await asyncio.gather(
        *(trade(number) for number in range(40)),
        *(count(number) for number in range(10)),
        *(low_stock.check() for _ in range(5)),
    )
    await check_stock(pool)


async def test_an_order_sent_again_is_the_same_order(
    vendor: Client, admin: Client, channel: Client, pool: Pool
) -> None:
    product = await make_approved(vendor, admin, on_hand=10)
    given = order((product["id"], 2))
    answers = await asyncio.gather(*(channel.post("/api/orders", json=given) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 200, 200, 200, 201]
    assert len({(await answer.read()) for answer in answers}) == 1
    assert await _on_hand(vendor) == {product["id"]: 8}
    assert len(await outbox(pool, "order.placed")) == 1
    other = {**given, "lines": order((product["id"], 3))["lines"]}
    async with channel.post("/api/orders", json=other) as answer:
        assert (answer.status, (await answer.json())["type"]) == (409, "urn:souk:problem:order_differs")
    assert await _on_hand(vendor) == {product["id"]: 8}


async def test_what_is_short_is_listed_and_nothing_is_sold(
    vendor: Client, admin: Client, channel: Client, pool: Pool
) -> None:
    plenty = await make_approved(vendor, admin, on_hand=10)
    scarce = await make_approved(vendor, admin, on_hand=3)
    given = order((plenty["id"], 1), (scarce["id"], 2), (scarce["id"], 2))
    async with channel.post("/api/orders", json=given) as answer:
        problem = await answer.json()
        assert (answer.status, problem["type"]) == (409, "urn:souk:problem:insufficient_stock")
    assert [(error["pointer"], error["detail"]) for error in problem["errors"]] == [
        ("/lines/1/quantity", "4 wanted, 3 in stock"),
        ("/lines/2/quantity", "4 wanted, 3 in stock"),
    ]
    assert await _on_hand(vendor) == {plenty["id"]: 10, scarce["id"]: 3}
    assert await rows(pool, "orders") == 0
    assert await outbox(pool, "order.placed") == []


async def test_only_what_is_in_the_catalogue_is_sold(
    vendor: Client, admin: Client, channel: Client, pool: Pool
) -> None:
    pending = await make_product(vendor)
    async with channel.post("/api/orders", json=order((pending["id"], 1))) as answer:
        assert (answer.status, (await answer.json())["type"]) == (409, "urn:souk:problem:not_for_sale")
    async with channel.post("/api/orders", json=order((pending["id"], 1), (UNKNOWN, 1))) as answer:
        assert answer.status == 422
        assert [error["pointer"] for error in (await answer.json())["errors"]] == ["/lines/1/product_id"]
    assert await rows(pool, "orders") == 0


async def test_a_cancelled_order_returns_its_stock_once(
    vendor: Client, admin: Client, channel: Client, pool: Pool
) -> None:
    product = await make_approved(vendor, admin, on_hand=5)
    async with channel.post("/api/orders", json=order((product["id"], 2), (product["id"], 1))) as answer:
        placed = await answer.json()
    at = f"/api/orders/{placed['id']}/cancel"
    answers = await asyncio.gather(*(channel.post(at) for _ in range(5)))
    assert {(answer.status, (await answer.json())["status"]) for answer in answers} == {(200, "cancelled")}
    assert await _on_hand(vendor) == {product["id"]: 5}
    [told] = await outbox(pool, "order.cancelled")
    assert told["data"]["order_id"] == placed["id"]


async def test_an_order_that_does_not_exist_is_not_found(channel: Client) -> None:
    for order_id in (UNKNOWN, "none"):
        async with channel.post(f"/api/orders/{order_id}/cancel") as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"lines": []}, "/lines"),
        ({"external_id": ""}, "/external_id"),
        ({"external_id": "a b"}, "/external_id"),
        ({"placed_at": "2026-11-02T10:00:00"}, "/placed_at"),
        ({"placed_at": "2999-01-01T00:00:00Z"}, "/placed_at"),
        ({"lines": [{"product_id": UNKNOWN, "quantity": 0, "unit_price": None}]}, "/lines/0/quantity"),
        ({"lines": [{"product_id": UNKNOWN, "quantity": 1}]}, "/lines/0/unit_price"),
    ],
)
async def test_an_order_that_does_not_fit_is_pointed_at(channel: Client, fields: dict[str, Any], pointer: str) -> None:
    async with channel.post("/api/orders", json=order((UNKNOWN, 1), **fields)) as answer:
        assert answer.status == 422
        assert pointer in {error["pointer"] for error in (await answer.json())["errors"]}


async def test_only_channels_sell(vendor: Client, admin: Client, anonymous: Client) -> None:
    statuses = [
        (await client.post("/api/orders", json=order((UNKNOWN, 1)))).status for client in (vendor, admin, anonymous)
    ]
    assert statuses == [403, 403, 401]
