"""Vendors, over HTTP."""

import asyncio
from typing import Any

import asyncpg
import pytest
from yarl import URL

from shared.contracts.envelope import Envelope
from shared.db.pool import Pool, connection
from shared.ids import new_id
from tests.integration.catalog.conftest import Client, Gateway

ACCOUNT = {"email": "shop@example.com", "name": "Owner", "password": "correct horse battery"}
NEW = {"name": "Café Löwe & Co.", "profile": "Cups.", "account": ACCOUNT}


async def create(admin: Client, **changes: Any) -> tuple[int, Any]:
    headers = changes.pop("headers", {})
    async with admin.post("/api/admin/vendors", json=NEW | changes, headers=headers) as response:
        return response.status, await response.json() | {"replayed": response.headers.get("Idempotent-Replayed")}


async def outbox(pool: Pool) -> list[str]:
    async with connection(pool) as conn:
        return [row["type"] for row in await conn.fetch("SELECT type FROM catalog.outbox ORDER BY seq")]


async def test_a_new_vendor_has_a_page_and_its_account_signs_in(admin: Client, anonymous: Client, pool: Pool) -> None:
    status, vendor = await create(admin)
    assert (status, vendor["slug"], vendor["status"], vendor["version"]) == (201, "cafe-lowe-co", "active", 1)
    for name in (vendor["id"], vendor["slug"]):
        async with anonymous.get(f"/api/vendors/{name}") as response:
            shown = await response.json()
            assert set(shown) == {"id", "slug", "name", "profile", "created_at"}
            tag = response.headers["ETag"]
        async with anonymous.get(f"/api/vendors/{name}", headers={"If-None-Match": tag}) as response:
            assert response.status == 304
    async with anonymous.post("/api/auth/login", json={k: ACCOUNT[k] for k in ("email", "password")}) as response:
        assert (await response.json())["account"]["vendor_id"] == vendor["id"]
    assert (await outbox(pool))[-2:] == ["account.changed", "vendor.changed"]


async def test_where_a_vendors_days_begin_is_told_with_it(admin: Client, pool: Pool) -> None:
    _, vendor = await create(admin, time_zone="Asia/Tokyo")
    path, seen = f"/api/admin/vendors/{vendor['id']}", {"If-Match": f'"{vendor["version"]}"'}
    async with admin.patch(path, json={"time_zone": "America/Lima"}, headers=seen) as response:
        assert (response.status, (await response.json())["time_zone"]) == (200, "America/Lima")
    told = await pool.fetch("SELECT body FROM catalog.outbox WHERE type = 'vendor.changed' ORDER BY seq")
    zones = [Envelope.model_validate_json(row["body"]).data["time_zone"] for row in told]
    assert zones == ["Asia/Tokyo", "America/Lima"]


async def test_a_taken_address_or_slug_makes_nothing(admin: Client, pool: Pool) -> None:
    before = await outbox(pool)
    status, problem = await create(admin, account=ACCOUNT | {"email": "Vendor1@Example.com"})
    assert (status, problem["type"]) == (409, "urn:souk:problem:email_taken")
    status, problem = await create(admin, slug="atelier-north")
    assert (status, problem["type"]) == (409, "urn:souk:problem:slug_taken")
    async with admin.get("/api/admin/vendors") as response:
        assert len((await response.json())["items"]) == 3
    assert await outbox(pool) == before


async def test_the_same_key_makes_one_vendor(admin: Client) -> None:
    once = {"Idempotency-Key": "k-1"}
    answers = [await create(admin, headers=once) for _ in range(2)]
    assert [status for status, _ in answers] == [201, 201]
    assert answers[0][1]["id"] == answers[1][1]["id"]
    assert [body["replayed"] for _, body in answers] == [None, "true"]
    status, problem = await create(admin, headers=once, name="Other")
    assert (status, problem["type"]) == (422, "urn:souk:problem:idempotency_key_reused")


