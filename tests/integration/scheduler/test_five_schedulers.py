"""Five schedulers that are killed and frozen at random: each slot exactly once."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.db.pool import Pool
from tests.eventually import eventually
from tests.integration.scheduler.racing import FastTime, Field
from tests.integration.scheduler.test_ticker import Hand, emitted, entry, schedule
from tests.servers import Database

START = datetime(2026, 3, 1, 0, 0, 30, tzinfo=UTC)
SLOT = timedelta(minutes=1)
SLOT_SECONDS = 0.04
"""What a minute of the schedule takes here."""
FILE = entry("every-minute", "* * * * *", 'misfire = "all"\nwindow = "7d"') + entry(
    "every-third", "*/3 * * * *", 'misfire = "all"\nwindow = "7d"\noverlap = "allow"'
)


async def race(database: Database, pool: Pool, *, slots: int, seed: int) -> None:
    began = await pool.fetchval("SELECT clock_timestamp()")
    clock = FastTime(START, began, SLOT.total_seconds() / SLOT_SECONDS)
    await Hand(pool, schedule(FILE)).at(START)  # counting begins here, whoever is first
    field = Field(database.url("scheduler"), FILE, clock, runners=5, seed=seed)

    async def is_over() -> bool:
        async with pool.acquire() as conn:
            enough_happened = min(field.killed, field.frozen) >= slots // 20
            return enough_happened and await clock.now(conn) > START + slots * SLOT

    await field.race(until=is_over)
    # What the last of them left undone is done by whoever comes next. A killed one's transaction may take a moment.
    last = START + slots * SLOT + timedelta(seconds=30)
    hand = Hand(pool, schedule(FILE))

    async def all_are_there() -> bool:
        await hand.at(max(last, await pool.fetchval("SELECT max(settled_until) FROM scheduler.entries")))
        return True

    await eventually(all_are_there, timeout=20)
    events = await emitted(pool)  # also: one event for each tick
    for name, minutes in (("every-minute", 1), ("every-third", 3)):
        due = sorted(at for called, at in events if called == name)
        first = START - timedelta(seconds=30) + minutes * SLOT
        assert due == [first + number * minutes * SLOT for number in range(len(due))], "one is missing or there twice"
        assert len(due) >= slots // minutes


async def test_five_schedulers_emit_each_of_200_slots_once(database: Database, pool: Pool) -> None:
    await race(database, pool, slots=200, seed=20261124)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
async def test_five_schedulers_emit_each_of_1000_slots_once(database: Database, pool: Pool, seed: int) -> None:
    await race(database, pool, slots=1000, seed=seed)
