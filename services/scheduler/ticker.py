"""Emits `schedule.due` for every slot whose time has come."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from prometheus_client import Counter

from services.scheduler import store
from services.scheduler.misfire import ON_TIME, Verdict, judge
from services.scheduler.models import Cause, EntryState, Tick, Timed
from shared.contracts.events import ScheduleDue
from shared.db.outbox import Outbox
from shared.db.pool import CONNECT_SECONDS, Connection, Pool, connection, transaction
from shared.ids import derived_id
from shared.lifecycle import background
from shared.log import get_logger

log = get_logger(__name__)

LONGEST_SLEEP_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 1.0
KEEP_TICKS: Final = timedelta(days=400)
BATCH: Final = 500
"""Ticks of one transaction; the next one follows at once."""
LONGEST_THOUGHT: Final = timedelta(seconds=10)
"""A decision older than this is made anew: its process was frozen, and what was on time is late now."""

TICKS = Counter("souk_scheduler_ticks", "Slots emitted, by entry and cause.", ["entry", "cause"])
GIVEN_UP = Counter("souk_scheduler_slots_given_up", "Slots missed and not made up for, by entry.", ["entry"])


def tick_of(timed: Timed, due_at: datetime, cause: Cause) -> Tick:
    """The tick of a slot; its event's id is the same in whichever scheduler makes it."""
    return Tick(timed.name, due_at, derived_id(due_at, "schedule.due", timed.name), cause)


async def write_ticks(
    conn: Connection, outbox: Outbox, timed: Timed, ticks: Sequence[Tick], *, now: datetime
) -> list[Tick]:
    """Write ticks of one entry and their events into the caller's transaction; returns those that were new."""
    new = await store.add_ticks(conn, timed.name, ticks, now=now)
    for tick in new:
        await outbox.add(conn, _event(timed, tick), identifier=tick.event_id)
    return new


def _event(timed: Timed, tick: Tick) -> ScheduleDue:
    entry = timed.entry
    return ScheduleDue(
        entry=entry.name,
        job_type=entry.job_type,
        payload=entry.payload,
        due_at=tick.due_at,
        overlap=entry.overlap,
        priority=entry.priority,
    )


