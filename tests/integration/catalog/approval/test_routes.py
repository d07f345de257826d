"""Decisions over HTTP, on the real database."""

import asyncio
from typing import Any

import pytest

from shared.db.pool import Pool
from tests.factories import make_approved, make_product
from tests.integration.catalog.conftest import Client
from tests.integration.catalog.told import audited, outbox, outbox_kinds

BLURRED = {"code": "images", "note": "The first picture is blurred."}


async def test_an_approval_its_events_and_its_audit_line_commit_together(
    vendor: Client, admin: Client, pool: Pool
) -> None:
    product = await make_product(vendor, on_hand=0)
    async with admin.post(
        "/api/admin/approve-product", json={"product_id": product["id"], "action": "approve"}
    ) as answer:
        assert (answer.status, (await answer.json())["status"]) == (200, "approved")
    assert await outbox_kinds(pool) == ["product.submitted", "product.approved", "product.changed"]
    [approved] = await outbox(pool, "product.approved")
    assert approved["data"]["vendor_id"] == product["vendor"]["id"]
    assert (approved["data"]["version"], approved["data"]["slug"]) == (2, product["slug"])
    assert (await audited(pool, product["id"]))[-1] == "product.approved"


async def test_a_rejection_tells_why_and_the_product_comes_back(vendor: Client, admin: Client, pool: Pool) -> None:
    product = await make_product(vendor)
    at = f"/api/admin/products/{product['id']}"
    async with admin.post(f"{at}/reject", json={"reasons": [BLURRED, {"code": "price"}]}) as answer:
        assert (answer.status, (await answer.json())["status"]) == (200, "rejected")
    [rejected] = await outbox(pool, "product.rejected")
    assert rejected["data"]["reasons"] == [BLURRED, {"code": "price", "note": ""}]
    async with vendor.get(f"/api/vendor/products/{product['id']}") as answer:
        known = await answer.json()
        assert (known["status"], known["reasons"][0]) == ("rejected", BLURRED)
    change = {"title": "Oak chair, oiled"}
    etag = {"If-Match": f'"{known["version"]}"'}
    async with vendor.patch(f"/api/vendor/products/{product['id']}", json=change, headers=etag) as answer:
        assert answer.status == 200
    async with vendor.post(f"/api/vendor/products/{product['id']}/submit") as answer:
        again = await answer.json()
        assert (again["status"], again["reasons"], again["submissions"]) == ("pending", [], 2)
    async with admin.post(f"{at}/approve") as answer:
        assert answer.status == 200
    async with admin.get(f"{at}/timeline") as answer:
        entries = (await answer.json())["items"]
    assert [entry["action"] for entry in entries][:3] == ["product.approved", "product.submitted", "product.changed"]
    assert entries[3]["detail"]["reasons"][0] == BLURRED


async def test_of_two_admins_who_decide_at_once_one_wins(vendor: Client, admin: Client, pool: Pool) -> None:
    product = await make_product(vendor)
    at = f"/api/admin/products/{product['id']}"
    answers = await asyncio.gather(
        *(admin.post(f"{at}/approve") for _ in range(4)),
        *(admin.post(f"{at}/reject", json={"reasons": [BLURRED]}) for _ in range(4)),
    )
    assert sorted(answer.status for answer in answers) == [200] + [409] * 7
    decided = [kind for kind in await outbox_kinds(pool) if kind in ("product.approved", "product.rejected")]
    assert len(decided) == 1
    assert len(await audited(pool, product["id"])) == 3


async def test_a_second_approval_changes_nothing(vendor: Client, admin: Client, pool: Pool) -> None:
    product = await make_approved(vendor, admin)
    told = await outbox_kinds(pool)
    async with admin.post(f"/api/admin/products/{product['id']}/approve") as answer:
        assert (answer.status, (await answer.json())["type"]) == (409, "urn:souk:problem:wrong_status")
    assert await outbox_kinds(pool) == told


