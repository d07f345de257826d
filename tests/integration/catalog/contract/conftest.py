"""The gateway with all that it passes requests to: every service that answers, as its own process would start it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from deploy.local.ports import free_ports
from services.jobs import api as jobs
from services.jobs.settings import Settings as JobsSettings
from services.notifier import app as notifier
from services.notifier.settings import Settings as NotifierSettings
from services.reporting import app as reporting
from services.reporting.settings import Settings as ReportingSettings
from services.scheduler import app as scheduler
from services.scheduler.settings import Settings as SchedulerSettings
from shared.messaging.broker import open_broker
from shared.messaging.declare import apply
from shared.messaging.topology import build, parse_tiers
from tests.integration.catalog.conftest import KEY
from tests.servers import Database, Vhost

TIERS = "1s"


@pytest.fixture
def gateway_port() -> int:
    """The notifier asks the gateway for people."""
    return free_ports(1)[0]


@pytest.fixture
async def upstream_urls(
    database: Database, vhost: Vhost, tmp_path: Path, gateway_port: int
) -> AsyncIterator[dict[str, str]]:
    """The services run, with their own databases and the broker. Nobody makes jobs of events, and no mail goes out."""
    names = ("jobs", "notifier", "reporting", "scheduler")
    ports = dict(zip(names, free_ports(len(names)), strict=True))

    def given(name: str) -> dict[str, object]:
        return {
            "amqp_url": vhost.amqp_url,
            "retry_tiers": TIERS,
            "http_port": ports[name],
            "ops_port": 0,
            "grace_seconds": 1,
            "state_dir": tmp_path / name,
            f"{name}_database_url": database.url(name),
            f"{name}_key": KEY,
        }

    mail = {
        "catalog_url": f"http://127.0.0.1:{gateway_port}",
        "catalog_key": KEY,
        "public_url": "http://127.0.0.1:8080",
        "mail_from": "souk@example.com",
        "vapid_private_key": "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE",
    }
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(open_broker(vhost.amqp_url, name="tests"))
        await apply(broker.publishing, build(parse_tiers(TIERS), ()))
        for service in (
            jobs.running(JobsSettings.model_validate(given("jobs"))),
            notifier.running(NotifierSettings.model_validate(given("notifier") | mail)),
            reporting.running(ReportingSettings.model_validate(given("reporting"))),
            scheduler.running(SchedulerSettings.model_validate(given("scheduler"))),
        ):
            await stack.enter_async_context(service)
        yield {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
