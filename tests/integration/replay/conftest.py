"""The catalog's relay, the ledger and reporting in the test's own loop, on one broker and one database."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import pytest
from pydantic import SecretStr

from services.catalog import relay
from services.catalog.settings import Settings as RelaySettings
from services.jobs import ledger
from services.jobs.settings import Settings as LedgerSettings
from services.reporting import app as reporting
from services.reporting.settings import Settings as ReportingSettings
from shared.clock import utc_now
from shared.contracts import events
from shared.contracts.base import Event, Money
from shared.db.outbox import Outbox
from shared.db.pool import Pool, open_pool, transaction
from shared.ids import new_id
from shared.messaging.broker import Broker, open_broker
from shared.messaging.declare import apply
from shared.messaging.topology import build, parse_tiers
from shared.settings import ServiceSettings
from tests.eventually import eventually
from tests.servers import Database, Vhost

S = TypeVar("S", bound=ServiceSettings)

TIERS = "1s"
TICK_SECONDS = 0.5
DISPATCH = "events.dispatch"


def picture() -> events.ImageAdded:
    return events.ImageAdded(vendor_id=new_id(), image_id=new_id(), product_id=new_id(), source="blob:x")


def order() -> events.OrderPlaced:
    line = events.OrderLine(
        product_id=new_id(), vendor_id=new_id(), quantity=1, unit_price=Money(amount_minor=100, currency="EUR")
    )
    return events.OrderPlaced(order_id=new_id(), channel="shop", placed_at=utc_now(), lines=(line,))


@dataclass
class World:
    """What a test starts, loses and looks at. Nothing runs by itself."""

    database: Database
    vhost: Vhost
    catalog: Pool
    jobs: Pool
    reporting: Pool
    broker: Broker

    def relay(self, tick_seconds: float = TICK_SECONDS) -> AbstractAsyncContextManager[None]:
        """A relay of the catalog."""
        settings = RelaySettings(
            amqp_url=SecretStr(self.vhost.amqp_url), catalog_database_url=SecretStr(self.database.url("catalog"))
        )
        return relay.running(self._as_all(settings, tick_seconds))

    def ledger(self, tick_seconds: float = TICK_SECONDS) -> AbstractAsyncContextManager[None]:
        """A ledger: it reads `events.dispatch`."""
        settings = LedgerSettings(
            amqp_url=SecretStr(self.vhost.amqp_url), jobs_database_url=SecretStr(self.database.url("jobs"))
        )
        return ledger.running(self._as_all(settings, tick_seconds))

    def reporter(self, tick_seconds: float = TICK_SECONDS) -> AbstractAsyncContextManager[None]:
        """Reporting: it reads `events.reporting`."""
        settings = ReportingSettings(
            amqp_url=SecretStr(self.vhost.amqp_url),
            reporting_database_url=SecretStr(self.database.url("reporting")),
            reporting_key=SecretStr("k" * 40),
        )
        return reporting.running(self._as_all(settings, tick_seconds))

    async def declare(self) -> None:
        """What the ledger would declare."""
        await apply(self.broker.publishing, build(parse_tiers(TIERS)))

    async def write(self, *written: Event) -> list[UUID]:
        """Events in the catalog's outbox; returns their ids."""
        async with transaction(self.catalog) as conn:
            return list(await Outbox("catalog").add(conn, *written))

    async def sent(self, ids: Sequence[UUID]) -> None:
        """Wait until the broker has confirmed them."""

        async def all_sent() -> bool:
            query = "SELECT bool_and(sent_at IS NOT NULL) FROM catalog.outbox WHERE id = ANY($1)"
            return bool(await self.catalog.fetchval(query, ids))

        await eventually(all_sent, 15)

    async def dispatched(self, ids: Sequence[UUID], timeout: float = 15) -> None:
        """Wait until each of the events has its one job."""

        async def all_made() -> bool:
            return await self.jobs_of(ids) == len(ids)

        await eventually(all_made, timeout)

    async def jobs_of(self, ids: Sequence[UUID]) -> int:
        """How many jobs the events caused."""
        return int(await self.jobs.fetchval("SELECT count(*) FROM jobs.jobs WHERE cause = ANY($1)", ids))

    async def sold(self) -> int:
        """How many lines reporting has counted."""
        return int(await self.reporting.fetchval("SELECT count(*) FROM reporting.order_lines"))

    def purge(self, queue: str) -> None:
        """Empty a queue as an administrator might."""
        self.vhost.management.call("DELETE", "queues", self.vhost.name, queue, "contents")

    def delete(self, queue: str) -> None:
        """Delete a queue as an administrator might."""
        self.vhost.management.call("DELETE", "queues", self.vhost.name, queue)

    def unbind(self, queue: str, routing_key: str) -> None:
        """Delete a binding as an administrator might."""
        place = ("bindings", self.vhost.name, "e", "events", "q", queue, routing_key)
        self.vhost.management.call("DELETE", *place)

    def wipe(self) -> None:
        """Lose everything the broker had, and every connection."""
        self.vhost.management.delete_vhost(self.vhost.name)
        self.vhost.management.add_vhost(self.vhost.name)

    def _as_all(self, settings: S, tick_seconds: float) -> S:
        return settings.model_copy(
            update={
                "retry_tiers": TIERS,
                "http_port": 0,
                "ops_port": 0,
                "grace_seconds": 5,
                "announce_seconds": tick_seconds,
            }
        )


@pytest.fixture
async def world(database: Database, vhost: Vhost) -> AsyncIterator[World]:
    async with (
        open_pool(database.url("catalog"), name="test") as catalog,
        open_pool(database.url("jobs"), name="test") as jobs,
        open_pool(database.url("reporting"), name="test") as reporting_pool,
        open_broker(vhost.amqp_url, name="test") as broker,
    ):
        yield World(database, vhost, catalog, jobs, reporting_pool, broker)
