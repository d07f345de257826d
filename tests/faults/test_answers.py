"""What people are told while the database or the broker is away."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from deploy.local.supervisor import answers_ready
from tests import factories
from tests.e2e.marketplace import PATIENCE_SECONDS, Shop
from tests.eventually import eventually
from tests.faults.stand import Stand
from tests.faults.table import RECOVERY_SECONDS, TOLERANCE

WARMED = "/api/products"
NEVER_ASKED = "/api/products?limit=100"
BEATS_STOP_SECONDS = 8.0
"""After five seconds without a beat of the event stream a gateway does not believe its caches."""


@pytest.fixture
async def shop(stand: Stand) -> AsyncIterator[Shop]:
    """The people of the stack."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http:
        yield Shop(stand, http)


async def test_without_the_database_it_is_503_and_with_it_all_goes_on(stand: Stand, shop: Shop) -> None:
    await shop.nothing_open()
    shown = await kept(shop, WARMED)
    killed = stand.server_pid("postgres")
    with stand.held(stand.run.supervisor):  # else the database is back before anybody has noticed
        stand.hurt_server("postgres", signal.SIGKILL)
        # Its children answer until they notice that they are orphans: so each try is of a list that nobody read.
        unread = (f"/api/products?limit={number}" for number in range(1, 100))
        await eventually(lambda: is_refused(shop, "GET", next(unread)))
        await eventually(lambda: is_refused(shop, "POST", "/api/vendor/products"))
        await is_refused(shop, "GET", NEVER_ASKED)
        assert await shop.get("vendor", WARMED) == shown
        assert not await answers_ready(stand.process("gateway").ops_url, shop.http)
    await stand.server_back("postgres", killed)
    await eventually(lambda: shop.get("vendor", NEVER_ASKED), TOLERANCE * RECOVERY_SECONDS)
    await stand.all_ready()
    await shop.settled(await shop.submit(), pictures=0)


@pytest.mark.long
async def test_what_is_cached_is_answered_however_long_the_database_is_away(stand: Stand, shop: Shop) -> None:
    product = await shop.submit()
    approved = await shop.post_once("admin", f"/api/admin/products/{product['id']}/approve")
    one = f"/api/products/{approved['slug']}"
    known = {path: await kept(shop, path) for path in (WARMED, one)}
    killed = stand.server_pid("postgres")
    with stand.held(stand.run.supervisor):
        stand.hurt_server("postgres", signal.SIGKILL)
        gone_at = time.monotonic()
        while time.monotonic() - gone_at < BEATS_STOP_SECONDS:
            assert {path: await shop.get("vendor", path) for path in known} == known
    await stand.server_back("postgres", killed)
    await stand.all_ready()
    await shop.nothing_open()


@pytest.mark.long
async def test_without_the_broker_every_answer_is_right_and_live_feeds_say_that_they_are_quiet(
    stand: Stand, shop: Shop
) -> None:
    killed = stand.server_pid("rabbitmq")
    patience = aiohttp.ClientTimeout(total=None, sock_read=PATIENCE_SECONDS)
    async with shop.http.get(f"{shop.gateway}/api/stream", timeout=patience) as feed:
        with stand.held(stand.run.supervisor):
            stand.hurt_server("rabbitmq", signal.SIGKILL)
            await is_told(feed, live=False)
            product = await shop.submit()
            one = f"/api/products/{product['slug']}"
            async with shop.http.get(f"{shop.gateway}{one}") as answer:
                assert answer.status == 404, "it waits for its approval"
            await shop.post_once("admin", f"/api/admin/products/{product['id']}/approve")
            assert (await shop.get("vendor", one))["id"] == product["id"]
            assert product["id"] in {each["id"] for each in (await shop.get("vendor", WARMED))["items"]}
        await stand.server_back("rabbitmq", killed)
        await is_told(feed, live=True)
    await stand.all_ready()
    await shop.nothing_open()


async def is_told(feed: aiohttp.ClientResponse, *, live: bool) -> None:
    """Read the feed until it says whether it is live."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for line in feed.content:
            if line.startswith(b"data: ") and json.loads(line[6:]).get("live") is live:
                return
    raise AssertionError("the feed ended")


async def kept(shop: Shop, path: str) -> dict[str, Any]:
    """The answer once it comes from memory: all that was written has been heard of, and nothing dropped it since."""

    async def from_memory() -> dict[str, Any]:
        async with shop.http.get(f"{shop.gateway}{path}") as answer:
            assert '"cached"' in answer.headers["RateLimit"], "it was read from the database"
            body: dict[str, Any] = await answer.json()
            return body

    return await eventually(from_memory, TOLERANCE * RECOVERY_SECONDS)


async def is_refused(shop: Shop, method: str, path: str) -> bool:
    """It is a 503 that says when to come again."""
    body = factories.offer() if method == "POST" else None
    async with shop.http.request(method, f"{shop.gateway}{path}", json=body, headers=shop.as_("vendor")) as answer:
        said = await answer.json(content_type=None)
    assert (answer.status, answer.content_type) == (503, "application/problem+json"), said
    assert int(answer.headers["Retry-After"]) >= 1
    assert said["request_id"] == answer.headers["X-Request-Id"]
    return True
