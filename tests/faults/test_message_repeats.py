"""Every kind of event that a reader keeps something of, twice and in another order, leaves what one of each leaves.

The messages are the goldens, so a new kind is in here as soon as it exists; one that leaves nothing in any table has to
be named in `LEAVES_NOTHING`, with the reason.
"""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest

from deploy.local.ports import free_ports
from services.catalog import worker
from services.catalog.settings import WorkerSettings
from services.jobs import ledger
from services.jobs.settings import Settings as LedgerSettings
from services.reporting import app as reporting
from services.reporting.settings import Settings as ReportingSettings
from services.scheduler import app as scheduler
from services.scheduler.settings import Settings as SchedulerSettings
from shared.clock import utc_now
from shared.contracts.envelope import Envelope
from shared.contracts.events import EVENTS as KINDS
from shared.ids import new_id
from shared.messaging.broker import Broker, open_broker
from shared.messaging.declare import apply
from shared.messaging.publisher import Publisher
from shared.messaging.topology import ANNOUNCEMENT, EVENT_READERS, EVENTS, JOBS, REPORTS, build, is_read_by, parse_tiers
from shared.settings import ServiceSettings
from tests.contracts.goldens import GOLDEN
from tests.eventually import eventually
from tests.faults.line import running_line
from tests.faults.proxy import fault_proxy
from tests.servers import Database, Vhost

TIERS: Final = "1s"
KEY: Final = "k" * 40
SCHEMAS: Final = {"dispatch": "jobs", "catalog": "catalog", "reporting": "reporting", "scheduler": "scheduler"}
KEPT: Final = {
    "jobs.jobs": "SELECT id, type, target, priority, payload::text FROM jobs.jobs WHERE cause = ANY($1)",
    "catalog.images": "SELECT id, status, round, renditions::text FROM catalog.images WHERE $1::uuid[] IS NOT NULL",
    "reporting.order_lines": "SELECT order_id, line, quantity FROM reporting.order_lines WHERE $1::uuid[] IS NOT NULL",
    "reporting.cancellations": "SELECT order_id FROM reporting.cancellations WHERE $1::uuid[] IS NOT NULL",
    "reporting.facts": "SELECT event_id, kind, label FROM reporting.facts WHERE event_id = ANY($1)",
    "scheduler.ticks": "SELECT event_id, job_id, outcome FROM scheduler.ticks WHERE $1::uuid[] IS NOT NULL",
}
"""What each kind leaves, by table; $1 are the ids of the goldens, since the jobs that they make leave something too."""
LEAVES_NOTHING: Final = {
    ("notifier", "account.changed"): "it drops an address from a cache",
    **{(reader, ANNOUNCEMENT): "it is about other events: tests/integration/replay" for reader in SCHEMAS},
}


def read_kinds() -> list[tuple[str, str]]:
    """Each reader with each kind of event that reaches it."""
    return [(reader, kind.type) for reader in EVENT_READERS for kind in KINDS if is_read_by(reader, kind.type)]


def goldens() -> list[Envelope]:
    """One message of each kind that leaves something somewhere, in the order of the contracts."""
    kinds = {kind for reader, kind in read_kinds() if (reader, kind) not in LEAVES_NOTHING}
    paths = [GOLDEN / "events" / f"{kind.type}.1.json" for kind in KINDS if kind.type in kinds]
    return [Envelope.model_validate_json(path.read_text()) for path in paths]


def test_every_reader_of_events_is_looked_at() -> None:
    exempt = {reader for reader, _ in read_kinds() if all(pair in LEAVES_NOTHING for pair in _of(reader))}
    assert SCHEMAS.keys() | exempt == EVENT_READERS.keys()
    assert LEAVES_NOTHING.keys() <= set(read_kinds())


def _of(reader: str) -> list[tuple[str, str]]:
    return [pair for pair in read_kinds() if pair[0] == reader]