async def test_a_product_is_suspended_and_reinstated(
    vendor: Client, admin: Client, anonymous: Client, pool: Pool
) -> None:
    product = await make_approved(vendor, admin)
    at = f"/api/admin/products/{product['id']}"
    async with admin.post(f"{at}/suspend", json={"note": "Recalled"}) as answer:
        assert (await answer.json())["status"] == "suspended"
    async with anonymous.get(f"/api/products/{product['slug']}") as answer:
        assert answer.status == 404
    async with admin.post(f"{at}/suspend") as answer:
        assert answer.status == 409
    async with admin.post(f"{at}/reinstate") as answer:
        assert (await answer.json())["status"] == "approved"
    async with anonymous.get(f"/api/products/{product['slug']}") as answer:
        assert answer.status == 200
    assert (await outbox(pool, "product.suspended"))[0]["data"]["note"] == "Recalled"
    assert (await outbox_kinds(pool))[-2:] == ["product.reinstated", "product.changed"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"action": "approve"}, "/product_id"),
        ({"product_id": "x", "action": "approve"}, "/product_id"),
        ({"product_id": None, "action": "approve"}, "/product_id"),
        ({"action": "reject"}, ""),
        ({"action": "approve", "reasons": [BLURRED]}, ""),
        ({"action": "reject", "reasons": [{"code": "mood"}]}, "/reasons/0/code"),
        ({"action": "reject", "reasons": [{"code": "price", "note": "x" * 1001}]}, "/reasons/0/note"),
        ({"action": "burn"}, "/action"),
    ],
)
async def test_a_decision_that_does_not_fit_changes_nothing(
    vendor: Client, admin: Client, pool: Pool, body: dict[str, Any], pointer: str
) -> None:
    product = await make_product(vendor)
    given = {"product_id": product["id"], **body} if pointer != "/product_id" else body
    async with admin.post("/api/admin/approve-product", json=given) as answer:
        assert answer.status == 422
        assert pointer in {error["pointer"] for error in (await answer.json())["errors"]}
    async with vendor.get(f"/api/vendor/products/{product['id']}") as answer:
        assert await answer.json() == product


async def test_a_product_nobody_knows_is_not_found(admin: Client) -> None:
    unknown = "018f5b1c-0000-7000-8000-000000000000"
    async with admin.post("/api/admin/approve-product", json={"product_id": unknown, "action": "approve"}) as answer:
        assert answer.status == 404
    async with admin.post("/api/admin/products/none/approve") as answer:
        assert answer.status == 404


async def test_only_an_admin_decides(vendor: Client, ops: Client, channel: Client, anonymous: Client) -> None:
    product = await make_product(vendor)
    at = f"/api/admin/products/{product['id']}"
    statuses = [(await client.post(f"{at}/approve")).status for client in (vendor, ops, channel, anonymous)]
    assert statuses == [403, 403, 403, 401]
    async with vendor.get(f"/api/vendor/products/{product['id']}") as answer:
        assert (await answer.json())["status"] == "pending"


async def test_what_waits_is_listed_newest_first(vendor: Client, other_vendor: Client, admin: Client) -> None:
    first, _, last = await make_product(vendor), await make_approved(vendor, admin), await make_product(other_vendor)
    async with admin.get("/api/admin/products?status=pending&limit=1") as answer:
        page = await answer.json()
    assert [item["id"] for item in page["items"]] == [last["id"]]
    async with admin.get(f"/api/admin/products?status=pending&cursor={page['next']}") as answer:
        assert [item["id"] for item in (await answer.json())["items"]] == [first["id"]]
    async with admin.get(f"/api/admin/products/{first['id']}") as answer:
        assert (await answer.json())["sku"] == first["sku"]
    async with admin.get("/api/admin/rejection-reasons") as answer:
        assert {"code": "price", "text": "The price looks wrong"} in (await answer.json())["items"]
