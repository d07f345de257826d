"""What people are told while the database is away."""

import signal
from collections.abc import AsyncIterator

import aiohttp
import pytest

from deploy.local.supervisor import answers_ready
from tests import factories
from tests.e2e.marketplace import Shop
from tests.eventually import eventually
from tests.faults.stand import Stand
from tests.faults.table import RECOVERY_SECONDS, TOLERANCE

WARMED = "/api/products"
NEVER_ASKED = "/api/products?limit=7"


@pytest.fixture
async def shop(stand: Stand) -> AsyncIterator[Shop]:
    """The people of the stack."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http:
        yield Shop(stand, http)


async def test_without_the_database_it_is_503_and_with_it_all_goes_on(stand: Stand, shop: Shop) -> None:
    shown = await shop.get("vendor", WARMED)
    killed = stand.server_pid("postgres")
    with stand.held(stand.run.supervisor):  # else the database is back before anybody has noticed
        stand.hurt_server("postgres", signal.SIGKILL)
        await is_refused(shop, "GET", NEVER_ASKED)
        await is_refused(shop, "POST", "/api/vendor/products")
        assert await shop.get("vendor", WARMED) == shown
        assert not await answers_ready(stand.process("gateway").ops_url, shop.http)
    await stand.server_back("postgres", killed)
    await eventually(lambda: shop.get("vendor", NEVER_ASKED), TOLERANCE * RECOVERY_SECONDS)
    await stand.all_ready()
    await shop.settled(await shop.submit(), pictures=0)


async def is_refused(shop: Shop, method: str, path: str) -> None:
    """It is a 503 that says when to come again."""
    body = factories.offer() if method == "POST" else None
    async with shop.http.request(method, f"{shop.gateway}{path}", json=body, headers=shop.as_("vendor")) as answer:
        said = await answer.json(content_type=None)
    assert (answer.status, answer.content_type) == (503, "application/problem+json"), said
    assert int(answer.headers["Retry-After"]) >= 1
    assert said["request_id"] == answer.headers["X-Request-Id"]
