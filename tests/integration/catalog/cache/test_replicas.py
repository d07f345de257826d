"""Two replicas answer rightly after every change, live and with the broker away, and count what they do."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from shared import tracing
from tests.eventually import eventually
from tests.factories import make_approved, make_product, order
from tests.faults.proxy import FaultProxy
from tests.integration.catalog.cache.conftest import Replicas
from tests.integration.catalog.conftest import Client, Gateway

WITHIN_SECONDS = 1.0


async def _within_a_second(probe: Callable[[], Awaitable[bool]]) -> None:
    started = time.monotonic()
    await eventually(probe, 5, every=0.01)
    assert time.monotonic() - started < WITHIN_SECONDS


async def test_ten_reads_of_a_product_are_nine_hits(replicas: Replicas, vendor: Client, admin: Client) -> None:
    product = await make_approved(vendor, admin)
    shown = [await replicas.json(replicas.b, f"/api/products/{product['id']}") for _ in range(10)]
    assert shown == [shown[0]] * 10
    of_b = await replicas.counts(replicas.b)
    assert (of_b["hits"], of_b["misses"], of_b["hit_rate"]) == (9, 1, 0.9)
    assert of_b["sizes"] == {
        "product": "1/5000",
        "vendor": "0/1000",
        "inventory": "0/10000",
        "lists": "0/500",
        "pages": "0/2000",
    }


async def test_the_second_list_of_48_comes_from_the_cache(replicas: Replicas, vendor: Client, admin: Client) -> None:
    await asyncio.gather(*(make_approved(vendor, admin) for _ in range(48)))
    lists = [await replicas.json(replicas.a, "/api/products?limit=48") for _ in range(2)]
    assert len(lists[0]["items"]) == 48
    assert lists[0] == lists[1]
    cache = (await replicas.counts(replicas.a))["caches"]["lists"]
    assert (cache["hits"], cache["misses"], cache["size"]) == (1, 1, 1)


async def test_a_known_answer_is_304_from_the_cache_and_the_same_on_both(
    replicas: Replicas, vendor: Client, admin: Client
) -> None:
    product = await make_approved(vendor, admin)
    maker = product["vendor"]["id"]
    for path in (f"/api/products/{product['id']}", f"/api/products/{product['slug']}", f"/api/vendors/{maker}"):
        async with replicas.nobody.get(f"{replicas.a}{path}") as answer:
            etag, body = answer.headers["ETag"], await answer.read()
        for replica in (replicas.a, replicas.b):
            async with replicas.nobody.get(f"{replica}{path}") as answer:
                assert (answer.headers["ETag"], await answer.read()) == (etag, body)
            async with replicas.nobody.get(f"{replica}{path}", headers={"If-None-Match": etag}) as answer:
                assert (answer.status, answer.headers["ETag"], await answer.read()) == (304, etag, b"")
    async with replicas.nobody.get(f"{replicas.a}/api/products") as answer:
        etag = answer.headers["ETag"]
    async with replicas.nobody.get(f"{replicas.b}/api/products", headers={"If-None-Match": f"W/{etag}"}) as answer:
        assert answer.status == 304


async def test_approving_shows_on_both_replicas_within_a_second(
    replicas: Replicas, vendor: Client, admin: Client
) -> None:
    product = await make_product(vendor)
    path = f"/api/products/{product['id']}"
    for replica in (replicas.a, replicas.b):
        await replicas.json(replica, path, status=404)
        await replicas.json(replica, f"/api/products/{product['slug']}", status=404)
        assert (await replicas.json(replica, "/api/products"))["items"] == []
    async with admin.post(f"/api/admin/products/{product['id']}/approve") as answer:
        assert answer.status == 200
    assert (await replicas.json(replicas.a, path))["status"] == "approved", "at once where it was decided"
    assert len((await replicas.json(replicas.a, "/api/products"))["items"]) == 1

    async def shown_by_b() -> bool:
        by_id, by_slug = (
            await replicas.json(replicas.b, path),
            await replicas.json(replicas.b, f"/api/products/{product['slug']}"),
        )
        listed = (await replicas.json(replicas.b, "/api/products"))["items"]
        return bool(by_id["id"] == by_slug["id"] and len(listed) == 1)

    await _within_a_second(shown_by_b)


async def _change_price(vendor: Client, product: dict[str, Any]) -> None:
    async with vendor.get(f"/api/vendor/products/{product['id']}") as answer:
        etag = answer.headers["ETag"]
    body = {"price": {"amount_minor": 77, "currency": "EUR"}}
    async with vendor.patch(f"/api/vendor/products/{product['id']}", json=body, headers={"If-Match": etag}) as answer:
        assert answer.status == 200, await answer.text()


async def test_every_change_is_seen_at_once_where_it_was_made_and_soon_elsewhere(
    replicas: Replicas, vendor: Client, admin: Client, channel: Client
) -> None:
    product = await make_approved(vendor, admin, on_hand=2)
    maker = product["vendor"]["id"]
    path, stock_path = f"/api/products/{product['id']}", f"/api/vendor/inventory/{product['id']}"
    vendor_path = f"/api/vendors/{maker}"

    async def see(replica: str, expected: Callable[[Any], bool], at: str = path) -> bool:
        async with vendor.get(f"{replica}{at}") as answer:
            return expected({"http": answer.status, **await answer.json()})

    async def changed(change: Callable[[], Awaitable[object]], expected: Callable[[Any], bool], at: str = path) -> None:
        for replica in (replicas.a, replicas.b):
            assert not await see(replica, expected, at)
        await change()
        assert await see(replicas.a, expected, at), "at once where it was made"
        await _within_a_second(lambda: see(replicas.b, expected, at))

    async def post(client: Client, at: str, body: object = None) -> None:
        async with client.post(at, json=body) as answer:
            assert answer.status in (200, 201), await answer.text()

    async def threshold() -> None:
        async with vendor.put(f"{stock_path}/threshold", json={"threshold": 9}) as answer:
            assert answer.status == 200

    async def restock() -> None:
        lines = [{"product_id": product["id"], "delta": 20}]
        await post(vendor, "/api/vendor/inventory/adjust", {"lines": lines, "kind": "receive"})

    async def draft() -> None:
        await make_product(vendor, sku="NEW-1")

    async def rename() -> None:
        async with admin.get(f"/api/admin/vendors/{maker}") as answer:
            etag = answer.headers["ETag"]
        body = {"name": "Renamed"}
        async with admin.patch(f"/api/admin/vendors/{maker}", json=body, headers={"If-Match": etag}) as answer:
            assert answer.status == 200

    await changed(lambda: _change_price(vendor, product), lambda it: it["price"]["amount_minor"] == 77)
    await changed(threshold, lambda it: it["threshold"] == 9, stock_path)
    await changed(
        lambda: post(channel, "/api/orders", order((product["id"], 2))), lambda it: it["on_hand"] == 0, stock_path
    )
    assert await see(replicas.b, lambda it: not it["in_stock"])
    await changed(restock, lambda it: it["items"][0]["on_hand"] == 20, "/api/vendor/inventory?limit=5")
    await changed(draft, lambda it: it["items"][0]["sku"] == "NEW-1", "/api/vendor/inventory?limit=5")
    await changed(rename, lambda it: it["name"] == "Renamed", vendor_path)
    assert await see(replicas.b, lambda it: it["vendor"]["name"] == "Renamed")
    await changed(lambda: post(admin, f"/api/admin/vendors/{maker}/suspend"), lambda it: it["http"] == 404)
    assert await see(replicas.b, lambda it: it["http"] == 404, vendor_path)
    await changed(lambda: post(admin, f"/api/admin/vendors/{maker}/reinstate"), lambda it: it["http"] == 200)
    await changed(
        lambda: post(admin, f"/api/admin/products/{product['id']}/suspend", {"note": "x"}), lambda it: it["http"] == 404
    )


async def test_with_the_broker_away_a_change_on_one_replica_is_read_on_the_other_at_once(
    replicas: Replicas, vendor: Client, admin: Client, way: FaultProxy
) -> None:
    product = await make_approved(vendor, admin)
    path = f"/api/products/{product['id']}"

    async def price(replica: str) -> int:
        return int((await replicas.json(replica, path))["price"]["amount_minor"])

    async def listed(replica: str) -> int:
        return int((await replicas.json(replica, "/api/products"))["items"][0]["price"]["amount_minor"])

    for read in (price, listed):
        assert [await read(replica) for replica in (replicas.a, replicas.b)] == [12900, 12900]
    way.cut()
    await replicas.are_live(False)
    hits = (await replicas.counts(replicas.b))["caches"]["product"]["hits"]
    assert await price(replicas.b) == 12900
    assert (await replicas.counts(replicas.b))["caches"]["product"]["hits"] == hits + 1, "checked, and a hit"
    await _change_price(vendor, product)
    for read in (price, listed):
        assert [await read(replica) for replica in (replicas.b, replicas.a)] == [77, 77]
    await way.join()
    await replicas.are_live()
    assert [await price(replica) for replica in (replicas.a, replicas.b)] == [77, 77]


async def test_another_vendors_level_is_not_found_though_it_is_cached(
    replicas: Replicas, vendor: Client, other_vendor: Client, admin: Client
) -> None:
    product = await make_approved(vendor, admin)
    for client, status in ((vendor, 200), (other_vendor, 404), (vendor, 200), (other_vendor, 404)):
        async with client.get(f"/api/vendor/inventory/{product['id']}") as answer:
            assert answer.status == status
    cache = (await replicas.counts(replicas.a))["caches"]["inventory"]
    assert (cache["hits"], cache["size"]) == (1, 1)


async def test_a_bad_query_is_refused_and_not_kept(replicas: Replicas) -> None:
    for query in ("limit=0", "limit=x", "nonsense=1", "cursor=abc") * 2:
        async with replicas.nobody.get(f"{replicas.a}/api/products?{query}") as answer:
            assert answer.status == 422, query
    assert (await replicas.counts(replicas.a))["caches"]["lists"]["size"] == 0


async def test_clearing_empties_every_replica_and_counts(
    replicas: Replicas, vendor: Client, admin: Client, gateway: Gateway
) -> None:
    product = await make_approved(vendor, admin)
    for replica in (replicas.a, replicas.b):
        await replicas.json(replica, f"/api/products/{product['id']}")
        await replicas.json(replica, "/api/products")
    async with admin.post("/api/admin/cache/clear") as answer:
        assert answer.status == 200, await answer.text()
        cleared = await answer.json()
    assert (cleared["mode"], cleared["replicas"], cleared["answered"], cleared["missing"]) == ("clear", 2, 2, [])
    assert cleared["removed"] == 4
    assert {removed["product"] for removed in cleared["by_replica"].values()} == {1}
    async with admin.get("/api/admin/cache") as answer:
        shown = await answer.json()
    assert len(shown["replicas"]) == 2
    async with admin.post("/api/admin/cache/clear", json={"mode": "expire"}) as answer:
        assert (await answer.json())["removed"] == 0
    lines = await gateway.pool.fetchval("SELECT count(*) FROM catalog.audit WHERE action = 'cache.cleared'")
    assert lines == 2


async def test_the_sum_is_that_of_the_replicas(replicas: Replicas, vendor: Client, admin: Client) -> None:
    product = await make_approved(vendor, admin)
    for replica in (replicas.a, replicas.b):
        for _ in range(3):
            await replicas.json(replica, f"/api/products/{product['id']}")
        await replicas.counts(replica)
    async with admin.get("/api/admin/cache") as answer:
        shown = await answer.json()
    assert (shown["sum"]["hits"], shown["sum"]["misses"], shown["sum"]["hit_rate"]) == (4, 2, 0.6667)
    assert shown["sum"]["sizes"]["product"] == "2/10000"


async def test_vendors_neither_see_nor_clear_caches(replicas: Replicas, vendor: Client, ops: Client) -> None:
    for client, status in ((vendor, 403), (ops, 200)):
        async with client.get("/api/admin/cache") as answer:
            assert answer.status == status
    for client in (vendor, ops):
        async with client.post("/api/admin/cache/clear") as answer:
            assert answer.status == 403


async def test_a_cached_read_has_the_headers_of_any_other(replicas: Replicas, vendor: Client, admin: Client) -> None:
    product = await make_approved(vendor, admin)
    offered = {"X-Request-Id": "an-id-of-the-caller"}
    for path in (f"/api/products/{product['id']}", "/api/products", f"/api/vendors/{product['vendor']['slug']}"):
        answers, request_id = [], ""
        for headers in ({}, {}, offered):
            async with replicas.nobody.get(f"{replicas.a}{path}", headers=headers) as answer:
                # What memory answers belongs to no trace, unless its caller records one.
                names = sorted(set(answer.headers) - {tracing.ANSWER_HEADER})
                answers.append((answer.status, names, await answer.read()))
                request_id = answer.headers["X-Request-Id"]
        assert answers[0] == answers[1] == answers[2]
        assert request_id == offered["X-Request-Id"]
        async with replicas.nobody.head(f"{replicas.a}{path}") as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        async with replicas.nobody.post(f"{replicas.a}{path}") as answer:
            assert answer.status == 405
    assert (await replicas.counts(replicas.a))["hits"] == 9
