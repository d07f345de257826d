"""A gateway in the test's own process, on the real database, and a client for each role.

`async def test_…(vendor: Client): answer = await vendor.get("/api/me")`.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest
from aiohttp import ClientSession, DummyCookieJar
from argon2 import PasswordHasher

from services.catalog.gateway import open_app
from services.catalog.seed import SeededAccounts, seed_accounts
from services.catalog.settings import GatewaySettings
from shared.db.pool import Pool, open_pool
from shared.web.receiving import ReceiveLimits
from shared.web.server import LIMITS, serving
from tests.servers import Database

QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
NOBODY_THERE = "http://127.0.0.1:9"
KEY = "k" * 40

Client: TypeAlias = ClientSession


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway: where it is, who can sign in, and its database."""

    url: str
    accounts: SeededAccounts
    settings: GatewaySettings
    pool: Pool


@pytest.fixture
def upstream_urls() -> dict[str, str]:
    """Where the other services are; override it where a test has some. By default nobody answers."""
    return dict.fromkeys(("jobs", "notifier", "reporting", "scheduler"), NOBODY_THERE)


@pytest.fixture
def gateway_settings(database: Database, tmp_path: Path, upstream_urls: dict[str, str]) -> GatewaySettings:
    """Settings of the gateway; there is no broker."""
    values = {
        "amqp_url": "amqp://guest:guest@127.0.0.1:9/",
        "public_url": "http://127.0.0.1:8080",
        "catalog_database_url": database.url("catalog"),
        "blobs_url": (tmp_path / "blobs").as_uri(),
        "catalog_key": KEY,
        "sync_key": KEY,
        **{f"{service}_url": url for service, url in upstream_urls.items()},
        **{f"{service}_key": KEY for service in upstream_urls},
    }
    return GatewaySettings.model_validate(values)


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """The catalog's database in its own role."""
    async with open_pool(database.url("catalog"), name="tests") as opened:
        yield opened


@pytest.fixture
def receive_limits() -> ReceiveLimits:
    """How long clients may take; override it where a test does not want to wait."""
    return LIMITS


@pytest.fixture
def gateway_port() -> int:
    """Any that is free; override it where it has to be known before."""
    return 0


@pytest.fixture
async def gateway(
    gateway_settings: GatewaySettings, pool: Pool, receive_limits: ReceiveLimits, gateway_port: int
) -> AsyncIterator[Gateway]:
    """A gateway with one admin, one operator, one channel and three vendors."""
    kept: dict[str, str] = {}
    url = gateway_settings.catalog_database_url.get_secret_value()
    accounts = await seed_accounts(
        url, secret_of=lambda name: kept.setdefault(name, secrets.token_urlsafe(24)), hasher=QUICK_HASHER
    )
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(gateway_settings, pool))
        port = await stack.enter_async_context(
            serving(app, host="127.0.0.1", port=gateway_port, grace_seconds=0.5, limits=receive_limits)
        )
        yield Gateway(f"http://127.0.0.1:{port}", accounts, gateway_settings, pool)


def _client(gateway: Gateway, api_key: str | None = None) -> ClientSession:
    headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
    return ClientSession(gateway.url, headers=headers, cookie_jar=DummyCookieJar())


@pytest.fixture
async def anonymous(gateway: Gateway) -> AsyncIterator[Client]:
    """Nobody."""
    async with _client(gateway) as client:
        yield client


@pytest.fixture
async def admin(gateway: Gateway) -> AsyncIterator[Client]:
    """The administrator."""
    async with _client(gateway, gateway.accounts.admin.api_key) as client:
        yield client


@pytest.fixture
async def ops(gateway: Gateway) -> AsyncIterator[Client]:
    """The operator."""
    async with _client(gateway, gateway.accounts.ops.api_key) as client:
        yield client


@pytest.fixture
async def channel(gateway: Gateway) -> AsyncIterator[Client]:
    """A sales channel."""
    async with _client(gateway, gateway.accounts.channel_api_key) as client:
        yield client


@pytest.fixture
async def vendor(gateway: Gateway) -> AsyncIterator[Client]:
    """The first vendor (`gateway.accounts.vendors[0]`)."""
    async with _client(gateway, gateway.accounts.vendors[0].api_key) as client:
        yield client


@pytest.fixture
async def other_vendor(gateway: Gateway) -> AsyncIterator[Client]:
    """The second vendor."""
    async with _client(gateway, gateway.accounts.vendors[1].api_key) as client:
        yield client
