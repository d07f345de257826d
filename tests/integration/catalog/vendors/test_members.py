"""Who acts for a vendor: let in and out by its owners, over HTTP."""

import asyncio
import re
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import ClientSession

from services.catalog.access import ACCESS
from shared.db.pool import Pool
from shared.web.identity import Role
from tests.integration.catalog.accounts.browser import browser, sign_in
from tests.integration.catalog.conftest import Client, Gateway
from tests.integration.catalog.told import audited, outbox

MEMBERS = "/api/vendor/members"
OWN = "correct horse battery"


async def add(owner: Client, name: str = "Ben", **fields: Any) -> dict[str, Any]:
    body = {"name": name, "email": f"{name.lower()}@example.com", **fields}
    async with owner.post(MEMBERS, json=body) as response:
        assert response.status == 201, await response.text()
        member: dict[str, Any] = await response.json()
        return member


async def everybody(client: Client) -> list[dict[str, Any]]:
    async with client.get(MEMBERS) as response:
        assert response.status == 200, await response.text()
        items: list[dict[str, Any]] = (await response.json())["items"]
        return items


async def settle(client: ClientSession, member: dict[str, Any]) -> None:
    """Sign in with the one-time password and choose another; the client has its token from then on."""
    client.headers.update(await sign_in(client, member["email"], member["one_time_password"]))
    change = {"new_password": OWN, "current_password": member["one_time_password"]}
    async with client.patch("/api/me", json=change, headers={"If-Match": f'"{member["version"]}"'}) as response:
        assert response.status == 200, await response.text()


async def refusal(client: Client, method: str, path: str, **options: Any) -> tuple[int, str]:
    async with client.request(method, path, **options) as response:
        return response.status, (await response.json())["type"].rpartition(":")[2]


async def test_a_member_chooses_a_password_first_and_then_acts_for_the_vendor(
    gateway: Gateway, vendor: Client, other_vendor: Client, pool: Pool
) -> None:
    member = await add(vendor)
    assert (member["is_owner"], member["one_time_until"] is not None) == (False, True)
    assert [one["name"] for one in await everybody(vendor)] == ["Atelier North", "Ben"]
    assert [one["name"] for one in await everybody(other_vendor)] == ["Brass & Birch"]
    async with browser(gateway.url) as ben:
        await sign_in(ben, member["email"], member["one_time_password"])
        assert await refusal(ben, "GET", MEMBERS) == (403, "password_change_needed")
        await settle(ben, member)
        async with ben.get("/api/me") as response:
            me = await response.json()
        assert (me["vendor_id"], me["is_owner"]) == (str(gateway.accounts.vendors[0].vendor_id), False)
        assert [one["one_time_until"] for one in await everybody(ben)] == [None, None]
        assert await refusal(ben, "POST", MEMBERS, json={"name": "C", "email": "c@example.com"}) == (403, "owners_only")
        assert await refusal(ben, "DELETE", f"{MEMBERS}/{member['id']}") == (403, "owners_only")
    login = {"email": member["email"], "password": member["one_time_password"]}
    assert await refusal(vendor, "POST", "/api/auth/login", json=login) == (401, "invalid_credentials")
    assert await audited(pool, member["id"]) == ["member.added", "account.changed"]
    assert [told["data"]["version"] for told in await outbox(pool, "account.changed")][-2:] == [1, 2]


async def test_a_one_time_password_ends(gateway: Gateway, vendor: Client, pool: Pool) -> None:
    member = await add(vendor)
    await pool.execute("UPDATE catalog.accounts SET one_time_until = now() WHERE name = 'Ben'")
    login = {"email": member["email"], "password": member["one_time_password"]}
    assert await refusal(vendor, "POST", "/api/auth/login", json=login) == (401, "invalid_credentials")
    async with vendor.post(f"{MEMBERS}/{member['id']}/one-time-password") as response:
        renewed = await response.json()
    assert renewed["one_time_password"] != member["one_time_password"]
    async with browser(gateway.url) as ben:
        await settle(ben, renewed)
        async with vendor.post(f"{MEMBERS}/{member['id']}/one-time-password") as response:
            assert response.status == 200
        assert await refusal(ben, "GET", "/api/me") == (401, "invalid_credentials")