@pytest.fixture
async def owner(database: Database) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Who may see and write all; the rows that the goldens speak of are there."""
    connection = await asyncpg.connect(database.admin_url, timeout=10)
    try:
        await _seed(connection)
        yield connection
    finally:
        await connection.close()


async def _seed(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    """A picture that waits for the golden answer, and a slot of which the golden word is."""
    slot = json.loads((GOLDEN / "events" / "job.finished.1.json").read_text())["data"]["cause_id"]
    await owner.execute(
        "INSERT INTO scheduler.entries (name, settled_until, changed_at) VALUES ('e', now(), now())"
        " ON CONFLICT DO NOTHING"
    )
    await owner.execute(
        "INSERT INTO scheduler.ticks (entry, due_at, event_id, cause, emitted_at)"
        " VALUES ('e', now(), $1, 'slot', now())",
        UUID(slot),
    )
    told = json.loads((GOLDEN / "events" / "image.processed.1.json").read_text())["data"]
    vendor, product, image = (UUID(told[name]) for name in ("vendor_id", "product_id", "image_id"))
    await owner.execute("INSERT INTO catalog.vendors (id, slug, name) VALUES ($1, 'v', 'V')", vendor)
    await owner.execute(
        "INSERT INTO catalog.products (id, vendor_id, sku, slug, title, description, price_minor, currency, category,"
        " status) SELECT $1, $2, 'S', 's', 'T', '', 1, 'EUR', min(slug), 'pending' FROM catalog.categories",
        product,
        vendor,
    )
    await owner.execute(
        "INSERT INTO catalog.images (id, product_id, position, alt, source, status, round, asked_by)"
        " VALUES ($1, $2, 1, '', 'blob:x', 'pending', $3, $4)",
        image,
        product,
        told["round"],
        UUID(int=7),
    )


@asynccontextmanager
async def all_readers(database: Database, vhost: Vhost, folder: Path) -> AsyncIterator[None]:
    """The processes that read events and keep something. Nothing is scheduled: nobody writes an event by itself."""
    (folder / "schedule.toml").touch()
    base: dict[str, Any] = {"amqp_url": vhost.amqp_url, "retry_tiers": TIERS, "http_port": 0, "grace_seconds": 1}
    ports = iter(free_ports(4))
    urls = {f"{schema}_database_url": database.url(schema) for schema in SCHEMAS.values()}
    keys = {f"{schema}_key": KEY for schema in SCHEMAS.values()}
    runs: tuple[tuple[Any, type[ServiceSettings], dict[str, Any]], ...] = (
        (ledger, LedgerSettings, {}),
        (worker, WorkerSettings, {"sync_key": KEY}),
        (reporting, ReportingSettings, {}),
        (scheduler, SchedulerSettings, {"schedule_file": folder / "schedule.toml"}),
    )
    async with AsyncExitStack() as stack:
        for process, settings, more in runs:
            given = {**base, **urls, **keys, **more, "ops_port": next(ports)}
            known = {name: value for name, value in given.items() if name in settings.model_fields}
            await stack.enter_async_context(process.running(settings.model_validate(known)))
        yield


async def left_by(
    messages: Sequence[Envelope], broker: Broker, owner: "asyncpg.Connection[asyncpg.Record]"
) -> dict[str, list[str]]:
    """Send the messages, wait until each reader is through with them, and read what each has kept."""
    for envelope in messages:
        await broker.publisher.publish(envelope, exchange=EVENTS, routing_key=envelope.type)
    for reader, schema in SCHEMAS.items():
        await eventually(partial(_is_noted, owner, schema, await _send_last(broker, reader)), 30, every=0.05)
    ids = [envelope.id for envelope in messages]
    return {table: sorted(str(tuple(row)) for row in await owner.fetch(query, ids)) for table, query in KEPT.items()}


async def _send_last(broker: Broker, reader: str) -> UUID:
    """Send a reader something that it does not know; noted, it says that all before it is handled."""
    last = Envelope(id=new_id(), source="test", type="nothing.known", time=utc_now(), data={})
    key = next(kind for _, kind in _of(reader) if kind != ANNOUNCEMENT)
    await broker.publisher.publish(last, exchange=EVENTS, routing_key=key)
    return last.id


async def _is_noted(owner: "asyncpg.Connection[asyncpg.Record]", schema: str, message_id: UUID) -> bool:
    return bool(await owner.fetchval(f"SELECT count(*) FROM {schema}.inbox WHERE message_id = $1", message_id))


@pytest.mark.long
@pytest.mark.parametrize("number", range(3))
async def test_twice_and_in_another_order_leaves_the_same(
    database: Database, vhost: Vhost, owner: "asyncpg.Connection[asyncpg.Record]", number: int, tmp_path: Path
) -> None:
    once = goldens()
    async with open_broker(vhost.amqp_url, name="test") as broker:
        await apply(broker.publishing, build(parse_tiers(TIERS)))
        async with all_readers(database, vhost, tmp_path):
            if number:
                mixed = [*once, *once]
                Random(number).shuffle(mixed)
            else:
                mixed = [message for message in once for _ in range(2)]
            found = await left_by(mixed, broker, owner)
        for table in KEPT:
            await owner.execute(f"TRUNCATE {table} CASCADE")
        for schema in SCHEMAS.values():
            await owner.execute(f"TRUNCATE {schema}.inbox")
        await owner.execute("DELETE FROM catalog.products")
        await owner.execute("DELETE FROM catalog.vendors")
        await _seed(owner)
        async with all_readers(database, vhost, tmp_path):
            expected = await left_by(once, broker, owner)
    for table, rows in expected.items():
        assert found[table] == rows, table
    assert all(expected.values()), "each reader kept something"
    assert "ready" in expected["catalog.images"][0]
    assert "cancelled" in expected["scheduler.ticks"][0]


@pytest.mark.long
async def test_whatever_is_published_twice_happens_once(
    database: Database, vhost: Vhost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events, announcements, jobs, reports, what workers tell of themselves, control messages: all of them."""
    publish, kinds = Publisher.publish_body, set[str]()

    async def twice(publisher: Publisher, body: bytes, **where: Any) -> None:
        kinds.add(where["exchange"])
        await publish(publisher, body, **where)
        await publish(publisher, body, **where)

    monkeypatch.setattr(Publisher, "publish_body", twice)
    pictures = 5
    async with fault_proxy(vhost.amqp_url) as way, running_line(database, way) as line:
        for _ in range(pictures):
            await line.carries()
        states = await line.jobs.fetch("SELECT target, state FROM jobs.jobs WHERE type = 'process-image'")
        counted = await line.jobs.fetchval(
            "SELECT sum(n) FROM jobs.counters WHERE type = 'process-image' AND state = 'completed'"
        )
        sold = await line.reporting.fetchval("SELECT count(*) FROM reporting.order_lines")
    assert {row["state"] for row in states} == {"completed"}
    assert len(states) == len({row["target"] for row in states}) == counted == sold == pictures + 1
    assert kinds >= {EVENTS, JOBS, REPORTS}
