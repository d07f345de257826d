"""What people may do with the schedule: look at it, pause and resume an entry, run one now."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from services.scheduler import store
from services.scheduler.errors import EntryDisabled, UnknownEntry
from services.scheduler.models import Cause, EntryState, Schedule, Tick, Timed
from services.scheduler.ticker import tick_of, write_ticks
from shared.clock import Clock
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool, connection, transaction
from shared.log import get_logger

log = get_logger(__name__)

PREVIEWED_RUNS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedules:
    """The entries of the file together with what the database knows of them."""

    pool: Pool
    outbox: Outbox
    entries: Sequence[Timed]
    clock: Clock

    async def listing(self) -> list[Schedule]:
        """Every entry, in the file's order, with its next runs."""
        async with connection(self.pool) as conn:
            states = await store.states(conn, [timed.name for timed in self.entries])
        return [self._shown(timed, states.get(timed.name)) for timed in self.entries]

    async def run_now(self, name: str, *, account_id: UUID) -> Tick:
        """Emit the entry once, due this millisecond, paused or not; its slots stay as they are.

        Twice within a millisecond is once. A crash before the commit leaves nothing, after it the event is relayed.
        """
        timed = self._known(name)
        now = self.clock()
        due_at = now.replace(microsecond=now.microsecond // 1000 * 1000)
        tick = replace(tick_of(timed, due_at, Cause.MANUAL), account_id=account_id)
        async with transaction(self.pool) as conn:
            await store.meet(conn, [name], now)
            await write_ticks(conn, self.outbox, timed, [tick], now=now)
        log.info("run_now", entry=name, event_id=str(tick.event_id), account_id=str(account_id))
        return tick

    async def pause(self, name: str, *, account_id: UUID) -> Schedule:
        """Emit no slot of the entry until it is resumed. Safe to repeat."""
        return await self._set_paused(self._known(name), is_paused=True, account_id=account_id)

    async def resume(self, name: str, *, account_id: UUID) -> Schedule:
        """Emit the entry's slots again from now on; what passed meanwhile is not made up for. Safe to repeat.

        Raises `EntryDisabled` when it is the file that switches the entry off.
        """
        timed = self._known(name)
        if not timed.entry.enabled:
            raise EntryDisabled(f"The schedule file switches {name!r} off.")
        return await self._set_paused(timed, is_paused=False, account_id=account_id)

    async def _set_paused(self, timed: Timed, *, is_paused: bool, account_id: UUID) -> Schedule:
        now = self.clock()
        async with transaction(self.pool) as conn:
            await store.meet(conn, [timed.name], now)
            if await store.set_paused(conn, timed.name, is_paused=is_paused, now=now, account_id=account_id):
                await store.tell_changed(conn)
                log.info("paused" if is_paused else "resumed", entry=timed.name, account_id=str(account_id))
            return self._shown(timed, await _state(conn, timed.name))

    def _known(self, name: str) -> Timed:
        for timed in self.entries:
            if timed.name == name:
                return timed
        raise UnknownEntry(f"The schedule has no entry {name!r}.")

    def _shown(self, timed: Timed, state: EntryState | None) -> Schedule:
        is_paused = state is not None and state.is_paused
        runs = timed.entry.enabled and not is_paused
        return Schedule(
            timed=timed,
            is_paused=is_paused,
            next_runs=timed.cron.upcoming(self.clock(), PREVIEWED_RUNS) if runs else (),
            last_due_at=None if state is None else state.last_due_at,
            last_event_id=None if state is None else state.last_event_id,
        )


async def _state(conn: Connection, name: str) -> EntryState | None:
    return (await store.states(conn, [name])).get(name)
