"""Whatever becomes of the link to the database: an end in time, and a fresh link for the next."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from pamqp.commands import Basic

import shared.db.outbox
import shared.db.pool
from shared.contracts.events import JobsChanged
from shared.db.outbox import Outbox, relaying
from shared.db.pool import Pool, connection, open_pool, transaction
from shared.errors import Unavailable
from shared.messaging.publisher import Publisher
from tests.eventually import eventually
from tests.faults.proxy import FaultProxy, fault_proxy
from tests.servers import Database

COMMAND_SECONDS = 1.0
LINKS = 4


@pytest.fixture
async def way(database: Database) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(database.url("jobs")) as opened:
        yield opened


@pytest.fixture
async def pool(way: FaultProxy, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    """A pool all of whose connections stand."""
    monkeypatch.setattr(shared.db.pool, "COMMAND_SECONDS", COMMAND_SECONDS)
    monkeypatch.setattr(shared.db.pool, "CONNECT_SECONDS", COMMAND_SECONDS)
    async with open_pool(way.url, name="test", max_size=LINKS) as opened:
        await asyncio.gather(*(opened.execute("SELECT pg_sleep(0.2)") for _ in range(LINKS)))
        assert opened.get_size() == LINKS
        yield opened


async def one(pool: Pool) -> int:
    """Ask the database something small."""
    async with connection(pool) as conn:
        return int(await conn.fetchval("SELECT 1"))


async def test_half_open_links_cost_one_statement_its_time_and_no_other(pool: Pool, way: FaultProxy) -> None:
    way.vanish()
    with pytest.raises(Unavailable):
        await one(pool)
    began = time.monotonic()
    for _ in range(2 * LINKS):
        assert await one(pool) == 1
    assert time.monotonic() - began < COMMAND_SECONDS


async def test_lost_links_cost_no_more_statements_than_were_under_way(pool: Pool, way: FaultProxy) -> None:
    under_way = [asyncio.ensure_future(one(pool)) for _ in range(LINKS)]
    way.reset()
    await asyncio.gather(*under_way, return_exceptions=True)
    assert await asyncio.gather(*(one(pool) for _ in range(2 * LINKS))) == [1] * 2 * LINKS


async def test_a_stalled_link_ends_in_time_and_works_again_when_it_flows(pool: Pool, way: FaultProxy) -> None:
    way.stall()
    began = time.monotonic()
    outcomes = await asyncio.gather(*(one(pool) for _ in range(2 * LINKS)), return_exceptions=True)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes), outcomes
    assert time.monotonic() - began < 5 * COMMAND_SECONDS
    way.flow()
    assert await one(pool) == 1


async def test_a_database_that_refuses_is_unavailable_at_once_and_then_back(pool: Pool, way: FaultProxy) -> None:
    way.cut()
    with pytest.raises(Unavailable):
        await one(pool)
    await way.join()
    assert await one(pool) == 1


class Notebook(Publisher):
    """Publishes into a list."""

    def __init__(self) -> None:
        self.published: list[str] = []

    async def publish_body(self, body: bytes, *, exchange: str, routing_key: str, properties: Basic.Properties) -> None:
        self.published.append(routing_key)


async def test_a_relay_whose_listening_link_is_half_open_hears_again(
    pool: Pool, way: FaultProxy, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever listens also looks: without an answer it is known that nothing is heard any more."""
    monkeypatch.setattr(shared.db.outbox, "LISTEN_CHECK_SECONDS", 0.5)
    monkeypatch.setattr(shared.db.outbox, "CONNECT_SECONDS", COMMAND_SECONDS)
    notebook = Notebook()
    async with open_pool(database.url("jobs"), name="past the proxy") as past, relaying(pool, notebook, schema="jobs"):

        async def write() -> None:
            async with transaction(past) as conn:
                await Outbox("jobs").add(conn, JobsChanged(types=("send-email",)))

        await write()
        await eventually(lambda: len(notebook.published) == 1)
        way.vanish()
        await write()
        await eventually(lambda: len(notebook.published) == 2, 15)
