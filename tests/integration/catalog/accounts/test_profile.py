"""Changing oneself, and whom the notifier writes to."""

from typing import Any
from uuid import UUID

import pytest

from services.catalog.accounts.store import find_sign_in
from shared.db.pool import Pool, connection
from shared.ids import new_id
from shared.web.identity import HEADER, NOBODY, Identity, Role, sign
from tests.integration.catalog.conftest import KEY, Client, Gateway


async def contacts(client: Client, query: str, *, status: int = 200) -> Any:
    service = Identity(NOBODY, Role.SERVICE)
    token = sign(service, service="catalog", key=KEY, method="GET", path="/internal/contacts", request_id="r")
    async with client.get(f"/internal/contacts?{query}", headers={HEADER: token}) as response:
        assert response.status == status
        return await response.json()


async def test_a_change_raises_the_version_that_contacts_tell(vendor: Client, gateway: Gateway, pool: Pool) -> None:
    shop = gateway.accounts.vendors[0]
    [before] = (await contacts(vendor, f"vendor_id={shop.vendor_id}"))["items"]
    assert before == {
        "account_id": before["account_id"],
        "email": "vendor1@example.com",
        "name": "Atelier North",
        "version": 1,
    }
    change = {"name": "Atelier South", "email": "south@example.com", "current_password": shop.password}
    async with vendor.patch("/api/me", json=change, headers={"If-Match": '"1"'}) as response:
        assert (response.status, response.headers["ETag"]) == (200, '"2"')
    [after] = (await contacts(vendor, f"vendor_id={shop.vendor_id}"))["items"]
    assert after == before | {"email": "south@example.com", "name": "Atelier South", "version": 2}
    async with connection(pool) as conn:
        told = await conn.fetch("SELECT body::jsonb FROM catalog.outbox WHERE type = 'account.changed' ORDER BY seq")
    assert told[-1]["body"]["data"] == {
        "vendor_id": str(shop.vendor_id),
        "account_id": before["account_id"],
        "version": 2,
    }
    async with vendor.patch("/api/me", json={"name": "Late"}, headers={"If-Match": '"1"'}) as response:
        assert response.status == 412
    async with vendor.patch("/api/me", json={"name": "Blind"}) as response:
        assert response.status == 428


async def test_admins_are_the_administrators(anonymous: Client) -> None:
    people = (await contacts(anonymous, "audience=admins"))["items"]
    assert [person["email"] for person in people] == ["admin@example.com"]


@pytest.mark.parametrize("query", ["", f"audience=admins&vendor_id={UUID(int=7)}", "audience=all", "vendor_id=1"])
async def test_contacts_are_of_one_audience(anonymous: Client, query: str) -> None:
    await contacts(anonymous, query, status=422)


async def test_a_vendor_nobody_knows_has_no_contacts(anonymous: Client) -> None:
    assert (await contacts(anonymous, f"vendor_id={new_id()}"))["items"] == []


async def test_an_address_is_one_accounts_only(vendor: Client, gateway: Gateway) -> None:
    change = {"email": "ADMIN@example.com", "current_password": gateway.accounts.vendors[0].password}
    async with vendor.patch("/api/me", json=change, headers={"If-Match": '"1"'}) as response:
        assert response.status == 409


@pytest.mark.parametrize("given", [{}, {"current_password": "wrong"}])
async def test_a_new_password_needs_the_current_one(vendor: Client, given: dict[str, str], pool: Pool) -> None:
    async with connection(pool) as conn:
        before = await find_sign_in(conn, "vendor1@example.com")
    change = {"new_password": "correct horse battery"} | given
    async with vendor.patch("/api/me", json=change, headers={"If-Match": '"1"'}) as response:
        assert response.status == 422
    async with connection(pool) as conn:
        assert await find_sign_in(conn, "vendor1@example.com") == before


async def test_a_new_password_ends_all_sessions(anonymous: Client, vendor: Client, gateway: Gateway) -> None:
    shop = gateway.accounts.vendors[0]
    async with anonymous.post("/api/auth/login", json={"email": shop.email, "password": shop.password}) as response:
        cookie = {"souk_session": response.cookies["souk_session"].value}
    change = {"new_password": "correct horse battery", "current_password": shop.password}
    async with vendor.patch("/api/me", json=change, headers={"If-Match": '"1"'}) as response:
        assert response.status == 200
    async with anonymous.get("/api/me", cookies=cookie) as response:
        assert response.status == 401
    login = {"email": shop.email, "password": "correct horse battery"}
    async with anonymous.post("/api/auth/login", json=login) as response:
        assert response.status == 200
