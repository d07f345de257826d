"""What two gateways on one database agree on: it is a row or a signed value, never what one of them remembers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession

from services.catalog.gateway import open_app
from shared.db.pool import Pool, open_pool
from shared.web.server import serving
from tests.factories import make_product, offer
from tests.integration.catalog.accounts.browser import browser, sign_in
from tests.integration.catalog.conftest import Client, Gateway
from tests.integration.catalog.told import outbox_kinds, rows

PRODUCTS = "/api/vendor/products"


@pytest.fixture
async def second_url(gateway: Gateway) -> AsyncIterator[str]:
    """Where another gateway of the same installation answers."""
    database_url = gateway.settings.catalog_database_url.get_secret_value()
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(database_url, name="second"))
        app = await stack.enter_async_context(open_app(gateway.settings, pool))
        port = await stack.enter_async_context(serving(app, host="127.0.0.1", port=0, grace_seconds=0.5))
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def vendor_there(gateway: Gateway, second_url: str) -> AsyncIterator[Client]:
    """The first vendor, at the other gateway."""
    async with browser(second_url, Authorization=f"Bearer {gateway.accounts.vendors[0].api_key}") as client:
        yield client


async def test_a_request_sent_to_both_at_once_makes_one_thing(vendor: Client, vendor_there: Client, pool: Pool) -> None:
    given, once = offer(on_hand=0), {"Idempotency-Key": "one"}

    async def create(client: Client) -> tuple[int, str | None]:
        async with client.post(PRODUCTS, json=given, headers=once) as answer:
            return answer.status, (await answer.json()).get("id")

    answers = await asyncio.gather(*(create(client) for client in (vendor, vendor_there) * 3))
    made = {identifier for status, identifier in answers if status == 201}
    assert len(made) == 1
    assert {status for status, _ in answers} <= {201, 409}
    assert await create(vendor_there) == (201, made.pop())
    assert await rows(pool, "products") == await rows(pool, "idempotency_keys") == 1
    assert await outbox_kinds(pool) == ["product.submitted"]


async def test_what_made_nothing_leaves_its_key_free_at_both(vendor: Client, vendor_there: Client, pool: Pool) -> None:
    once = {"Idempotency-Key": "one"}
    async with vendor.post(PRODUCTS, json=offer(category="spaceships"), headers=once) as answer:
        assert answer.status == 422
    assert await rows(pool, "idempotency_keys") == 0
    async with vendor_there.post(PRODUCTS, json=offer(), headers=once) as answer:
        assert (answer.status, answer.headers.get("Idempotent-Replayed")) == (201, None)


async def test_a_session_holds_at_both_and_ends_at_both(gateway: Gateway, second_url: str) -> None:
    shop = gateway.accounts.vendors[0]
    async with browser(gateway.url) as here, browser(second_url) as there:
        token = await sign_in(here, shop.email, shop.password)
        there.cookie_jar.update_cookies({cookie.key: cookie.value for cookie in here.cookie_jar})
        assert (await status(here), await status(there)) == (200, 200)
        async with there.post("/api/auth/logout", headers=token) as answer:
            assert answer.status == 204
        assert (await status(here), await status(there)) == (401, 401)


async def test_wrong_tries_at_one_are_slowed_at_the_other(gateway: Gateway, second_url: str, pool: Pool) -> None:
    wrong = {"email": "vendor1@example.com", "password": "wrong"}
    async with browser(gateway.url) as here, browser(second_url) as there:
        for client in (here, there):
            async with client.post("/api/auth/login", json=wrong) as answer:
                assert answer.status == 401
        assert await pool.fetchval("SELECT max(failures) FROM catalog.sign_in_failures") == 2
        await pool.execute("UPDATE catalog.sign_in_failures SET waits_until = now() + interval '1 minute'")
        for client in (here, there):
            async with client.post("/api/auth/login", json=wrong) as answer:
                assert answer.status == 429


async def test_a_place_in_a_list_is_one_at_both(vendor: Client, vendor_there: Client) -> None:
    first = await make_product(vendor)
    await make_product(vendor)
    async with vendor.get(f"{PRODUCTS}?limit=1") as answer:
        cursor = (await answer.json())["next"]
    async with vendor_there.get(f"{PRODUCTS}?limit=1&cursor={cursor}") as answer:
        assert [item["id"] for item in (await answer.json())["items"]] == [first["id"]]


async def status(client: ClientSession) -> int:
    async with client.get("/api/me") as answer:
        return answer.status
