"""A relay, a ledger, reporting, a worker and a reader of the stream behind one fault proxy, in the test's own loop.

`carries()` sends one event down the whole line and waits until everybody has done their part, so it is the proof that
all of them publish and consume. The proxy stands before the broker; database and operations ports are reached past it.
"""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import aiohttp
from pydantic import SecretStr

from deploy.local.ports import free_ports
from services.catalog import relay
from services.catalog.settings import Settings as RelaySettings
from services.jobs import ledger
from services.jobs.settings import Settings as LedgerSettings
from services.reporting import app as reporting
from services.reporting.settings import Settings as ReportingSettings
from shared.clock import utc_now
from shared.contracts import events, jobs
from shared.contracts.base import Event, Money
from shared.db.outbox import Outbox
from shared.db.pool import Pool, open_pool, transaction
from shared.ids import new_id
from shared.lifecycle import background
from shared.messaging.attempt import Attempt
from shared.messaging.broker import open_broker
from shared.messaging.reader import Received
from shared.messaging.stream import EventStream, MemoryEpochs, Position
from shared.messaging.subscription import Subscription
from shared.messaging.topology import EVENT_STREAM, build, parse_tiers
from shared.messaging.working import working
from tests.eventually import eventually
from tests.faults.proxy import FaultProxy
from tests.servers import Database

TIERS: Final = "1s"
STATED_SECONDS: Final = 5.0
"""Within so many seconds of the broker being well everything consumes again."""
ALLOWED_SECONDS: Final = 4 * STATED_SECONDS


@dataclass
class Heard:
    """A listener that keeps the pictures it heard of."""

    pictures: set[UUID] = field(default_factory=set)

    def heard(self, received: Received, position: Position) -> None:
        """Keep it."""
        if isinstance(received.event, events.ImageAdded):
            self.pictures.add(received.event.image_id)

    def lost(self) -> None:
        """Nothing is derived from it."""


@dataclass
class Line:
    """What is to be carried, and where to look."""

    way: FaultProxy
    catalog: Pool
    jobs: Pool
    reporting: Pool
    ready_urls: dict[str, str]
    working: tuple[Subscription, ...]
    http: aiohttp.ClientSession
    heard: Heard

    async def carries(self, within_seconds: float = ALLOWED_SECONDS) -> float:
        """Send a picture and an order; seconds until the one is rendered, recorded and heard of, the other counted."""
        picture = events.ImageAdded(vendor_id=new_id(), image_id=new_id(), product_id=new_id(), source="blob:x")
        began = time.monotonic()
        await self.write(picture, an_order(order_id := new_id()))

        async def has_all_arrived() -> bool:
            done = await self.jobs.fetchval(
                "SELECT count(*) FROM jobs.jobs WHERE target = $1 AND state = 'completed'", str(picture.image_id)
            )
            sold = await self.reporting.fetchval(
                "SELECT count(*) FROM reporting.order_lines WHERE order_id = $1", order_id
            )
            return bool(done and sold and picture.image_id in self.heard.pictures)

        await eventually(has_all_arrived, within_seconds, every=0.05)
        return time.monotonic() - began

    async def write(self, *written: Event) -> tuple[UUID, ...]:
        """Put events into the catalog's outbox, past the proxy."""
        async with transaction(self.catalog) as conn:
            return await Outbox("catalog").add(conn, *written)

    async def unready(self) -> set[str]:
        """The processes that say of themselves that they are not ready."""
        found = set()
        for name, url in self.ready_urls.items():
            async with self.http.get(url) as answer:
                if answer.status == 503:
                    found.add(name)
        if not all(each.is_consuming for each in self.working):
            found.add("worker")
        return found

    async def is_ready(self) -> bool:
        """Whether all say that they are."""
        return not await self.unready()


def an_order(order_id: UUID) -> events.OrderPlaced:
    """An order of one line."""
    line = events.OrderLine(
        product_id=new_id(), vendor_id=new_id(), quantity=1, unit_price=Money(amount_minor=100, currency="EUR")
    )
    return events.OrderPlaced(order_id=order_id, channel="shop", placed_at=utc_now(), lines=(line,))


async def render(_: jobs.ProcessImage, __: Attempt) -> None:
    """As if the renditions were there already."""


@asynccontextmanager
async def running_line(
    database: Database, way: FaultProxy, *, ledgers_database: str | None = None
) -> AsyncIterator[Line]:
    """Everything behind the proxy, proven to work before the block begins.

    `ledgers_database` is how the ledger reaches its database; by default as the test does.
    """
    names = ("relay", "ledger", "reporting")
    ports = dict(zip(names, free_ports(len(names)), strict=True))

    def base(name: str) -> dict[str, object]:
        return {
            "amqp_url": SecretStr(way.url),
            "retry_tiers": TIERS,
            "http_port": 0,
            "ops_port": ports[name],
            "grace_seconds": 2,
            "announce_seconds": 2.0,
        }

    relays = RelaySettings.model_validate({**base("relay"), "catalog_database_url": SecretStr(database.url("catalog"))})
    ledgers = LedgerSettings.model_validate(
        {**base("ledger"), "jobs_database_url": SecretStr(ledgers_database or database.url("jobs"))}
    )
    reports = ReportingSettings.model_validate(
        {
            **base("reporting"),
            "reporting_database_url": SecretStr(database.url("reporting")),
            "reporting_key": SecretStr("k" * 40),
        }
    )
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        http = await enter(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)))
        catalog = await enter(open_pool(database.url("catalog"), name="test"))
        in_jobs = await enter(open_pool(database.url("jobs"), name="test"))
        counted = await enter(open_pool(database.url("reporting"), name="test"))
        await enter(ledger.running(ledgers))
        await enter(relay.running(relays))
        await enter(reporting.running(reports))
        broker = await enter(open_broker(way.url, name="worker"))
        subscriptions = await enter(
            working(broker, {jobs.ProcessImage: render}, worker="w", tiers=parse_tiers(TIERS), grace_seconds=2)
        )
        stream = EventStream(
            broker.consuming,
            EVENT_STREAM,
            topology=build(parse_tiers(TIERS), ()),
            epochs=MemoryEpochs(),
            heartbeat=events.OutboxDrained,
        )
        heard = Heard()
        stream.tell(heard)
        await enter(background(stream.run(), name="stream"))
        urls = {name: f"http://127.0.0.1:{port}/readyz" for name, port in ports.items()}
        line = Line(way, catalog, in_jobs, counted, urls, subscriptions, http, heard)
        await eventually(line.is_ready, 60, every=0.1)
        await eventually(lambda: stream.is_reading, 30)
        await line.carries(60)
        yield line
