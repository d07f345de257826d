"""Pages of other origins read answers where the settings name them, and nowhere else."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from services.catalog.settings import GatewaySettings
from tests.integration.catalog.conftest import Client, Gateway

SHOP = "https://shop.example.com"
STRANGER = "https://elsewhere.example.com"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization, content-type"}


@pytest.fixture
def origins() -> tuple[str, ...]:
    """None by default, as in the settings."""
    return (SHOP,)


@pytest.fixture
def gateway_settings(gateway_settings: GatewaySettings, origins: tuple[str, ...]) -> GatewaySettings:
    """A gateway that lets `origins` read."""
    return gateway_settings.model_copy(update={"cors_origins": origins})


@pytest.fixture
async def page(gateway: Gateway) -> AsyncIterator[ClientSession]:
    """A script on a page of the shop, without a key."""
    async with ClientSession(gateway.url, headers={"Origin": SHOP}) as client:
        yield client


async def test_a_preflight_of_a_named_origin_is_told_what_it_may_send(page: ClientSession) -> None:
    async with page.options("/api/vendor/products", headers=PREFLIGHT) as answer:
        assert (answer.status, await answer.read()) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == SHOP
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        sent = answer.headers["Access-Control-Allow-Headers"].lower()
        assert {"authorization", "content-type", "idempotency-key", "if-match"} <= set(sent.split(", "))
        assert int(answer.headers["Access-Control-Max-Age"]) > 0
        assert "Origin" in varies(answer.headers.getall("Vary"))
        assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_good_answers_errors_and_feeds_may_be_read(page: ClientSession) -> None:
    for path, status in (
        ("/api/products", 200),  # made
        ("/api/products", 200),  # from the cache, before there is an application
        ("/api/products/none", 404),
        ("/api/vendor/products", 401),
        ("/api/nothing", 404),
        ("/api/admin/jobs?action=stats", 401),
        ("/api/stream", 200),
    ):
        async with page.get(path) as answer:
            assert answer.status == status
            assert answer.headers["Access-Control-Allow-Origin"] == SHOP
            read = answer.headers["Access-Control-Expose-Headers"].split(", ")
            assert {"ETag", "Link", "X-Request-Id", "RateLimit", "Retry-After", "Idempotent-Replayed"} <= set(read)
            assert "Origin" in varies(answer.headers.getall("Vary"))


async def test_a_kept_answer_is_told_to_each_origin_by_itself(anonymous: Client) -> None:
    for origin, allowed in ((None, None), (SHOP, SHOP), (STRANGER, None), (SHOP, SHOP), (f"{SHOP}.evil.example", None)):
        async with anonymous.get("/api/products", headers={} if origin is None else {"Origin": origin}) as answer:
            assert answer.status == 200
            assert answer.headers.get("Access-Control-Allow-Origin") == allowed
            assert "Origin" in varies(answer.headers.getall("Vary"))


async def test_a_stranger_is_told_nothing(anonymous: Client) -> None:
    for origin in (STRANGER, "null", "*"):
        async with anonymous.options("/api/products", headers={"Origin": origin, **PREFLIGHT}) as answer:
            assert answer.status == 204
            assert not [name for name in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("origins", [()])
async def test_by_default_no_origin_is_told_anything(page: ClientSession) -> None:
    for method, path in (("OPTIONS", "/api/products"), ("GET", "/api/products"), ("GET", "/api/me")):
        async with page.request(method, path, headers=PREFLIGHT) as answer:
            assert not [name for name in answer.headers if name.startswith("Access-Control")]
            assert "Origin" not in varies(answer.headers.getall("Vary", []))


def varies(headers: list[str]) -> set[str]:
    return set(", ".join(headers).split(", "))
