"""The whole process, put together: a job comes in, mail and inbox line go out, its ports answer."""

import secrets
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import pytest
from pydantic import SecretStr

from deploy.local.ports import free_ports
from deploy.local.rabbitmq import BrokerUser
from services.notifier.app import running
from services.notifier.settings import Settings
from shared.clock import utc_now
from shared.contracts.base import Job
from shared.contracts.envelope import wrap
from shared.contracts.events import AccountChanged
from shared.ids import new_id
from shared.messaging import topology
from shared.messaging.broker import open_broker
from shared.messaging.declare import apply
from shared.messaging.work import JobMessage
from shared.web.identity import HEADER, Identity, Role, sign
from tests.eventually import eventually
from tests.integration.notifier import catalog as catalogs
from tests.integration.notifier.people import ADA, APPROVED, EVE, TO_ADMINS, VENDOR
from tests.integration.notifier.push_service import VAPID, PushService
from tests.integration.notifier.smtp_sink import Sink
from tests.servers import Database, Vhost

KEY = SecretStr("n" * 32)


@pytest.fixture
def own_vhost(vhost: Vhost) -> Iterator[Vhost]:
    """The test's vhost, by a user who may do in it what the notifier may, and no more."""
    user = BrokerUser(f"notifier-{vhost.name}", secrets.token_urlsafe(12), **asdict(topology.permissions("notifier")))
    vhost.management.add_user(user, vhost.name)
    address = urlsplit(vhost.amqp_url)
    netloc = f"{user.name}:{user.password}@{address.netloc.rpartition('@')[2]}"
    yield replace(vhost, amqp_url=address._replace(netloc=netloc).geturl())
    vhost.management.call("DELETE", "users", user.name)


def settings_for(
    database: Database, vhost: Vhost, sink: Sink, catalog: catalogs.Catalog, service: PushService
) -> Settings:
    http_port, ops_port = free_ports(2)
    return Settings(
        amqp_url=SecretStr(vhost.amqp_url),
        retry_tiers="1s,2s",
        notifier_database_url=SecretStr(database.url("notifier")),
        notifier_key=KEY,
        catalog_url=catalog.url,
        public_url="https://souk.example.com",
        mail_from="Souk <souk@example.com>",
        catalog_key=SecretStr(catalogs.KEY),
        vapid_private_key=SecretStr(VAPID.private),
        outbound_allow=(service.host,),
        smtp_host=sink.server.host,
        smtp_port=sink.server.port,
        smtp_tls=sink.server.tls,
        http_port=http_port,
        ops_port=ops_port,
    )


def message_of(job: Job) -> JobMessage:
    envelope = wrap(job, identifier=new_id(), kind=job.type, source="jobs", subject=None, time=utc_now())
    return JobMessage(envelope, priority=2, attempt=1, max_attempts=3, fence=1, timeout_ms=10_000)


async def test_jobs_and_events_are_worked_on_and_the_ports_answer(
    database: Database, vhost: Vhost, own_vhost: Vhost, sink: Sink, service: PushService
) -> None:
    async with (
        catalogs.running(catalogs.Catalog({"admins": [ADA], str(VENDOR): [EVE]})) as catalog,
        open_broker(vhost.amqp_url, name="test") as broker,
        aiohttp.ClientSession() as session,
    ):
        settings = settings_for(database, own_vhost, sink, catalog, service)
        await apply(
            broker.consuming,
            topology.build(settings.tiers, [topology.SEND_EMAIL, topology.SEND_NOTIFICATION]),
        )

        async def get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
            async with session.get(f"http://127.0.0.1:{port}{path}", headers=headers) as answer:
                return answer.status, await (answer.text() if path == "/metrics" else answer.json())

        async def is_ready() -> bool:
            return (await get(settings.ops_port, "/readyz"))[0] == 200

        def as_eve(method: str, path: str) -> dict[str, str]:
            eve = Identity(EVE.account_id, Role.VENDOR, VENDOR)
            key = KEY.get_secret_value()
            return {HEADER: sign(eve, service="notifier", key=key, method=method, path=path, request_id="test-call")}

        async def lines() -> list[Any]:
            path = "/api/notifications"
            items: list[Any] = (await get(settings.http_port, path, as_eve("GET", path)))[1]["items"]
            return items

        async def subscribe() -> None:
            browser, path = service.browser("eve"), "/api/push-subscriptions"
            url = f"http://127.0.0.1:{settings.http_port}{path}"
            body = {"endpoint": browser.endpoint, "keys": browser.keys}
            async with session.post(url, json=body, headers=as_eve("POST", path)) as answer:
                assert answer.status == 201, await answer.text()

        async def mail(count: int) -> None:
            await message_of(TO_ADMINS).publish(broker.publisher)
            await eventually(lambda: len(sink.taken) == count)

        async with running(settings):
            await eventually(is_ready)
            await subscribe()
            await message_of(APPROVED).publish(broker.publisher)
            assert [line["kind"] for line in await eventually(lines)] == ["product_approved"]
            await eventually(lambda: service.told() == ["eve"])
            await mail(1)
            await mail(2)
            assert sorted(catalog.asked) == sorted([str(VENDOR), "admins"])
            assert 'souk_mails_total{outcome="sent"}' in (await get(settings.ops_port, "/metrics"))[1]

            changed = AccountChanged(account_id=UUID(int=99), version=1)
            envelope = wrap(changed, identifier=new_id(), kind=changed.type, source="x", subject=None, time=utc_now())
            await broker.publisher.publish(envelope, exchange=topology.EVENTS, routing_key=changed.type)

            async def asked_again() -> bool:
                await mail(len(sink.taken) + 1)
                return catalog.asked.count("admins") > 1

            await eventually(asked_again)
