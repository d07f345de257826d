"""Each slot once, however many tickers there are and whatever happens to them."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import asyncpg
import orjson
import pytest

from services.scheduler import store
from services.scheduler.models import Timed
from services.scheduler.schedule import parse_schedule
from services.scheduler.ticker import Ticker
from shared.contracts.envelope import Envelope
from shared.contracts.events import ScheduleDue
from shared.db.outbox import Outbox
from shared.db.pool import Pool, transaction
from shared.errors import Unavailable
from shared.ids import derived_id
from tests.eventually import eventually
from tests.servers import Database

START = datetime(2026, 3, 1, 10, 0, 5, tzinfo=UTC)


def entry(name: str, cron: str, rest: str = "") -> str:
    return f'[[entry]]\nname = "{name}"\ncron = "{cron}"\njob_type = "check-low-stock"\n{rest}\n'


def schedule(*entries: str) -> tuple[Timed, ...]:
    return parse_schedule("\n".join(entries), source="test", default_zone="UTC")


def make_ticker(pool: Pool, timed: tuple[Timed, ...]) -> Ticker:
    return Ticker(pool, Outbox("scheduler"), timed, clock=lambda: START)


async def emitted(pool: Pool) -> list[tuple[str, datetime]]:
    """What the outbox holds, in order; every event's id is checked to be the derived one and its tick to be there."""
    events = []
    for row in await pool.fetch("SELECT id, body FROM scheduler.outbox ORDER BY seq"):
        envelope = Envelope.model_validate_json(row["body"])
        event = ScheduleDue.model_validate_json(orjson.dumps(envelope.data))
        assert row["id"] == derived_id(event.due_at, "schedule.due", event.entry)
        events.append((event.entry, event.due_at))
    ticks = await pool.fetch("SELECT entry, due_at FROM scheduler.ticks")
    assert Counter(events) == Counter((row["entry"], row["due_at"]) for row in ticks)
    return events


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-01T{text}").replace(tzinfo=UTC)


async def test_a_slot_is_emitted_when_its_time_comes_and_not_again(pool: Pool) -> None:
    ticker = make_ticker(pool, schedule(entry("half", "*/30 * * * *")))
    assert await ticker.run_once(START) == at("10:30:00")
    assert await emitted(pool) == []  # nothing before the entry was first seen
    assert await ticker.run_once(at("10:29:59")) == at("10:30:00")
    assert await ticker.run_once(at("10:30:00")) == at("11:00:00")
    await ticker.run_once(at("10:30:00"))
    await ticker.run_once(at("10:30:30"))
    assert await emitted(pool) == [("half", at("10:30:00"))]


async def test_two_tickers_at_once_emit_each_slot_once(pool: Pool) -> None:
    timed = schedule(entry("often", "* * * * *"), entry("third", "*/3 * * * *"))
    tickers = [make_ticker(pool, timed) for _ in range(2)]
    moments = [START + timedelta(seconds=20 * step) for step in range(91)]  # half an hour
    for now in moments:
        await asyncio.gather(*(ticker.run_once(now) for ticker in tickers))
    events = await emitted(pool)
    assert len(set(events)) == len(events)
    assert Counter(name for name, _ in events) == {"often": 30, "third": 10}


async def test_tickers_that_die_lose_and_double_nothing(pool: Pool) -> None:
    timed = schedule(entry("often", "* * * * *", 'misfire = "all"\nwindow = "1h"'))
    random = Random(7)
    await make_ticker(pool, timed).run_once(START)

    async def look(now: datetime) -> None:
        looking = asyncio.ensure_future(make_ticker(pool, timed).run_once(now))
        if random.random() < 0.5:  # killed somewhere on its way
            await asyncio.wait([looking], timeout=random.random() * 0.01)
            looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)

    for minute in range(40):
        now = START + timedelta(minutes=minute, seconds=random.randrange(60))
        await asyncio.gather(*(look(now) for _ in range(3)))
    await make_ticker(pool, timed).run_once(START + timedelta(minutes=41))
    events = await emitted(pool)
    assert [due for _, due in events] == [at("10:00:00") + timedelta(minutes=step) for step in range(1, 42)]


