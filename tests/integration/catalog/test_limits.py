"""Shares end with 429 before any work is done, and what is too much is refused in the order of need."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import ClientSession

from services.catalog.gateway import open_app
from services.catalog.limits import store
from services.catalog.limits.models import Cost, Policy
from services.catalog.limits.quotas import Quotas
from services.catalog.settings import GatewaySettings
from shared.db.pool import Pool
from shared.web.server import serving
from tests.factories import offer
from tests.integration.catalog.conftest import Client, Gateway

WRITES = 3
READS = 6
"""So few that none comes back while a test runs: it takes 20 and 10 s."""


@pytest.fixture
def gateway_settings(gateway_settings: GatewaySettings) -> GatewaySettings:
    """Small shares."""
    return gateway_settings.model_copy(
        update={"limit_write_per_minute": WRITES, "limit_read_per_minute": READS, "limit_auth_per_minute": 3}
    )


async def create(client: ClientSession, number: int) -> int:
    async with client.post("/api/vendor/products", json=offer(sku=f"SKU-{number}")) as answer:
        return answer.status


async def test_a_vendor_has_one_share_of_writes_and_takes_nobody_elses(
    gateway: Gateway, vendor: Client, other_vendor: Client
) -> None:
    statuses = [await create(vendor, number) for number in range(WRITES + 3)]
    # The first was charged to the address: nobody knew the key yet.
    assert statuses.count(201) == WRITES + 1
    assert statuses[-2:] == [429, 429]
    async with vendor.get("/api/vendor/products") as answer:
        assert len((await answer.json())["items"]) == WRITES + 1, "what was refused was not done"
    assert await create(other_vendor, 0) == 201


async def test_a_refusal_says_why_and_until_when(vendor: Client) -> None:
    for number in range(WRITES + 1):
        await create(vendor, number)
    async with vendor.post("/api/vendor/products", json=offer(sku="SKU-LAST")) as answer:
        said = await answer.json(content_type=None)
        assert (answer.status, answer.content_type) == (429, "application/problem+json")
        assert said["type"] == "urn:souk:problem:rate_limited"
        assert 1 <= int(answer.headers["Retry-After"]) <= 60 / WRITES
        assert answer.headers["RateLimit-Policy"] == f'"write";q={WRITES};w=60'
        assert answer.headers["RateLimit"].startswith('"write";r=0;t=')
    async with vendor.get("/api/me") as answer:
        assert answer.status == 200, "the share of reads is another"


async def test_every_answer_tells_what_is_left(vendor: Client, anonymous: Client) -> None:
    async with vendor.get("/api/me") as answer:
        assert answer.headers["RateLimit"].startswith(f'"read";r={READS - 1};t=')
    async with vendor.get("/api/me") as answer:
        assert answer.headers["RateLimit"].startswith(f'"read";r={READS - 1};t='), (
            "of the vendor, no longer of the address"
        )
    async with anonymous.get("/api/nothing") as answer:
        assert answer.status == 404
        assert answer.headers["RateLimit"].startswith(f'"read";r={READS - 2};t=')
    async with anonymous.get("/api/products?limit=0") as answer:
        assert answer.status == 422
        assert answer.headers["RateLimit-Policy"].startswith('"search";q=')


async def test_guessing_costs_the_guesser_and_not_the_vendor(anonymous: Client, vendor: Client) -> None:
    statuses = []
    for number in range(READS + 2):
        guess = {"Authorization": f"Bearer souk_abc_{number:040}"}
        async with anonymous.get("/api/me", headers=guess) as answer:
            statuses.append(answer.status)
    assert statuses == [401] * READS + [429] * 2


async def test_passwords_have_a_share_of_their_own(anonymous: Client) -> None:
    body = {"email": "nobody@example.com", "password": "wrong password"}
    statuses = []
    for _ in range(5):
        async with anonymous.post("/api/auth/login", json=body) as answer:
            statuses.append(answer.status)
    assert statuses[3:] == [429, 429]
    assert set(statuses[:3]) <= {401, 429}


async def test_what_is_refused_touches_no_database(vendor: Client, pool: Pool) -> None:
    for number in range(WRITES + 2):
        await create(vendor, number)
    async with AsyncExitStack() as stack:
        for _ in range(pool.get_max_size()):
            await stack.enter_async_context(pool.acquire())
        assert await create(vendor, 99) == 429


async def test_gateways_count_a_share_of_writes_together(pool: Pool) -> None:
    policy = Policy(Cost.WRITE, 50)
    gateways = [Quotas(pool) for _ in range(3)]
    grants = await asyncio.gather(*(gateways[number % 3].take(policy, "vendor:a") for number in range(90)))
    let_in = sum(not grant.is_refused for grant in grants)
    assert 50 <= let_in <= 53, "one comes back every 1.2 s meanwhile"
    async with pool.acquire() as conn:
        taken, behind = await store.take(conn, "vendor:b", policy, wanted=7)
        assert (taken, round(behind)) == (7, 8)
        await store.prune(conn)
        assert await conn.fetchval("SELECT count(*) FROM catalog.shares") == 2


async def test_a_gateway_asks_once_for_many_writes(pool: Pool) -> None:
    policy, quotas = Policy(Cost.WRITE, 6000), Quotas(pool)
    left = [(await quotas.take(policy, "vendor:a")).left for _ in range(25)]
    assert left[0] in (5998, 5999)
    assert left[-1] <= left[0]
    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT sum(taken) FROM catalog.shares") == 10


@dataclass
class FakePressure:
    """So far behind."""

    behind_seconds: float = 0.0


@asynccontextmanager
async def pressed(settings: GatewaySettings, pool: Pool, pressure: FakePressure) -> AsyncIterator[ClientSession]:
    async with (
        open_app(settings, pool, pressure=pressure) as app,
        serving(app, host="127.0.0.1", port=0, grace_seconds=0.5) as port,
        ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        yield client


REFUSED_AT = {
    "/api/vendor/reports": 1.0,
    "/api/vendor/products": 1.5,
    "/api/products/no-such-product": 2.5,
    "/api/admin/monitoring": 8.0,
}


async def test_what_is_least_needed_is_refused_first(gateway_settings: GatewaySettings, pool: Pool) -> None:
    pressure = FakePressure()
    async with pressed(gateway_settings, pool, pressure) as client:
        for path, seconds in REFUSED_AT.items():
            for pressure.behind_seconds in (seconds - 0.1, seconds):
                async with client.get(path) as answer:
                    is_refused = answer.status == 503
                    assert is_refused == (pressure.behind_seconds >= seconds), (path, answer.status)
                    if is_refused:
                        assert int(answer.headers["Retry-After"]) >= 1
                        assert (await answer.json(content_type=None))["type"] == "urn:souk:problem:overloaded"


async def test_a_public_read_that_is_refused_gets_the_last_answer_there_was(
    gateway_settings: GatewaySettings, pool: Pool
) -> None:
    pressure = FakePressure()
    async with pressed(gateway_settings, pool, pressure) as client:
        async with client.get("/api/products") as answer:
            known = await answer.read()
        pressure.behind_seconds = 100.0
        async with client.get("/api/products") as answer:
            assert (answer.status, await answer.read()) == (200, known)
        async with client.get("/api/products?limit=5") as answer:
            assert answer.status == 503
