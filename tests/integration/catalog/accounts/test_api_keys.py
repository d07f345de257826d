"""API keys, over HTTP."""

from datetime import timedelta

import pytest
from aiohttp import ClientSession

from services.catalog.accounts.usecases import KEY_CACHE, Callers
from services.catalog.errors import InvalidCredentials
from shared.clock import utc_now
from shared.db.pool import Pool, connection
from tests.integration.catalog.conftest import Client, Gateway


async def made(client: Client, **body: object) -> dict[str, str]:
    async with client.post("/api/api-keys", json={"name": "robot"} | body) as response:
        assert response.status == 201, await response.text()
        shown: dict[str, str] = await response.json()
        return shown


async def status_with(gateway: Gateway, api_key: str, method: str = "GET", path: str = "/api/me") -> int:
    headers = {"Authorization": f"Bearer {api_key}"}
    async with ClientSession(gateway.url) as client, client.request(method, path, headers=headers) as response:
        return response.status


async def test_a_key_works_is_listed_without_its_secret_and_stops_when_revoked(
    gateway: Gateway, vendor: Client, other_vendor: Client
) -> None:
    key = await made(vendor)
    assert await status_with(gateway, key["api_key"]) == 200
    async with vendor.get("/api/api-keys") as response:
        listed = (await response.json())["items"]
    assert listed[0]["id"] == key["id"]
    assert key["api_key"].split("_", 2)[2] not in str(listed)
    async with other_vendor.delete(f"/api/api-keys/{key['id']}") as response:
        assert response.status == 404
    async with vendor.delete(f"/api/api-keys/{key['id']}") as response:
        assert response.status == 204
    assert await status_with(gateway, key["api_key"]) == 401
    async with vendor.delete(f"/api/api-keys/{key['id']}") as response:
        assert response.status == 404


async def test_a_key_asked_for_twice_is_made_once_and_told_once(vendor: Client) -> None:
    once = {"Idempotency-Key": "k"}
    answers = []
    for _ in range(2):
        async with vendor.post("/api/api-keys", json={"name": "robot"}, headers=once) as response:
            assert response.status == 201
            answers.append(await response.json())
    assert answers[0]["api_key"] is not None
    assert answers[1] == answers[0] | {"api_key": None}


async def test_the_list_has_pages(vendor: Client) -> None:
    made_ids = [(await made(vendor))["id"] for _ in range(3)]
    async with vendor.get("/api/api-keys?limit=2") as response:
        first = await response.json()
        assert 'rel="next"' in response.headers["Link"]
    async with vendor.get("/api/api-keys", params={"limit": 2, "cursor": first["next"]}) as response:
        second = await response.json()
    assert [item["id"] for item in first["items"] + second["items"]][:3] == made_ids[::-1]
    assert second["next"] is None


async def test_a_key_that_may_only_read_changes_nothing(gateway: Gateway, vendor: Client) -> None:
    key = (await made(vendor, scope="read"))["api_key"]
    assert await status_with(gateway, key) == 200
    assert await status_with(gateway, key, "POST", "/api/api-keys") == 403


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "k", "scope": "all"}, "/scope"),
        ({"name": "k", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"name": "k", "role": "admin"}, "/role"),
    ],
)
async def test_what_does_not_fit_is_pointed_at(vendor: Client, body: dict[str, str], pointer: str) -> None:
    async with vendor.post("/api/api-keys", json=body) as response:
        assert response.status == 422
        assert [error["pointer"] for error in (await response.json())["errors"]] == [pointer]


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic YTpi",
        "Bearer",
        "Bearer souk_vendor1",
        "Bearer souk_vendor1_",
        f"Bearer souk_vendor1_{'x' * 32}",
        f"Bearer souk_nobody_{'x' * 32}",
        f"Bearer souk_vendor1_{'x' * 5000}",
        "Bearer souk_v'--_" + "x" * 32,
        "Bearer souk_véndor_" + "x" * 32,
    ],
)
async def test_what_is_no_key_is_nobody(anonymous: Client, authorization: str) -> None:
    async with anonymous.get("/api/me", headers={"Authorization": authorization}) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"


async def test_a_key_revoked_at_another_replica_holds_two_seconds_at_most(
    gateway: Gateway, vendor: Client, pool: Pool
) -> None:
    now = utc_now()
    other_replica = Callers(pool=pool, clock=lambda: now)
    key = await made(vendor)
    header = f"Bearer {key['api_key']}"
    assert (await other_replica.by_api_key(header)).identity.vendor_id == gateway.accounts.vendors[0].vendor_id
    async with vendor.delete(f"/api/api-keys/{key['id']}"):
        now += KEY_CACHE + timedelta(milliseconds=1)
    with pytest.raises(InvalidCredentials):
        await other_replica.by_api_key(header)


async def test_an_expired_key_stops_even_while_it_is_remembered(vendor: Client, pool: Pool) -> None:
    now = utc_now()
    callers = Callers(pool=pool, clock=lambda: now)
    key = await made(vendor, expires_at=(now + timedelta(seconds=61)).isoformat())
    await callers.by_api_key(f"Bearer {key['api_key']}")
    now += timedelta(seconds=62)
    callers._known = {prefix: (proof, now + KEY_CACHE) for prefix, (proof, _) in callers._known.items()}
    with pytest.raises(InvalidCredentials):
        await callers.by_api_key(f"Bearer {key['api_key']}")


async def test_use_is_noted_and_decisions_are_audited(gateway: Gateway, vendor: Client, pool: Pool) -> None:
    key = await made(vendor)
    await status_with(gateway, key["api_key"])
    async with vendor.delete(f"/api/api-keys/{key['id']}"):
        pass
    async with connection(pool) as conn:
        assert await conn.fetchval("SELECT last_used_at FROM catalog.api_keys WHERE prefix = $1", key["prefix"])
        lines = await conn.fetch("SELECT action, role, request_id FROM catalog.audit WHERE object_id = $1", key["id"])
    assert [(line["action"], line["role"]) for line in lines] == [
        ("api_key.created", "vendor"),
        ("api_key.revoked", "vendor"),
    ]
    assert all(line["request_id"] for line in lines)
