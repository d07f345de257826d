"""The gateway and the relay as composed, with the broker away and with it there."""

import socket

import aio_pika
from aiohttp import ClientSession
from pydantic import SecretStr

from services.catalog import relay
from services.catalog.gateway import running
from services.catalog.settings import GatewaySettings, Settings
from shared.contracts.events import OutboxDrained
from shared.messaging.topology import EVENTS
from tests.eventually import eventually
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
                if message is not None and message.type != OutboxDrained.type:
                    seen.append(message.type)
                return len(seen) == 6

            await eventually(all_seen)
    assert seen == ["account.changed"] * 6