class Ticker:
    """Any number may run, in as many processes: each slot is one row, and its event is written with it.

    Per entry one short transaction locks the entry's row, writes ticks and events, and moves `settled_until`.
    Killed before the commit, nothing of it happened, and the next look (of any scheduler) finds the same slots;
    killed after it, the events are in the outbox, which any scheduler relays. Frozen inside it, the server ends the
    transaction after 5 s. Frozen elsewhere and woken late, it finds the row or the time another, and decides anew.

    The time is the database's. Set back, it moves `settled_until` back with it: slots whose rows are there are not
    written again, and slots given up while the clock was ahead are due at their time.
    """

    def __init__(
        self,
        pool: Pool,
        outbox: Outbox,
        schedule: Sequence[Timed],
        *,
        now: store.DatabaseClock = store.database_time,
        longest_sleep_seconds: float = LONGEST_SLEEP_SECONDS,
        longest_thought: timedelta = LONGEST_THOUGHT,
    ) -> None:
        self._pool = pool
        self._outbox = outbox
        self._schedule = schedule
        self._now = now
        self._longest_sleep_seconds = longest_sleep_seconds
        self._longest_thought = longest_thought
        self._names = [timed.name for timed in schedule]
        self._is_known = False

    async def run_once(self) -> float:
        """Emit what is due; returns for how many seconds nothing more is. Raises `Unavailable`."""
        began = time.monotonic()
        states, now = await self._look()
        for timed in self._schedule:
            state = states[timed.name]
            if state.settled_until > now or next(timed.cron.between(state.settled_until, now), None) is not None:
                while await self._tick(timed):
                    pass
        next_at = min((timed.cron.next_after(now) for timed in self._schedule), default=None)
        if next_at is None:
            return self._longest_sleep_seconds
        seconds = (next_at - now).total_seconds() - (time.monotonic() - began)
        return min(max(seconds, 0.0), self._longest_sleep_seconds)

    async def prune_once(self) -> None:
        """Forget ticks of long ago, a batch at a time."""
        async with connection(self._pool) as conn:
            await store.forget_ticks(conn, before=await self._now(conn) - KEEP_TICKS)

    async def run(self) -> None:
        """Tick for ever: sleep until the next slot, a minute at most, or until somebody changed something."""
        wake = asyncio.Event()
        async with background(self._listen(wake), name="schedule changes"):
            while True:
                try:
                    seconds = await self.run_once()
                except Exception as exc:  # noqa: BLE001 - whatever one look met, the next one may not
                    log.warning("tick_failed", error=repr(exc))
                    seconds = RETRY_SECONDS
                try:
                    async with asyncio.timeout(seconds):
                        await wake.wait()
                except TimeoutError:
                    pass
                wake.clear()

    async def _look(self) -> tuple[dict[str, EntryState], datetime]:
        """What is known of the entries, and the time. The first look tells the database which ones there are."""
        async with connection(self._pool) as conn:
            now = await self._now(conn)
            states = await store.states(conn, self._names)
            if not self._is_known or len(states) < len(self._names):
                await store.meet(conn, self._names, now)
                await store.put_in_force(conn, [timed.name for timed in self._schedule if timed.entry.enabled], now)
                states = await store.states(conn, self._names)
                self._is_known = True
        return states, now

    async def _tick(self, timed: Timed) -> bool:
        """Decide on the slots of one entry, at most 500 of them; returns whether to come back for more.

        Slots are worked out before anything is locked, since a month of minutes takes seconds. What was true then
        must still be under the lock, and not long ago.
        """
        states, now = await self._look()
        state = states[timed.name]
        verdict, is_cut = await asyncio.to_thread(_decide, timed, state, now)
        if not verdict.emit and not verdict.given_up and state.settled_until <= now:
            return False  # somebody else was faster
        async with transaction(self._pool) as conn:
            await store.limit_waits(conn)
            locked = await store.lock_state(conn, timed.name)
            if locked is None or not locked.is_like(state) or await self._now(conn) - now > self._longest_thought:
                return locked is not None
            ticks = [tick_of(timed, due_at, cause) for due_at, cause in verdict.emit]
            emitted = await write_ticks(conn, self._outbox, timed, ticks, now=now)
            await store.settle(conn, timed.name, ticks[-1].due_at if is_cut else now)
        _tell(timed, state, emitted, given_up=verdict.given_up)
        return is_cut

    async def _listen(self, wake: asyncio.Event) -> None:
        while True:
            try:
                await self._listen_until_lost(wake)
            except Exception as exc:  # noqa: BLE001 - whatever it is, changes would go unheard from then on
                log.warning("listen_lost", error=repr(exc))
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen_until_lost(self, wake: asyncio.Event) -> None:
        gone = asyncio.Event()

        def changed(*_: object) -> None:
            wake.set()

        async with self._pool.acquire(timeout=CONNECT_SECONDS) as conn:
            conn.add_termination_listener(lambda _: gone.set())
            await conn.add_listener(store.CHANGED_CHANNEL, changed)
            wake.set()
            try:
                await gone.wait()
            finally:
                if not conn.is_closed():
                    await conn.remove_listener(store.CHANGED_CHANNEL, changed)


def _decide(timed: Timed, state: EntryState, now: datetime) -> tuple[Verdict, bool]:
    """What becomes of the slots since the entry was settled; whether more of them are left for the next time."""
    entry = timed.entry
    if not entry.enabled or state.is_paused:
        return Verdict((), given_up=0), False
    # What is older than the window is given up unseen: nobody counts a year of minutes.
    since = max(state.settled_until, now - max(entry.window, 2 * ON_TIME))
    slots = timed.cron.between(since, now)
    if entry.misfire != "all":
        return judge(tuple(slots), now, misfire=entry.misfire, window=entry.window), False
    batch = tuple(islice(slots, BATCH + 1))
    is_cut = len(batch) > BATCH
    return judge(batch[:BATCH], now, misfire="all", window=entry.window), is_cut


def _tell(timed: Timed, state: EntryState, emitted: Sequence[Tick], *, given_up: int) -> None:
    for tick in emitted:
        TICKS.labels(tick.entry, tick.cause).inc()
        log.info(
            "slot_due",
            entry=tick.entry,
            due_at=tick.due_at.isoformat(),
            cause=tick.cause.value,
            event_id=str(tick.event_id),
        )
    if given_up:
        GIVEN_UP.labels(timed.name).inc(given_up)
        log.warning("slots_given_up", entry=timed.name, count=given_up, since=state.settled_until.isoformat())