async def test_a_clock_that_goes_back_repeats_nothing(pool: Pool) -> None:
    ticker = make_ticker(pool, schedule(entry("often", "* * * * *")))
    for now in (START, at("10:02:00"), at("10:00:30"), at("10:01:10"), at("10:03:00")):
        await ticker.run_once(now)
    assert [due for _, due in await emitted(pool)] == [at("10:01:00"), at("10:02:00"), at("10:03:00")]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ('misfire = "skip"', []),
        ('misfire = "once"\nwindow = "2h"', ["14:00:00"]),
        ('misfire = "all"\nwindow = "2h"', ["13:00:00", "14:00:00"]),
    ],
)
async def test_after_hours_of_downtime_the_misfire_rule_decides(pool: Pool, rule: str, expected: list[str]) -> None:
    ticker = make_ticker(pool, schedule(entry("hourly", "0 * * * *", rule)))
    await ticker.run_once(START)
    await ticker.run_once(at("14:40:00"))
    await ticker.run_once(at("14:41:00"))
    assert [due for _, due in await emitted(pool)] == [at(text) for text in expected]
    await ticker.run_once(at("15:00:01"))
    assert (await emitted(pool))[-1][1] == at("15:00:00")


async def test_a_disabled_entry_emits_nothing_and_makes_up_for_nothing(pool: Pool) -> None:
    rule = 'misfire = "all"\nenabled = '
    off, on = (schedule(entry("hourly", "0 * * * *", rule + value)) for value in ("false", "true"))
    for now in (START, at("11:00:00"), at("12:00:00")):
        await make_ticker(pool, off).run_once(now)
    await make_ticker(pool, on).run_once(at("12:30:00"))
    assert await emitted(pool) == []
    await make_ticker(pool, on).run_once(at("13:00:00"))
    assert await emitted(pool) == [("hourly", at("13:00:00"))]


async def test_a_scheduler_frozen_inside_its_transaction_holds_up_no_other(pool: Pool) -> None:
    timed = schedule(entry("often", "* * * * *"))
    await make_ticker(pool, timed).run_once(START)

    async def frozen() -> None:
        async with transaction(pool) as conn:
            await store.limit_waits(conn)
            await store.lock_state(conn, "often")
            await eventually(others_went_on, timeout=20)
            await store.settle(conn, "often", at("10:01:00"))  # what it does when it wakes

    async def others_went_on() -> bool:
        try:
            await make_ticker(pool, timed).run_once(at("10:01:00"))
        except asyncpg.LockNotAvailableError:
            return False
        return True

    with pytest.raises((asyncpg.PostgresError, Unavailable)):
        await frozen()
    assert await emitted(pool) == [("often", at("10:01:00"))]


async def test_a_change_wakes_a_sleeping_ticker(pool: Pool) -> None:
    looks: list[datetime] = []

    def clock() -> datetime:
        looks.append(START)
        return START

    ticker = Ticker(pool, Outbox("scheduler"), schedule(entry("yearly", "0 0 1 1 *")), clock=clock)
    running = asyncio.ensure_future(ticker.run())
    try:
        await eventually(lambda: len(looks) >= 4)  # its first look, and one when it began to listen
        before = len(looks)
        async with transaction(pool) as conn:
            await store.tell_changed(conn)
        await eventually(lambda: len(looks) > before)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_old_ticks_are_forgotten_and_do_not_come_back(pool: Pool) -> None:
    ticker = make_ticker(pool, schedule(entry("often", "* * * * *")))
    await ticker.run_once(START - timedelta(days=500))
    await ticker.run_once(START - timedelta(days=500) + timedelta(minutes=1))
    assert len(await emitted(pool)) == 1
    await ticker.prune_once()
    assert await pool.fetchval("SELECT count(*) FROM scheduler.ticks") == 0
    await ticker.run_once(START - timedelta(days=500) + timedelta(minutes=1))
    assert await pool.fetchval("SELECT count(*) FROM scheduler.outbox") == 1


async def test_every_statement_is_valid(database: Database) -> None:
    connection = await asyncpg.connect(database.url("scheduler"))
    try:
        statements = {name: text for name, text in vars(store).items() if name.isupper() and "\n" in str(text)}
        assert len(statements) >= 9
        for text in statements.values():
            await connection.prepare(text)
    finally:
        await connection.close()
