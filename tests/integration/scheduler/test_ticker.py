"""Each slot once, however many tickers there are and whatever happens to them."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import asyncpg
import orjson
import pytest

from services.scheduler import store
from services.scheduler.models import Fate, Timed
from services.scheduler.schedule import parse_schedule
from services.scheduler.ticker import Ticker
from services.scheduler.usecases import Schedules
from shared.contracts.envelope import Envelope, wrap
from shared.contracts.events import JobFinished, ScheduleDue
from shared.db.outbox import Outbox
from shared.db.pool import Pool, transaction
from shared.errors import Unavailable
from shared.ids import derived_id, new_id
from shared.web.identity import Identity, Role
from tests.eventually import eventually
from tests.servers import Database

ADMIN = Identity(new_id(), Role.ADMIN)
START = datetime(2026, 3, 1, 10, 0, 5, tzinfo=UTC)


def entry(name: str, cron: str, rest: str = "") -> str:
    return f'[[entry]]\nname = "{name}"\ncron = "{cron}"\njob_type = "check-low-stock"\n{rest}\n'


def schedule(*entries: str) -> tuple[Timed, ...]:
    return parse_schedule("\n".join(entries), source="test", default_zone="UTC")


class Hand:
    """A ticker whose clock a test sets."""

    def __init__(self, pool: Pool, timed: tuple[Timed, ...]) -> None:
        self.time = START
        self.looks = 0
        self.ticker = Ticker(pool, Outbox("scheduler"), timed, now=self.now)

    async def at(self, time: datetime) -> float:
        """Look once at this time; for how many seconds nothing more is due."""
        self.time = time
        return await self.ticker.run_once()

    async def now(self, _: object) -> datetime:
        self.looks += 1
        return self.time


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
    ticker = Hand(pool, schedule(entry("half", "*/30 * * * *")))
    assert await ticker.at(START) == 60.0  # no sleep is longer
    assert await emitted(pool) == []  # nothing before the entry was first seen
    assert 0 < await ticker.at(at("10:29:59")) <= 1.0
    assert await ticker.at(at("10:30:00")) == 60.0
    await ticker.at(at("10:30:00"))
    await ticker.at(at("10:30:30"))
    assert await emitted(pool) == [("half", at("10:30:00"))]


async def test_two_tickers_at_once_emit_each_slot_once(pool: Pool) -> None:
    timed = schedule(entry("often", "* * * * *"), entry("third", "*/3 * * * *"))
    tickers = [Hand(pool, timed) for _ in range(2)]
    moments = [START + timedelta(seconds=20 * step) for step in range(91)]  # half an hour
    for now in moments:
        await asyncio.gather(*(ticker.at(now) for ticker in tickers))
    events = await emitted(pool)
    assert len(set(events)) == len(events)
    assert Counter(name for name, _ in events) == {"often": 30, "third": 10}


async def test_tickers_that_die_lose_and_double_nothing(pool: Pool) -> None:
    timed = schedule(entry("often", "* * * * *", 'misfire = "all"\nwindow = "1h"'))
    random = Random(7)
    await Hand(pool, timed).at(START)

    async def look(now: datetime) -> None:
        looking = asyncio.ensure_future(Hand(pool, timed).at(now))
        if random.random() < 0.5:  # killed somewhere on its way
            await asyncio.wait([looking], timeout=random.random() * 0.01)
            looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)

    for minute in range(40):
        now = START + timedelta(minutes=minute, seconds=random.randrange(60))
        await asyncio.gather(*(look(now) for _ in range(3)))
    await Hand(pool, timed).at(START + timedelta(minutes=41))
    events = await emitted(pool)
    assert [due for _, due in events] == [at("10:00:00") + timedelta(minutes=step) for step in range(1, 42)]


async def test_a_clock_that_goes_back_repeats_nothing(pool: Pool) -> None:
    ticker = Hand(pool, schedule(entry("often", "* * * * *")))
    for now in (START, at("10:02:00"), at("10:00:30"), at("10:01:10"), at("10:03:00")):
        await ticker.at(now)
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
    ticker = Hand(pool, schedule(entry("hourly", "0 * * * *", rule)))
    await ticker.at(START)
    await ticker.at(at("14:40:00"))
    await ticker.at(at("14:41:00"))
    assert [due for _, due in await emitted(pool)] == [at(text) for text in expected]
    await ticker.at(at("15:00:01"))
    assert (await emitted(pool))[-1][1] == at("15:00:00")


async def test_a_clock_that_runs_ahead_and_is_put_right_loses_no_slot(pool: Pool) -> None:
    """While it is ahead the rule `skip` gives up what seems to be missed; put right, those slots are due again."""
    ticker = Hand(pool, schedule(entry("hourly", "0 * * * *", 'misfire = "skip"')))
    for text in ("10:10:00", "13:30:00", "10:11:00", "10:59:59", "11:00:00", "12:00:10", "13:00:01"):
        await ticker.at(at(text))
    assert [due for _, due in await emitted(pool)] == [at("11:00:00"), at("12:00:00"), at("13:00:00")]


async def test_many_missed_slots_are_made_up_for_in_several_transactions(pool: Pool) -> None:
    ticker = Hand(pool, schedule(entry("often", "* * * * *", 'misfire = "all"\nwindow = "31d"')))
    await ticker.at(START)
    await ticker.at(START + timedelta(minutes=1205))
    assert [due for _, due in await emitted(pool)] == [at("10:00:00") + timedelta(minutes=n) for n in range(1, 1206)]
    assert await pool.fetchval("SELECT count(DISTINCT xmin::text) FROM scheduler.ticks") == 3


async def test_a_paused_entrys_slots_are_not_made_up_for(pool: Pool) -> None:
    timed = schedule(entry("hourly", "0 * * * *", 'misfire = "all"'))
    ticker = Hand(pool, timed)
    await ticker.at(START)
    desk = Schedules(pool=pool, outbox=Outbox("scheduler"), entries=timed, now=ticker.now)
    await desk.pause("hourly", by=ADMIN, request_id=None)
    await ticker.at(at("11:00:00"))
    ticker.time = at("13:30:00")  # no scheduler ran since
    await desk.resume("hourly", by=ADMIN, request_id=None)
    await ticker.at(at("13:31:00"))
    assert await emitted(pool) == []
    await ticker.at(at("14:00:00"))
    assert await emitted(pool) == [("hourly", at("14:00:00"))]


async def test_an_entry_that_left_the_file_and_came_back_begins_anew(pool: Pool) -> None:
    other = entry("other", "0 0 * * *")
    both = schedule(entry("hourly", "0 * * * *", 'misfire = "all"'), other)
    await Hand(pool, both).at(START)
    await Hand(pool, schedule(other)).at(at("10:30:00"))
    await Hand(pool, both).at(at("13:30:00"))
    assert await emitted(pool) == []
    await Hand(pool, both).at(at("14:00:00"))
    assert await emitted(pool) == [("hourly", at("14:00:00"))]


async def test_another_cron_after_a_restart_is_due_by_the_new_one(pool: Pool) -> None:
    await Hand(pool, schedule(entry("changing", "0 * * * *"))).at(START)
    await Hand(pool, schedule(entry("changing", "*/20 * * * *"))).at(at("10:20:05"))
    await Hand(pool, schedule(entry("changing", "40 * * * *"))).at(at("10:40:00"))
    assert [due for _, due in await emitted(pool)] == [at("10:20:00"), at("10:40:00")]


async def test_what_was_decided_before_a_long_freeze_is_decided_anew(pool: Pool) -> None:
    """Frozen between deciding and writing, alone: a slot that was on time then is late now, and `skip` skips it."""
    hand = Hand(pool, schedule(entry("hourly", "0 * * * *", 'misfire = "skip"')))
    await hand.at(START)
    times = iter([at("11:00:01"), at("11:00:01"), at("11:40:00"), at("11:40:01"), at("11:40:01")])

    async def thawing(_: object) -> datetime:
        return next(times)

    ticker = Ticker(pool, Outbox("scheduler"), schedule(entry("hourly", "0 * * * *")), now=thawing)
    await ticker.run_once()
    assert await emitted(pool) == []
    await hand.at(at("12:00:00"))
    assert await emitted(pool) == [("hourly", at("12:00:00"))]


async def test_what_the_ledger_says_may_come_late_or_twice(pool: Pool) -> None:
    timed = schedule(entry("often", "* * * * *"))
    ticker = Hand(pool, timed)
    await ticker.at(START)
    await ticker.at(at("10:01:00"))
    desk = Schedules(pool=pool, outbox=Outbox("scheduler"), entries=timed)
    [tick] = await desk.ticks("often", before=None, limit=10)
    assert (tick.due_at, tick.cause, tick.job_id, tick.outcome) == (at("10:01:00"), "slot", None, None)
    job_id = new_id()

    async def said(outcome: Fate, second: int) -> tuple[object, object]:
        event = JobFinished(job_id=job_id, job_type="check-low-stock", cause_id=tick.event_id, outcome=outcome)
        time = START + timedelta(seconds=second)
        envelope = wrap(event, identifier=new_id(), kind=event.type, source="jobs", subject=None, time=time)
        await desk.job_finished(event, envelope)
        [seen] = await desk.ticks("often", before=None, limit=10)
        assert seen.job_id == job_id
        return seen.outcome, seen.outcome_at

    assert await said("started", 3) == ("started", START + timedelta(seconds=3))
    assert await said("queued", 4) == ("started", START + timedelta(seconds=3))  # another ledger's clock is ahead
    assert await said("failed", 2) == ("failed", START + timedelta(seconds=2))  # this one's is behind
    assert await said("started", 9) == ("failed", START + timedelta(seconds=2))
    assert await said("completed", 60) == ("completed", START + timedelta(seconds=60))  # retried by hand
    assert await said("failed", 2) == ("completed", START + timedelta(seconds=60))


async def test_a_disabled_entry_emits_nothing_and_makes_up_for_nothing(pool: Pool) -> None:
    rule = 'misfire = "all"\nenabled = '
    off, on = (schedule(entry("hourly", "0 * * * *", rule + value)) for value in ("false", "true"))
    for now in (START, at("11:00:00"), at("12:00:00")):
        await Hand(pool, off).at(now)
    await Hand(pool, on).at(at("12:30:00"))
    assert await emitted(pool) == []
    await Hand(pool, on).at(at("13:00:00"))
    assert await emitted(pool) == [("hourly", at("13:00:00"))]


async def test_a_scheduler_frozen_inside_its_transaction_holds_up_no_other(pool: Pool) -> None:
    timed = schedule(entry("often", "* * * * *"))
    await Hand(pool, timed).at(START)

    async def frozen() -> None:
        async with transaction(pool) as conn:
            await store.limit_waits(conn)
            await store.lock_state(conn, "often")
            await eventually(others_went_on, timeout=20)
            await store.settle(conn, "often", at("10:01:00"))  # what it does when it wakes

    async def others_went_on() -> bool:
        try:
            await Hand(pool, timed).at(at("10:01:00"))
        except asyncpg.LockNotAvailableError:
            return False
        return True

    with pytest.raises((asyncpg.PostgresError, Unavailable)):
        await frozen()
    assert await emitted(pool) == [("often", at("10:01:00"))]


async def test_a_change_wakes_a_sleeping_ticker(pool: Pool) -> None:
    hand = Hand(pool, schedule(entry("yearly", "0 0 1 1 *")))
    running = asyncio.ensure_future(hand.ticker.run())
    try:
        await eventually(lambda: hand.looks >= 2)  # its first look, and one when it began to listen
        before = hand.looks
        async with transaction(pool) as conn:
            await store.tell_changed(conn)
        await eventually(lambda: hand.looks > before)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_old_ticks_are_forgotten_and_do_not_come_back(pool: Pool) -> None:
    ticker = Hand(pool, schedule(entry("often", "* * * * *")))
    await ticker.at(START - timedelta(days=500))
    await ticker.at(START - timedelta(days=500) + timedelta(minutes=1))
    assert len(await emitted(pool)) == 1
    ticker.time = START
    await ticker.ticker.prune_once()
    assert await pool.fetchval("SELECT count(*) FROM scheduler.ticks") == 0
    await ticker.at(START - timedelta(days=500) + timedelta(minutes=1))
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
