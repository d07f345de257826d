"""Two gateway replicas and a relay in the test's own process, on a real database and a real broker that can be cut off.

`async def test_…(replicas: Replicas, vendor: Client, admin: Client)`: the clients of `tests/integration/catalog` speak
with replica A.
"""

import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession, DummyCookieJar
from pydantic import SecretStr

from services.catalog import gateway as gateway_process
from services.catalog import relay
from services.catalog.seed import seed_accounts
from services.catalog.settings import GatewaySettings, Settings
from shared.db.pool import Pool
from shared.messaging.broker import open_broker
from shared.messaging.declare import apply
from shared.messaging.topology import CLEANUP_CACHE, build, parse_tiers
from tests.eventually import eventually
from tests.faults.proxy import FaultProxy, fault_proxy
from tests.integration.catalog.conftest import QUICK_HASHER, Client, Gateway
from tests.servers import Vhost

TIERS = "1s"


@pytest.fixture
async def way(vhost: Vhost) -> AsyncIterator[FaultProxy]:
    """How every process reaches the broker."""
    async with fault_proxy(vhost.amqp_url) as opened:
        yield opened


@pytest.fixture
async def settings(gateway_settings: GatewaySettings, vhost: Vhost, way: FaultProxy) -> GatewaySettings:
    """Settings of a replica whose broker is behind the proxy."""
    return gateway_settings.model_copy(
        update={"amqp_url": SecretStr(way.url), "retry_tiers": TIERS, "grace_seconds": 0.5}
    )


@dataclass(frozen=True)
class Replicas:
    """Two replicas by their addresses, and a client that is nobody."""

    a: str
    b: str
    nobody: Client
    admin: Client

    async def json(self, replica: str, path: str, status: int = 200) -> Any:
        """What a replica answers to anybody."""
        async with self.nobody.get(f"{replica}{path}") as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def counts(self, replica: str) -> Any:
        """What a replica says of itself."""
        async with self.admin.get(f"{replica}/api/admin/cache") as answer:
            assert answer.status == 200, await answer.text()
            return next(one for one in (await answer.json())["replicas"] if one["is_this"])

    async def are_live(self, expected: bool = True) -> None:
        """Wait until both hear the stream, or neither."""

        async def live() -> bool:
            return [(await self.counts(replica))["is_live"] for replica in (self.a, self.b)] == [expected] * 2

        await eventually(live, 20, every=0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def gateway(settings: GatewaySettings, pool: Pool, vhost: Vhost) -> AsyncIterator[Gateway]:
    """Replica A, with its relay and another replica beside it: see `replicas`."""
    kept: dict[str, str] = {}
    accounts = await seed_accounts(
        settings.catalog_database_url.get_secret_value(),
        secret_of=lambda name: kept.setdefault(name, secrets.token_urlsafe(24)),
        hasher=QUICK_HASHER,
    )
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(open_broker(vhost.amqp_url, name="tests"))
        await apply(broker.publishing, build(parse_tiers(TIERS), (CLEANUP_CACHE,)))
        told = {"amqp_url": settings.amqp_url, "catalog_database_url": settings.catalog_database_url, "ops_port": 0}
        await stack.enter_async_context(relay.running(Settings.model_validate({**told, "retry_tiers": TIERS})))
        ports = [_free_port(), _free_port()]
        for port in ports:
            one = settings.model_copy(update={"http_port": port, "ops_port": 0})
            await stack.enter_async_context(gateway_process.running(one))
        yield Gateway(
            f"http://127.0.0.1:{ports[0]}", accounts, settings.model_copy(update={"http_port": ports[1]}), pool
        )


@pytest.fixture
async def replicas(gateway: Gateway) -> AsyncIterator[Replicas]:
    """Both replicas, live."""
    key = {"Authorization": f"Bearer {gateway.accounts.admin.api_key}"}
    async with (
        ClientSession(cookie_jar=DummyCookieJar()) as nobody,
        ClientSession(cookie_jar=DummyCookieJar(), headers=key) as admin,
    ):
        found = Replicas(gateway.url, f"http://127.0.0.1:{gateway.settings.http_port}", nobody, admin)
        await found.are_live()
        yield found
