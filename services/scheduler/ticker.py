"""Emits `schedule.due` for every slot whose time has come."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import Counter

from services.scheduler import store
from services.scheduler.misfire import judge
from services.scheduler.models import Cause, EntryState, Tick, Timed
from shared.clock import Clock
from shared.contracts.events import ScheduleDue
from shared.db.outbox import Outbox
from shared.db.pool import CONNECT_SECONDS, DATABASE_GONE, Connection, Pool, connection, transaction
from shared.ids import derived_id
from shared.lifecycle import background
from shared.log import get_logger

log = get_logger(__name__)

LONGEST_SLEEP_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 1.0
KEEP_TICKS: Final = timedelta(days=400)

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

    Per entry one short transaction locks the entry's row, writes ticks and events, and raises `settled_until`.
    Killed before the commit, nothing of it happened, and the next look (of any scheduler) finds the same slots;
    killed after it, the events are in the outbox, which any scheduler relays. Frozen inside it, the server ends the
    transaction after 5 s. Frozen elsewhere and woken late, it reads `settled_until` anew and finds nothing to do.
    """

    def __init__(self, pool: Pool, outbox: Outbox, schedule: Sequence[Timed], *, clock: Clock) -> None:
        self._pool = pool
        self._outbox = outbox
        self._schedule = schedule
        self._clock = clock
        self._names = [timed.name for timed in schedule]

    async def run_once(self, now: datetime) -> datetime | None:
        """Emit what is due by `now`; returns when the next slot is, None without entries. Raises `Unavailable`."""
        states = await self._states(now)
        for timed in self._schedule:
            state = states[timed.name]
            if next(timed.cron.between(state.settled_until, now), None) is not None:
                await self._tick(timed, now)
        return min((timed.cron.next_after(now) for timed in self._schedule), default=None)

    async def prune_once(self) -> None:
        """Forget ticks of long ago, a batch at a time."""
        async with connection(self._pool) as conn:
            await store.forget_ticks(conn, before=self._clock() - KEEP_TICKS)

    async def run(self) -> None:
        """Tick for ever: sleep until the next slot, a minute at most, or until somebody changed something."""
        wake = asyncio.Event()
        async with background(self._listen(wake), name="schedule changes"):
            while True:
                try:
                    next_at = await self.run_once(self._clock())
                    seconds = LONGEST_SLEEP_SECONDS
                    if next_at is not None:
                        seconds = min(seconds, max(0.0, (next_at - self._clock()).total_seconds()))
                except Exception as exc:  # noqa: BLE001 - whatever one look met, the next one may not
                    log.warning("tick_failed", error=repr(exc))
                    seconds = RETRY_SECONDS
                try:
                    async with asyncio.timeout(seconds):
                        await wake.wait()
                except TimeoutError:
                    pass
                wake.clear()

    async def _states(self, now: datetime) -> dict[str, EntryState]:
        async with connection(self._pool) as conn:
            states = await store.states(conn, self._names)
            unmet = [name for name in self._names if name not in states]
            if unmet:
                await store.meet(conn, unmet, now)
                states = await store.states(conn, self._names)
        return states

    async def _tick(self, timed: Timed, now: datetime) -> None:
        entry = timed.entry
        async with transaction(self._pool) as conn:
            await store.limit_waits(conn)
            state = await store.lock_state(conn, timed.name)
            if state is None or state.settled_until >= now:
                return
            emitted: list[Tick] = []
            given_up = 0
            if entry.enabled and not state.is_paused:
                # What is older than the window is given up unseen: nobody counts a year of minutes.
                since = max(state.settled_until, now - max(entry.window, timedelta(minutes=2)))
                verdict = judge(tuple(timed.cron.between(since, now)), now, misfire=entry.misfire, window=entry.window)
                ticks = [tick_of(timed, due_at, cause) for due_at, cause in verdict.emit]
                emitted = await write_ticks(conn, self._outbox, timed, ticks, now=now)
                given_up = verdict.given_up
            await store.settle(conn, timed.name, now)
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

    async def _listen(self, wake: asyncio.Event) -> None:
        while True:
            try:
                await self._listen_until_lost(wake)
            except DATABASE_GONE as exc:
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