async def test_sent_twice_at_once_it_is_made_once(admin: Client) -> None:
    answers = await asyncio.gather(*(create(admin, headers={"Idempotency-Key": "k-2"}) for _ in range(3)))
    assert {status for status, _ in answers} <= {201, 409}
    assert len({body["id"] for status, body in answers if status == 201}) == 1
    async with admin.get("/api/admin/vendors") as response:
        assert len((await response.json())["items"]) == 4


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": 5}, "/name"),
        ({"name": "a\x00"}, "/name"),
        ({"slug": "Not A Slug"}, "/slug"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"account": ACCOUNT | {"email": "no address"}}, "/account/email"),
        ({"account": ACCOUNT | {"email": "a@example.com\nBcc: b@example.com"}}, "/account/email"),
        ({"account": ACCOUNT | {"password": "short"}}, "/account/password"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_what_does_not_fit_is_pointed_at(admin: Client, changes: dict[str, Any], pointer: str) -> None:
    status, problem = await create(admin, **changes)
    assert status == 422
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_a_change_needs_the_version_that_was_read(admin: Client, gateway: Gateway) -> None:
    address = f"/api/admin/vendors/{gateway.accounts.vendors[0].vendor_id}"
    for headers, expected in (({}, 428), ({"If-Match": '"7"'}, 412), ({"If-Match": '"1"'}, 200)):
        async with admin.patch(address, json={"profile": "New."}, headers=headers) as response:
            assert response.status == expected
    async with admin.get(address) as response:
        vendor = await response.json()
        assert (vendor["profile"], vendor["version"], response.headers["ETag"]) == ("New.", 2, '"2"')
    async with admin.patch(
        f"/api/admin/vendors/{new_id()}", json={"profile": ""}, headers={"If-Match": '"1"'}
    ) as response:
        assert response.status == 404


async def test_a_suspended_vendor_is_out_of_sight_until_reinstated(
    admin: Client, anonymous: Client, gateway: Gateway, pool: Pool
) -> None:
    vendor_id = gateway.accounts.vendors[0].vendor_id
    before = len(await outbox(pool))
    async with admin.post(f"/api/admin/vendors/{vendor_id}/suspend", json={"note": "Complaints."}) as response:
        assert (await response.json())["status"] == "suspended"
    async with anonymous.get(f"/api/vendors/{vendor_id}") as response:
        assert response.status == 404
    async with admin.get("/api/admin/vendors?status=suspended") as response:
        assert [item["id"] for item in (await response.json())["items"]] == [str(vendor_id)]
    async with admin.post(f"/api/admin/vendors/{vendor_id}/reinstate") as response:
        assert response.status == 200
    async with anonymous.get("/api/vendors/atelier-north") as response:
        assert response.status == 200
    assert (await outbox(pool))[before:] == ["vendor.suspended", "vendor.reinstated"]
    async with connection(pool) as conn:
        lines = await conn.fetch("SELECT action, detail FROM catalog.audit ORDER BY id")
    assert [(line["action"], line["detail"]) for line in lines] == [
        ("vendor.suspended", {"note": "Complaints."}),
        ("vendor.reinstated", {"note": ""}),
    ]


async def test_of_two_who_decide_at_once_one_wins(admin: Client, gateway: Gateway, pool: Pool) -> None:
    address = f"/api/admin/vendors/{gateway.accounts.vendors[0].vendor_id}/suspend"

    async def suspend() -> int:
        async with admin.post(address) as response:
            return response.status

    assert sorted(await asyncio.gather(*(suspend() for _ in range(4)))) == [200, 409, 409, 409]
    assert (await outbox(pool)).count("vendor.suspended") == 1


async def test_the_audit_log_cannot_be_changed(admin: Client, gateway: Gateway, pool: Pool) -> None:
    async with admin.post(f"/api/admin/vendors/{gateway.accounts.vendors[0].vendor_id}/suspend"):
        pass
    async with connection(pool) as conn:
        for statement in ("UPDATE catalog.audit SET role = 'ops'", "DELETE FROM catalog.audit"):
            with pytest.raises(asyncpg.RaiseError, match="append-only"):
                await conn.execute(statement)


async def test_the_audit_log_is_read_newest_first(admin: Client, gateway: Gateway) -> None:
    first, second = (vendor.vendor_id for vendor in gateway.accounts.vendors[:2])
    for vendor_id in (first, second):
        async with admin.post(f"/api/admin/vendors/{vendor_id}/suspend", json={"note": "Why."}):
            pass
    async with admin.get("/api/admin/audit?limit=1") as response:
        page = await response.json()
    [line] = page["items"]
    assert line | {"id": 0, "at": 0, "account_id": 0, "request_id": 0} == {
        "id": 0,
        "at": 0,
        "account_id": 0,
        "service": "catalog",
        "role": "admin",
        "action": "vendor.suspended",
        "object": {"kind": "vendor", "id": str(second)},
        "detail": {"note": "Why."},
        "request_id": 0,
    }
    async with admin.get("/api/admin/audit", params={"cursor": page["next"]}) as response:
        assert [line["object"]["id"] for line in (await response.json())["items"]] == [str(first)]
    async with admin.get("/api/admin/audit", params={"kind": "vendor", "id": str(first)}) as response:
        assert [line["object"]["id"] for line in (await response.json())["items"]] == [str(first)]
    async with admin.get("/api/admin/audit?kind=vendor") as response:
        assert response.status == 422


async def test_categories_are_there_in_their_order(anonymous: Client) -> None:
    async with anonymous.get("/api/categories") as response:
        items = (await response.json())["items"]
    assert items[0] == {"slug": "home-living", "name": "Home & Living"}
    assert len(items) == 12


@pytest.mark.parametrize("name", ["%00", "%ff", "a%0d%0ab", "A", "..%2f", "x" * 3000])
async def test_what_can_be_no_vendor_is_not_looked_for(anonymous: Client, name: str) -> None:
    async with anonymous.get(URL(f"/api/vendors/{name}", encoded=True)) as response:
        assert (response.status, response.content_type) == (404, "application/problem+json")


async def test_a_name_is_one_line(admin: Client) -> None:
    status, problem = await create(admin, name="Shop\r\nBcc: x@example.com")
    assert (status, problem["errors"][0]["pointer"]) == (422, "/name")
