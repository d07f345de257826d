"""The outbox relay: what is committed is published, once each where nobody dies, and what is rolled back never."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast
from uuid import UUID

import asyncpg
import pytest
from pamqp.commands import Basic
from prometheus_client import REGISTRY

from shared.contracts import events
from shared.db.outbox import Inbox, Outbox, OutboxRelay, relaying
from shared.db.pool import Pool, open_pool, transaction
from shared.errors import Unavailable
from shared.ids import new_id
from shared.messaging.publisher import NotConfirmed, Publisher
from tests.eventually import eventually
from tests.integration.shared.messaging.conftest import READER, Bench
from tests.servers import Database

SCHEMA = "jobs"


class FakePublisher:
    """Notes what is published, in order; while `is_away` it raises as the real one does."""

    def __init__(self) -> None:
        self.ids: list[UUID] = []
        self.keys: list[str] = []
        self.is_away = False
        self.refuses: set[UUID] = set()

    async def publish_body(self, body: bytes, *, exchange: str, routing_key: str, properties: Basic.Properties) -> None:
        await asyncio.sleep(0)
        message_id = UUID(properties.message_id or "")
        if self.is_away or message_id in self.refuses:
            raise NotConfirmed("away")
        assert (exchange, properties.delivery_mode) == ("events", 2)
        self.ids.append(message_id)
        self.keys.append(routing_key)


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    async with open_pool(database.url(SCHEMA), name="test") as opened:
        yield opened


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


def relay_of(pool: Pool, publisher: FakePublisher) -> OutboxRelay:
    return OutboxRelay(pool, cast(Publisher, publisher), schema=SCHEMA)


def finished() -> events.JobFinished:
    return events.JobFinished(job_id=new_id(), job_type="x", cause_id=new_id(), outcome="completed")


async def write(pool: Pool, count: int = 1) -> list[UUID]:
    async with transaction(pool) as conn:
        return list(await Outbox(SCHEMA).add(conn, *(finished() for _ in range(count))))


async def test_what_is_committed_is_published_in_order_and_once(pool: Pool, publisher: FakePublisher) -> None:
    written = [*await write(pool, 3), *await write(pool, 2)]
    relay = relay_of(pool, publisher)
    assert [await relay.run_once(), await relay.run_once()] == [5, 0]
    assert publisher.ids == written
    assert set(publisher.keys) == {"job.finished"}
    assert await relay.oldest_unsent_at() is None


async def test_what_is_rolled_back_is_never_published(pool: Pool, publisher: FakePublisher) -> None:
    async def write_and_fail() -> None:
        async with transaction(pool) as conn:
            await Outbox(SCHEMA).add(conn, finished())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write_and_fail()
    async with pool.acquire() as conn, conn.transaction():
        await Outbox(SCHEMA).add(conn, finished())
        assert await relay_of(pool, publisher).run_once() == 0  # not committed yet
    assert await relay_of(pool, publisher).run_once() == 1


async def test_two_relays_share_the_work(pool: Pool, publisher: FakePublisher) -> None:
    written = await write(pool, 1200)
    relays = [relay_of(pool, publisher), relay_of(pool, publisher)]

    async def relay(part: OutboxRelay) -> int:
        total = 0
        while sent := await part.run_once():
            total += sent
        return total

    assert sum(await asyncio.gather(*map(relay, relays))) == 1200
    assert Counter(publisher.ids) == Counter(written)


async def test_a_broker_that_is_away_keeps_the_events_and_one_that_is_back_gets_them(
    pool: Pool, publisher: FakePublisher
) -> None:
    written = await write(pool, 3)
    relay = relay_of(pool, publisher)
    publisher.is_away = True
    for _ in range(2):
        with pytest.raises(Unavailable, match="3 of 3"):
            await relay.run_once()
    assert await relay.oldest_unsent_at() is not None
    publisher.is_away = False
    assert await relay.run_once() == 3
    assert publisher.ids == written


async def test_what_a_killed_relay_had_claimed_is_published_soon_after_its_lease(
    pool: Pool, publisher: FakePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.db.outbox.LEASE_SECONDS", 1)
    written = await write(pool, 2)
    claimed = asyncio.Event()

    class Stuck(FakePublisher):
        async def publish_body(self, *_: object, **__: object) -> None:
            claimed.set()
            await asyncio.Event().wait()

    killed = asyncio.create_task(relay_of(pool, Stuck()).run_once())
    await claimed.wait()
    killed.cancel()
    async with relaying(pool, cast(Publisher, publisher), schema=SCHEMA):
        await eventually(lambda: publisher.ids == written, 5)


async def test_one_event_that_is_refused_holds_no_other(pool: Pool, publisher: FakePublisher) -> None:
    first, bad, last = await write(pool, 3)
    publisher.refuses = {bad}
    relay = relay_of(pool, publisher)
    with pytest.raises(Unavailable, match="1 of 3"):
        await relay.run_once()
    assert publisher.ids == [first, last]
    publisher.refuses = set()
    assert await relay.run_once() == 1
    assert publisher.ids == [first, last, bad]


async def test_the_relay_wakes_when_an_event_is_committed(pool: Pool, publisher: FakePublisher) -> None:
    async with relaying(pool, cast(Publisher, publisher), schema=SCHEMA):
        await eventually(lambda: pool.get_size() >= 1)
        for _ in range(3):
            [event_id] = await write(pool)
            await eventually(lambda: event_id in publisher.ids, 2)  # noqa: B023 - asked at once


async def test_the_relay_outlives_a_bug_and_a_lost_listener(
    pool: Pool, publisher: FakePublisher, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = True
    original = publisher.publish_body

    async def publish_body(*arguments: Any, **named: Any) -> None:
        if broken:
            raise ZeroDivisionError
        await original(*arguments, **named)

    monkeypatch.setattr(publisher, "publish_body", publish_body)
    async with relaying(pool, cast(Publisher, publisher), schema=SCHEMA):
        written = await write(pool)
        async with open_pool(database.admin_url, name="admin") as admin:
            await eventually(lambda: admin.fetchval(_KILL_LISTENERS), 10)
        broken = False
        await eventually(lambda: publisher.ids == written, 10)
        written += await write(pool)
        await eventually(lambda: publisher.ids == written, 5)


async def test_the_relay_outlives_a_listener_that_fails_in_any_way(
    pool: Pool, publisher: FakePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role that may not, a standby that takes no LISTEN: once that is over nobody else would wake the relay."""
    tries: list[int] = []
    add_listener = asyncpg.Connection.add_listener

    async def failing_once(self: Any, channel: str, callback: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise asyncpg.ReadOnlySQLTransactionError("cannot execute LISTEN during recovery")
        await add_listener(self, channel, callback)

    monkeypatch.setattr(asyncpg.Connection, "add_listener", failing_once)
    async with relaying(pool, cast(Publisher, publisher), schema=SCHEMA):
        await eventually(lambda: len(tries) == 2, 5)
        written = await write(pool)
        await eventually(lambda: publisher.ids == written, 5)


_KILL_LISTENERS = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'test' AND query LIKE 'LISTEN%'
"""


async def test_the_relay_outlives_the_loss_of_the_real_broker(pool: Pool, bench: Bench) -> None:
    async def write_some() -> list[UUID]:
        async with transaction(pool) as conn:
            failures = [
                events.JobFailed(
                    job_id=new_id(), job_type="x", cause_id=None, target="t", error_class="E", error_message=""
                )
                for _ in range(200)
            ]
            return list(await Outbox(SCHEMA).add(conn, *failures))

    async with relaying(pool, bench.broker.publisher, schema=SCHEMA) as relay:
        written = await write_some()
        await bench.lose_connections()
        written += await write_some()

        async def all_sent() -> bool:
            return await relay.oldest_unsent_at() is None

        await eventually(all_sent, 20)
    there = Counter(UUID(message["properties"]["message_id"]) for message in bench.taken(READER, 1000))
    assert set(written) == set(there)


async def test_a_message_is_seen_for_the_first_time_once(pool: Pool) -> None:
    inbox, message = Inbox(SCHEMA), new_id()
    async with transaction(pool) as conn:
        assert await inbox.first_time(conn, message)
        assert not await inbox.first_time(conn, message)
    async with transaction(pool) as conn:
        assert not await inbox.first_time(conn, message)
        await inbox.prune(conn)
        assert not await inbox.first_time(conn, message)


async def test_the_age_of_what_waits_is_told_and_nothing_while_the_database_is_away(
    pool: Pool, publisher: FakePublisher
) -> None:
    relay = relay_of(pool, publisher)

    async def told() -> float | None:
        await relay.tell_age()
        return REGISTRY.get_sample_value("souk_outbox_oldest_age_seconds", {"schema": SCHEMA})

    assert await told() == 0
    async with transaction(pool) as conn:
        await Outbox(SCHEMA).add(conn, finished())
    await pool.execute(f"UPDATE {SCHEMA}.outbox SET created_at = now() - interval '1 minute'")
    assert 60 <= (await told() or 0) < 120
    await relay.run_once()
    assert await told() == 0
    await pool.close()
    with pytest.raises(Unavailable):
        await relay.tell_age()
    assert REGISTRY.get_sample_value("souk_outbox_oldest_age_seconds", {"schema": SCHEMA}) is None
