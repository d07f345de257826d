"""The ledger process in the test's own loop, on a real database and a real broker."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from pydantic import SecretStr

from services.jobs import ledger
from services.jobs.listing.store import ListFilter
from services.jobs.parts import make_desk
from services.jobs.settings import Settings
from services.jobs.usecases import JobsDesk, ShownJob
from shared.clock import utc_now
from shared.contracts.base import Event
from shared.contracts.envelope import wrap
from shared.db.pool import Pool, connection, open_pool
from shared.ids import new_id
from shared.messaging.attempt import HandlerTable
from shared.messaging.broker import Broker, open_broker
from shared.messaging.subscription import Subscription
from shared.messaging.topology import EVENTS
from shared.messaging.working import working
from tests.servers import Database, Vhost

TIERS = "1s,2s"


@pytest.fixture
def settings(database: Database, vhost: Vhost) -> Settings:
    return Settings(
        amqp_url=SecretStr(vhost.amqp_url),
        jobs_database_url=SecretStr(database.url("jobs")),
        jobs_key=SecretStr("k" * 32),
        retry_tiers=TIERS,
        ops_port=0,
        http_port=0,
        grace_seconds=5,
    )


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    async with open_pool(settings.jobs_database_url.get_secret_value(), name="test") as opened:
        yield opened


@pytest.fixture
async def link(vhost: Vhost) -> AsyncIterator[Broker]:
    async with open_broker(vhost.amqp_url, name="test") as opened:
        yield opened


@pytest.fixture
def desk(pool: Pool, settings: Settings) -> JobsDesk:
    return make_desk(pool, settings)


@dataclass
class Marketplace:
    """The ledger runs; a test publishes events and works jobs."""

    broker: Broker
    desk: JobsDesk
    settings: Settings
    pool: Pool

    async def publish(self, event: Event, *, event_id: UUID | None = None) -> UUID:
        """Publish an event as a relay would; returns its id."""
        identifier = event_id or new_id()
        envelope = wrap(
            event, identifier=identifier, kind=event.type, source="test", subject=event.subject, time=utc_now()
        )
        await self.broker.publisher.publish(envelope, exchange=EVENTS, routing_key=event.type)
        return identifier

    def working(
        self, handlers: HandlerTable, *, worker: str = "worker@test", state_dir: Path | None = None
    ) -> AbstractAsyncContextManager[tuple[Subscription, ...]]:
        """Consume jobs while the block runs."""
        return working(
            self.broker,
            handlers,
            worker=worker,
            tiers=self.settings.tiers,
            grace_seconds=5,
            state_dir=state_dir,
            seen_seconds=0.2,
        )

    async def jobs_of(self, cause: UUID) -> list[ShownJob]:
        """The jobs an event caused."""
        page = await self.desk.page(ListFilter(cause=cause), before=None, limit=100)
        return list(page.items)

    async def sent_probes(self) -> int:
        """Probes that were sent."""
        return await self.count("SELECT count(*) FROM jobs.probes")

    async def answered_probes(self) -> int:
        """Probes that came back."""
        return await self.count("SELECT count(*) FROM jobs.probes WHERE answered_at IS NOT NULL")

    async def controls_are_sent(self) -> bool:
        """Whether the workers' stream has every instruction."""
        return await self.count("SELECT count(*) FROM jobs.controls WHERE published_at IS NULL") == 0

    async def told_changes(self) -> set[str]:
        """The types that live pages were told of."""
        async with connection(self.pool) as conn:
            rows = await conn.fetch("SELECT body FROM jobs.outbox WHERE type = 'jobs.changed'")
        return {job_type for row in rows for job_type in orjson.loads(row["body"])["data"]["types"]}

    async def count(self, query: str) -> int:
        """The number that a query answers."""
        async with connection(self.pool) as conn:
            return int(await conn.fetchval(query))


StartLedger = Callable[[], AbstractAsyncContextManager[None]]


@pytest.fixture
def start_ledger(settings: Settings) -> StartLedger:
    @asynccontextmanager
    async def start() -> AsyncIterator[None]:
        async with ledger.running(settings):
            yield

    return start


@pytest.fixture
async def marketplace(
    start_ledger: StartLedger, link: Broker, desk: JobsDesk, settings: Settings, pool: Pool
) -> AsyncIterator[Marketplace]:
    async with start_ledger():
        yield Marketplace(link, desk, settings, pool)