async def test_who_is_removed_is_out_at_once_and_may_come_again(gateway: Gateway, vendor: Client) -> None:
    member = await add(vendor)
    async with browser(gateway.url) as ben, AsyncExitStack() as stack:
        await settle(ben, member)
        async with ben.post("/api/api-keys", json={"name": "robot"}) as response:
            key = (await response.json())["api_key"]
        robot = await stack.enter_async_context(browser(gateway.url, Authorization=f"Bearer {key}"))
        assert len(await everybody(robot)) == 2
        async with vendor.delete(f"{MEMBERS}/{member['id']}") as response:
            assert response.status == 204
        for client in (ben, robot):
            assert await refusal(client, "GET", "/api/me") == (401, "invalid_credentials")
    assert await refusal(vendor, "DELETE", f"{MEMBERS}/{member['id']}") == (404, "unknown_member")
    assert (await add(vendor))["id"] != member["id"]
    assert await refusal(vendor, "POST", MEMBERS, json={"name": "Ben", "email": "BEN@example.com"}) == (
        409,
        "email_taken",
    )


async def test_another_vendors_member_is_none(vendor: Client, other_vendor: Client) -> None:
    [theirs] = await everybody(other_vendor)
    at, version = f"{MEMBERS}/{theirs['id']}", {"If-Match": '"1"'}
    for method, path, options in (
        ("PATCH", at, {"json": {"is_owner": False}, "headers": version}),
        ("DELETE", at, {}),
        ("POST", f"{at}/one-time-password", {}),
    ):
        assert await refusal(vendor, method, path, **options) == (404, "unknown_member")
    assert await everybody(other_vendor) == [theirs]


async def test_somebody_stays_an_owner(vendor: Client) -> None:
    [owner] = await everybody(vendor)
    at, version = f"{MEMBERS}/{owner['id']}", {"If-Match": '"1"'}
    assert await refusal(vendor, "DELETE", at) == (409, "last_owner")
    assert await refusal(vendor, "PATCH", at, json={"is_owner": False}, headers=version) == (409, "last_owner")
    assert await refusal(vendor, "PATCH", at, json={"is_owner": False}) == (428, "precondition_required")
    second = await add(vendor, is_owner=True)
    assert await refusal(vendor, "PATCH", at, json={"is_owner": False}, headers={"If-Match": '"7"'}) == (
        412,
        "version_mismatch",
    )
    async with vendor.patch(f"{MEMBERS}/{second['id']}", json={"is_owner": False}, headers=version) as response:
        assert (response.status, (await response.json())["is_owner"]) == (200, False)


async def test_two_owners_who_remove_each_other_do_not_both_succeed(gateway: Gateway, vendor: Client) -> None:
    second = await add(vendor, is_owner=True)
    [first, _] = await everybody(vendor)
    async with browser(gateway.url) as ben:
        await settle(ben, second)

        async def remove(client: Client, member_id: str) -> int:
            async with client.delete(f"{MEMBERS}/{member_id}") as response:
                return response.status

        statuses = await asyncio.gather(remove(vendor, second["id"]), remove(ben, first["id"]))
    assert sorted(statuses) in ([204, 409], [204, 401])


async def test_sent_again_it_lets_one_person_in(vendor: Client) -> None:
    once, body = {"Idempotency-Key": "ben"}, {"name": "Ben", "email": "ben@example.com"}
    answers = []
    for _ in range(2):
        async with vendor.post(MEMBERS, json=body, headers=once) as response:
            assert (response.status, response.headers["Cache-Control"]) == (201, "no-store")
            answers.append(await response.json())
    assert answers[1] == answers[0] | {"one_time_password": None}
    assert len(await everybody(vendor)) == 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "Ben"}, "/email"),
        ({"name": "Ben", "email": "ben"}, "/email"),
        ({"name": "Ben", "email": "ben@example.com", "role": "admin"}, "/role"),
        (
            {"name": "Ben", "email": "ben@example.com", "vendor_id": "018f5b1c-0000-7000-8000-000000000000"},
            "/vendor_id",
        ),
    ],
)
async def test_what_does_not_fit_is_pointed_at(vendor: Client, body: dict[str, str], pointer: str) -> None:
    async with vendor.post(MEMBERS, json=body) as response:
        assert response.status == 422
        assert [error["pointer"] for error in (await response.json())["errors"]] == [pointer]


async def test_with_a_one_time_password_one_can_only_choose_another(gateway: Gateway, vendor: Client) -> None:
    member = await add(vendor)
    async with browser(gateway.url) as ben:
        ben.headers.update(await sign_in(ben, member["email"], member["one_time_password"]))
        for (method, path), access in ACCESS.items():
            if access.is_public or access.is_first_step or Role.VENDOR not in access.roles:
                continue
            address = re.sub(r"\{[a-z_]+\}", member["id"], path)
            async with ben.request(method, address, allow_redirects=False) as response:
                assert response.status == 403, f"{method} {path}"
        async with ben.get("/api/me") as response:
            assert response.status == 200
