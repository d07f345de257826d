"""Products over HTTP, on the real database."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from services.catalog.products.models import submission_event_id
from shared.db.pool import Pool
from tests.factories import make_approved, make_product, offer
from tests.integration.catalog.conftest import Client
from tests.integration.catalog.told import audited, outbox, outbox_kinds, rows

PRODUCTS = "/api/vendor/products"


async def test_a_product_and_what_follows_from_it_commit_together(vendor: Client, pool: Pool) -> None:
    given = offer(
        images=[{"url": "https://example.com/a.jpg", "alt": "Front"}, {"url": "https://example.com/b.jpg"}],
        attributes={"wood": "oak", "seats": 1, "load_kg": 1.2e2, "is_oiled": True},
    )
    async with vendor.post(PRODUCTS, json=given) as answer:
        product, etag = await answer.json(), answer.headers["ETag"]
        assert answer.status == 201
        assert answer.headers["Location"] == f"{PRODUCTS}/{product['id']}"
    async with vendor.get(f"{PRODUCTS}/{product['id']}") as answer:
        assert (await answer.json(), answer.headers["ETag"]) == (product, etag), "what was written is what is read"
    assert (product["status"], product["on_hand"], product["version"]) == ("pending", 10, 1)
    assert [image["status"] for image in product["images"]] == ["pending", "pending"]
    assert await outbox_kinds(pool) == ["product.submitted", "image.added", "image.added", "stock.changed"]
    [submitted] = await outbox(pool, "product.submitted")
    assert product["jobs"] == f"/api/vendor/jobs?cause={submitted['id']}"
    assert submitted["data"]["vendor_id"] == product["vendor"]["id"]
    assert await audited(pool, product["id"]) == ["product.created", "product.submitted"]


async def test_a_draft_is_told_to_nobody(vendor: Client, pool: Pool) -> None:
    product = await make_product(vendor, submit=False, on_hand=0)
    assert (product["status"], product["jobs"]) == ("draft", None)
    assert await outbox_kinds(pool) == []


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"price": {"amount_minor": 19.99, "currency": "EUR"}}, "/price/amount_minor"),
        ({"price": {"amount_minor": "1999", "currency": "EUR"}}, "/price/amount_minor"),
        ({"price": {"amount_minor": True, "currency": "EUR"}}, "/price/amount_minor"),
        ({"price": {"amount_minor": -1, "currency": "EUR"}}, "/price/amount_minor"),
        ({"price": {"amount_minor": 1, "currency": "euro"}}, "/price/currency"),
        ({"price": {"amount_minor": 1, "currency": "EUR", "tax": 1}}, "/price/tax"),
        ({"category": "spaceships"}, "/category"),
        ({"on_hand": -1}, "/on_hand"),
        ({"on_hand": 10**12}, "/on_hand"),
        ({"title": "  "}, "/title"),
        ({"title": "two\nlines"}, "/title"),
        ({"title": "nul\x00"}, "/title"),
        ({"sku": "a b"}, "/sku"),
        ({"colour": "red"}, "/colour"),
        ({"images": [{"url": "file:///etc/passwd"}]}, "/images/0/url"),
        ({"images": [{"url": "https://example.com/a.jpg"}] * 13}, "/images"),
    ],
)
async def test_bad_input_is_pointed_at_and_changes_nothing(
    vendor: Client, pool: Pool, fields: dict[str, Any], pointer: str
) -> None:
    async with vendor.post(PRODUCTS, json=offer(**fields)) as answer:
        problem = await answer.json()
        assert answer.status == 422
        assert answer.content_type == "application/problem+json"
    assert pointer in {error["pointer"] for error in problem["errors"]}
    assert await rows(pool, "products") == await rows(pool, "stock") == 0
    assert await outbox_kinds(pool) == []


async def test_a_field_that_is_missing_is_pointed_at(vendor: Client) -> None:
    given = offer()
    del given["price"]
    async with vendor.post(PRODUCTS, json=given) as answer:
        assert answer.status == 422
        assert [error["pointer"] for error in (await answer.json())["errors"]] == ["/price"]


async def test_a_sku_is_one_vendors_once(vendor: Client, other_vendor: Client) -> None:
    product = await make_product(vendor, sku="CHAIR-1", submit=False)
    await make_product(other_vendor, sku="CHAIR-1")
    async with vendor.post(PRODUCTS, json=offer(sku="CHAIR-1")) as answer:
        assert answer.status == 409
        assert [error["pointer"] for error in (await answer.json())["errors"]] == ["/sku"]
    async with vendor.delete(f"{PRODUCTS}/{product['id']}") as answer:
        assert answer.status == 204
    await make_product(vendor, sku="CHAIR-1")


async def test_the_same_request_sent_again_makes_one_product(vendor: Client, pool: Pool) -> None:
    given, key = offer(), {"Idempotency-Key": "create-1"}
    async with vendor.post(PRODUCTS, json=given, headers=key) as first:
        made = await first.json()
    async with vendor.post(PRODUCTS, json=given, headers=key) as again:
        assert (again.status, await again.json()) == (201, made)
        assert again.headers["Idempotent-Replayed"] == "true"
    assert await rows(pool, "products") == 1


async def test_a_product_is_its_vendors_alone(vendor: Client, other_vendor: Client) -> None:
    product = await make_product(vendor)
    at = f"{PRODUCTS}/{product['id']}"
    etag = {"If-Match": f'"{product["version"]}"'}
    answers = [
        await other_vendor.get(at),
        await other_vendor.patch(at, json={"title": "Mine"}, headers=etag),
        await other_vendor.delete(at),
        await other_vendor.post(f"{at}/submit"),
        await other_vendor.post(f"{at}/withdraw"),
        await other_vendor.post(f"{at}/archive"),
        await other_vendor.get(f"{at}/timeline"),
        await other_vendor.post(f"{at}/images", json={"url": "https://example.com/a.jpg"}),
    ]
    assert {answer.status for answer in answers} == {404}
    async with vendor.get(at) as answer:
        assert await answer.json() == product
    async with other_vendor.get(PRODUCTS) as answer:
        assert (await answer.json())["items"] == []


async def test_a_change_needs_the_version_that_was_read(vendor: Client, pool: Pool) -> None:
    product = await make_product(vendor, submit=False)
    at = f"{PRODUCTS}/{product['id']}"
    async with vendor.get(at) as answer:
        etag = answer.headers["ETag"]
    async with vendor.get(at, headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
    async with vendor.patch(at, json={"title": "Ash chair"}) as answer:
        assert answer.status == 428
    async with vendor.patch(at, json={"title": "Ash chair"}, headers={"If-Match": etag}) as answer:
        assert answer.status == 200
        changed = await answer.json()
    assert (changed["title"], changed["version"]) == ("Ash chair", 2)
    async with vendor.patch(at, json={"title": "Elm chair"}, headers={"If-Match": etag}) as answer:
        assert answer.status == 412
    async with vendor.get(at, headers={"If-None-Match": etag}) as answer:
        assert (answer.status, (await answer.json())["title"]) == (200, "Ash chair")
    assert await outbox_kinds(pool) == ["stock.changed", "product.changed"]


async def test_of_two_changes_at_once_one_wins(vendor: Client) -> None:
    product = await make_product(vendor, submit=False)
    at, etag = f"{PRODUCTS}/{product['id']}", {"If-Match": f'"{product["version"]}"'}
    answers = await asyncio.gather(
        *(vendor.patch(at, json={"title": f"Chair {number}"}, headers=etag) for number in range(6))
    )
    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412, 412, 412]


@pytest.mark.parametrize("body", [{}, {"title": None}, {"on_hand": 3}, {"price": {"amount_minor": 1}}])
async def test_a_change_of_nothing_or_of_something_else_is_refused(vendor: Client, body: dict[str, Any]) -> None:
    product = await make_product(vendor, submit=False)
    async with vendor.patch(f"{PRODUCTS}/{product['id']}", json=body, headers={"If-Match": '"1"'}) as answer:
        assert answer.status == 422


async def test_what_an_admin_looks_at_stays_as_it_is_but_for_the_price(vendor: Client) -> None:
    product = await make_product(vendor)
    at = f"{PRODUCTS}/{product['id']}"
    async with vendor.patch(at, json={"title": "Gold"}, headers={"If-Match": '"1"'}) as answer:
        assert (answer.status, (await answer.json())["type"]) == (409, "urn:souk:problem:content_closed")
    price = {"amount_minor": 100, "currency": "EUR"}
    async with vendor.patch(at, json={"price": price}, headers={"If-Match": '"1"'}) as answer:
        assert (answer.status, (await answer.json())["price"]) == (200, price)


async def test_withdrawn_changed_and_submitted_again(vendor: Client, pool: Pool) -> None:
    product = await make_product(vendor, on_hand=0)
    at = f"{PRODUCTS}/{product['id']}"
    async with vendor.delete(at) as answer:
        assert answer.status == 409
    async with vendor.post(f"{at}/withdraw") as answer:
        assert (await answer.json())["status"] == "draft"
    async with vendor.post(f"{at}/withdraw") as answer:
        assert (answer.status, (await answer.json())["type"]) == (409, "urn:souk:problem:wrong_status")
    async with vendor.post(f"{at}/submit") as answer:
        again = await answer.json()
    assert (again["status"], again["submissions"], again["version"]) == ("pending", 2, 3)
    second = (await outbox(pool, "product.submitted"))[1]
    assert second["data"]["round"] == 2
    assert again["jobs"].endswith(str(submission_event_id(UUID(product["id"]), 2)))
    async with vendor.get(f"{at}/timeline") as answer:
        actions = [entry["action"] for entry in (await answer.json())["items"]]
    assert actions == ["product.submitted", "product.withdrawn", "product.submitted", "product.created"]


async def test_a_suspended_vendor_submits_nothing_and_is_not_shown(
    vendor: Client, admin: Client, anonymous: Client
) -> None:
    product = await make_approved(vendor, admin)
    async with admin.post(f"/api/admin/vendors/{product['vendor']['id']}/suspend", json={"note": "late"}) as answer:
        assert answer.status == 200
    async with vendor.post(PRODUCTS, json=offer()) as answer:
        assert answer.status == 403
    for key in (product["id"], product["slug"]):
        async with anonymous.get(f"/api/products/{key}") as answer:
            assert answer.status == 404
    async with anonymous.get("/api/products") as answer:
        assert (await answer.json())["items"] == []


async def test_the_public_sees_approved_products_only(vendor: Client, admin: Client, anonymous: Client) -> None:
    shown = await make_approved(vendor, admin, on_hand=0)
    hidden = await make_product(vendor)
    for key in (shown["id"], shown["slug"]):
        async with anonymous.get(f"/api/products/{key}") as answer:
            product = await answer.json()
            assert answer.status == 200
            assert (product["slug"], product["in_stock"]) == (shown["slug"], False)
            assert not {"on_hand", "reasons", "jobs"} & set(product)
            etag = answer.headers["ETag"]
        async with anonymous.get(f"/api/products/{key}", headers={"If-None-Match": etag}) as answer:
            assert answer.status == 304
    for key in (hidden["id"], hidden["slug"], "nothing", "no%00such", "%2e%2e", "ÄÖ"):
        async with anonymous.get(f"/api/products/{key}") as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({}, ["Tea 30%", "Lamp", "Chair"]),
        ({"sort": "price"}, ["Lamp", "Tea 30%", "Chair"]),
        ({"sort": "-price"}, ["Chair", "Tea 30%", "Lamp"]),
        ({"category": "lighting"}, ["Lamp"]),
        ({"q": "CHA"}, ["Chair"]),
        ({"q": "%"}, ["Tea 30%"]),
        ({"q": "_"}, []),
        ({"min_price": "200"}, ["Tea 30%", "Chair"]),
        ({"max_price": "200"}, ["Tea 30%", "Lamp"]),
        ({"in_stock": "true"}, ["Lamp", "Chair"]),
        ({"in_stock": "false"}, ["Tea 30%"]),
        ({"vendor": "atelier-north"}, ["Lamp", "Chair"]),
        ({"vendor": "nobody"}, []),
    ],
)
async def test_the_catalogue_is_filtered_and_sorted(
    vendor: Client,
    other_vendor: Client,
    admin: Client,
    anonymous: Client,
    query: dict[str, str],
    titles: list[str],
) -> None:
    await make_approved(vendor, admin, title="Chair", price={"amount_minor": 300, "currency": "EUR"})
    lamp = {"title": "Lamp", "category": "lighting", "price": {"amount_minor": 100, "currency": "EUR"}}
    await make_approved(vendor, admin, **lamp)
    tea = {"title": "Tea 30%", "on_hand": 0, "price": {"amount_minor": 200, "currency": "EUR"}}
    await make_approved(other_vendor, admin, **tea)
    async with anonymous.get("/api/products", params=query) as answer:
        assert [item["title"] for item in (await answer.json())["items"]] == titles


async def test_the_catalogue_of_a_vendor_is_found_by_its_id(
    vendor: Client, other_vendor: Client, admin: Client, anonymous: Client
) -> None:
    mine = await make_approved(vendor, admin)
    await make_approved(other_vendor, admin)
    for vendor_id, ids in ((mine["vendor"]["id"], [mine["id"]]), (mine["id"], [])):
        async with anonymous.get("/api/products", params={"vendor": vendor_id}) as answer:
            assert [item["id"] for item in (await answer.json())["items"]] == ids


@pytest.mark.parametrize("sort", ["newest", "price", "-price"])
async def test_pages_follow_each_other_without_gap_or_repetition(
    vendor: Client, admin: Client, anonymous: Client, sort: str
) -> None:
    prices = [100, 100, 100, 200, 50]
    made = [await make_approved(vendor, admin, price={"amount_minor": p, "currency": "EUR"}) for p in prices]
    seen, url = [], f"/api/products?limit=2&sort={sort}"
    while url:
        async with anonymous.get(url) as answer:
            page = await answer.json()
            seen += [item["id"] for item in page["items"]]
            assert ('rel="next"' in answer.headers.get("Link", "")) == (page["next"] is not None)
            url = page["next"] and f"/api/products?limit=2&sort={sort}&cursor={page['next']}"
    assert len(seen) == len(set(seen)) == 5
    assert set(seen) == {product["id"] for product in made}


async def test_a_cursor_is_good_for_its_list_only(vendor: Client, admin: Client, anonymous: Client) -> None:
    for _ in range(2):
        await make_approved(vendor, admin)
    async with anonymous.get("/api/products?limit=1") as answer:
        cursor = (await answer.json())["next"]
    for query in (f"cursor={cursor}&sort=price", f"cursor={cursor}&q=a", "cursor=AAAA", "limit=0", "limit=101", "x=1"):
        async with anonymous.get(f"/api/products?{query}") as answer:
            assert answer.status == 422, query
