"""What people may do with the schedule: look at it, pause and resume an entry, run one now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from services.scheduler import store
from services.scheduler.errors import EntryDisabled, UnknownEntry
from services.scheduler.models import Cause, Change, EntryState, Schedule, Tick, TickSeen, Timed
from services.scheduler.ticker import tick_of, write_ticks
from shared.contracts.envelope import Envelope
from shared.contracts.events import JobFinished
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool, connection, transaction
from shared.log import get_logger
from shared.web.audit import Line
from shared.web.identity import Identity

log = get_logger(__name__)

PREVIEWED_RUNS: Final = 5
SHOWN_CHANGES: Final = 20
OBJECT_KIND: Final = "schedule"
"""What the audit log calls an entry."""
FOR_EVER: Final = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedules:
    """The entries of the file together with what the database knows of them."""

    pool: Pool
    outbox: Outbox
    entries: Sequence[Timed]
    now: store.DatabaseClock = store.database_time

    async def listing(self) -> list[Schedule]:
        """Every entry, in the file's order, with its next runs."""
        async with connection(self.pool) as conn:
            now = await self.now(conn)
            states = await store.states(conn, [timed.name for timed in self.entries])
        return [_shown(timed, states.get(timed.name), now) for timed in self.entries]

    async def one(self, name: str, *, ticks: int) -> tuple[Schedule, list[TickSeen], list[Change]]:
        """An entry with its latest ticks and what people did with it. Raises `UnknownEntry`."""
        timed = self._known(name)
        async with connection(self.pool) as conn:
            now = await self.now(conn)
            schedule = _shown(timed, await _state(conn, name), now)
            latest = await store.ticks(conn, name, before=FOR_EVER, limit=ticks)
            return schedule, latest, await store.changes(conn, name, limit=SHOWN_CHANGES)

    async def ticks(self, name: str, *, before: datetime | None, limit: int) -> list[TickSeen]:
        """Ticks of an entry, newest first. Raises `UnknownEntry`."""
        self._known(name)
        async with connection(self.pool) as conn:
            return await store.ticks(conn, name, before=before or FOR_EVER, limit=limit)

    async def audit(self, below: UUID, limit: int, about: tuple[str, str] | None) -> Sequence[Line]:
        """What people did with the schedule below a position, newest first; of `about` only a `schedule` has lines."""
        if about is not None and about[0] != OBJECT_KIND:
            return ()
        async with connection(self.pool) as conn:
            return await store.audit(conn, below=below, limit=limit, entry=None if about is None else about[1])

    async def job_finished(self, event: JobFinished, envelope: Envelope) -> None:
        """Note what became of a tick's job. Safe to repeat, in any order; of a tick long forgotten nothing is kept."""
        job_id = None if event.outcome == "skipped" else event.job_id
        async with connection(self.pool) as conn:
            await store.note_fate(conn, event.cause_id, job_id, event.outcome, envelope.time)

    async def run_now(self, name: str, *, by: Identity, request_id: str | None) -> Tick:
        """Emit the entry once, due this millisecond, paused or not; its slots stay as they are.

        Twice within a millisecond is once. A crash before the commit leaves nothing, after it the event is relayed.
        The overlap rule holds for it as for any slot. Raises `UnknownEntry`.
        """
        timed = self._known(name)
        async with transaction(self.pool) as conn:
            now = await self.now(conn)
            due_at = now.replace(microsecond=now.microsecond // 1000 * 1000)
            tick = replace(tick_of(timed, due_at, Cause.MANUAL), account_id=by.account_id)
            await store.meet(conn, [name], now)
            await write_ticks(conn, self.outbox, timed, [tick], now=now)
            await store.record(
                conn, by, "schedule.run", name, request_id=request_id, due_at=due_at, event=str(tick.event_id)
            )
        log.info("run_now", entry=name, event_id=str(tick.event_id), account_id=str(by.account_id))
        return tick

    async def pause(self, name: str, *, by: Identity, request_id: str | None) -> Schedule:
        """Emit no slot of the entry until it is resumed. Safe to repeat. Raises `UnknownEntry`."""
        return await self._set_paused(self._known(name), is_paused=True, by=by, request_id=request_id)

    async def resume(self, name: str, *, by: Identity, request_id: str | None) -> Schedule:
        """Emit the entry's slots again from now on; what passed meanwhile is not made up for. Safe to repeat.

        Raises `UnknownEntry`, and `EntryDisabled` when it is the file that switches the entry off.
        """
        timed = self._known(name)
        if not timed.entry.enabled:
            raise EntryDisabled(f"The schedule file switches {name!r} off.")
        return await self._set_paused(timed, is_paused=False, by=by, request_id=request_id)

    async def _set_paused(self, timed: Timed, *, is_paused: bool, by: Identity, request_id: str | None) -> Schedule:
        async with transaction(self.pool) as conn:
            await store.limit_waits(conn)
            await store.meet(conn, [timed.name], await self.now(conn))
            await store.lock_state(conn, timed.name)
            now = await self.now(conn)
            if await store.set_paused(conn, timed.name, is_paused=is_paused, now=now, account_id=by.account_id):
                action = "schedule.pause" if is_paused else "schedule.resume"
                await store.record(conn, by, action, timed.name, request_id=request_id)
                await store.tell_changed(conn)
                log.info("paused" if is_paused else "resumed", entry=timed.name, account_id=str(by.account_id))
            return _shown(timed, await _state(conn, timed.name), now)

    def _known(self, name: str) -> Timed:
        for timed in self.entries:
            if timed.name == name:
                return timed
        raise UnknownEntry(f"The schedule has no entry {name!r}.")


async def _state(conn: Connection, name: str) -> EntryState | None:
    return (await store.states(conn, [name])).get(name)


def _shown(timed: Timed, state: EntryState | None, now: datetime) -> Schedule:
    is_paused = state is not None and state.is_paused
    runs = timed.entry.enabled and not is_paused
    return Schedule(
        timed=timed,
        is_paused=is_paused,
        next_runs=timed.cron.upcoming(now, PREVIEWED_RUNS) if runs else (),
        last_due_at=None if state is None else state.last_due_at,
        last_event_id=None if state is None else state.last_event_id,
    )
