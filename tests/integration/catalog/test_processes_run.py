"""The gateway and the relay as composed, with the broker away and with it there."""

import socket
from functools import partial

import aio_pika
from aiohttp import ClientSession
from pydantic import SecretStr

from services.catalog import relay
from services.catalog.gateway import running
from services.catalog.settings import GatewaySettings, Settings
from shared.contracts.events import OutboxDrained, PublisherSeen
from shared.messaging.broker import open_broker
from shared.messaging.declare import apply
from shared.messaging.topology import EVENTS, build
from tests.eventually import eventually
from tests.faults.proxy import fault_proxy
from tests.integration.catalog.conftest import Client, Gateway
from tests.servers import Vhost

NEW_VENDOR = {
    "name": "Late",
    "account": {"email": "late@example.com", "name": "L", "password": "correct horse battery"},
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_with_the_broker_away_the_gateway_is_ready_and_creates(
    gateway_settings: GatewaySettings, gateway: Gateway
) -> None:
    settings = gateway_settings.model_copy(update={"http_port": free_port(), "ops_port": free_port()})
    headers = {"Authorization": f"Bearer {gateway.accounts.admin.api_key}"}
    async with running(settings), ClientSession(headers=headers) as client:
        async with client.get(f"http://127.0.0.1:{settings.ops_port}/readyz") as response:
            assert response.status == 200
        address = f"http://127.0.0.1:{settings.http_port}/api/admin/vendors"
        async with client.post(address, json=NEW_VENDOR) as response:
            assert response.status == 201
        async with client.get(f"http://127.0.0.1:{settings.ops_port}/metrics") as response:
            assert 'souk_health_cost{term="event_stream"} 15.0' in await response.text()


async def test_the_relay_brings_events_to_the_exchange(
    gateway_settings: GatewaySettings, admin: Client, vhost: Vhost
) -> None:
    settings = Settings(
        amqp_url=SecretStr(vhost.amqp_url),
        catalog_database_url=gateway_settings.catalog_database_url,
        ops_port=free_port(),
    )
    async with await aio_pika.connect(vhost.amqp_url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(EVENTS, "topic", durable=True)
        queue = await channel.declare_queue("seen", durable=True)
        await queue.bind(exchange, "#")
        async with relay.running(settings), admin.post("/api/admin/vendors", json=NEW_VENDOR) as response:
            assert response.status == 201
            seen = []

            async def all_seen() -> bool:
                message = await queue.get(fail=False, no_ack=True)
                if message is not None and message.type not in {OutboxDrained.type, PublisherSeen.type}:
                    seen.append(message.type)
                return len(seen) == 6

            await eventually(all_seen)
    assert seen == ["account.changed"] * 6


async def test_a_relay_without_a_broker_says_that_it_is_not_ready(
    gateway_settings: GatewaySettings, vhost: Vhost
) -> None:
    async with fault_proxy(vhost.amqp_url) as way, open_broker(vhost.amqp_url, name="test") as broker:
        await apply(broker.consuming, build(()))
        settings = Settings(
            amqp_url=SecretStr(way.url),
            catalog_database_url=gateway_settings.catalog_database_url,
            ops_port=free_port(),
        )

        async def told() -> object:
            async with client.get(f"http://127.0.0.1:{settings.ops_port}/readyz") as response:
                return (await response.json())["checks"]["broker"]

        async def connected() -> bool:
            async with client.get(f"http://127.0.0.1:{settings.ops_port}/metrics") as response:
                return 'souk_broker_connected{link="catalog relay publishing"} 1.0' in await response.text()

        async def says(wanted: str) -> bool:
            return await told() == wanted

        async with relay.running(settings), ClientSession() as client:
            await eventually(partial(says, "ok"), 15)
            assert await connected()
            way.cut()
            await eventually(partial(says, "there is no connection"), 20)
            assert not await connected()
            await way.join()
            await eventually(partial(says, "ok"), 20)
