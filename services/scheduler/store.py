"""All SQL of the scheduler, schema `scheduler` only. Every function takes the caller's connection."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.scheduler.models import Change, EntryState, Fate, Tick, TickSeen
from shared.db.pool import Connection
from shared.ids import new_id
from shared.web.audit import Line
from shared.web.identity import Identity

CHANGED_CHANNEL: Final = "scheduler_changed"
DatabaseClock = Callable[[Connection], Awaitable[datetime]]

NOW: Final = """
    -- One clock for all schedulers: what a host believes of the time decides nothing.
    SELECT clock_timestamp()
"""
LIMIT_WAITS: Final = """
    -- A scheduler that freezes inside its transaction loses it after 5 s, so that it holds up no other.
    SELECT set_config('lock_timeout', '5s', true), set_config('idle_in_transaction_session_timeout', '5s', true)
"""
MEET: Final = """
    -- Begin to count for entries seen for the first time: nothing before $2 is due.
    INSERT INTO scheduler.entries (name, settled_until, changed_at)
    SELECT name, $2, now() FROM unnest($1::text[]) AS name ORDER BY name
    ON CONFLICT (name) DO NOTHING
"""
PUT_IN_FORCE: Final = """
    -- Entries that come back, or are switched on again, begin anew.
    UPDATE scheduler.entries SET in_force = true, settled_until = greatest(settled_until, $2)
    WHERE name = ANY($1::text[]) AND NOT in_force
"""
PUT_OUT_OF_FORCE: Final = """
    -- Entries that the file no longer has, or switches off.
    UPDATE scheduler.entries SET in_force = false WHERE name <> ALL($1::text[]) AND in_force
"""
STATES: Final = """
    -- What is known of these entries, each with its latest tick.
    SELECT e.name, e.settled_until, e.is_paused, t.due_at AS last_due_at, t.event_id AS last_event_id
    FROM scheduler.entries e
    LEFT JOIN LATERAL (
        SELECT due_at, event_id FROM scheduler.ticks WHERE entry = e.name ORDER BY due_at DESC LIMIT 1
    ) t ON true
    WHERE e.name = ANY($1::text[])
"""
LOCK_STATE: Final = """
    -- One entry, for this transaction alone.
    SELECT name, settled_until, is_paused FROM scheduler.entries WHERE name = $1 FOR UPDATE
"""
SETTLE: Final = """
    -- Every slot up to $2 is decided, and none after it: so it also follows a clock that was set back.
    UPDATE scheduler.entries SET settled_until = $2 WHERE name = $1
"""
ADD_TICKS: Final = """
    -- Write ticks; a row back for each that is new.
    INSERT INTO scheduler.ticks (entry, due_at, event_id, cause, account_id, emitted_at)
    SELECT $1, due_at, event_id, cause, account_id, $6
    FROM unnest($2::timestamptz[], $3::uuid[], $4::text[], $5::uuid[]) AS new (due_at, event_id, cause, account_id)
    ON CONFLICT (entry, due_at) DO NOTHING
    RETURNING due_at
"""
TICKS: Final = """
    -- The ticks of an entry due before $2, newest first.
    SELECT due_at, emitted_at, event_id, cause, account_id, job_id, outcome, outcome_at
    FROM scheduler.ticks WHERE entry = $1 AND due_at < $2 ORDER BY due_at DESC LIMIT $3
"""
NOTE_FATE: Final = """
    -- What the ledger said of a tick. Words may come late or twice: `queued` never follows `started`, nor either of
    -- them an end; of two ends (a failed job that was retried by hand) the later one stands.
    UPDATE scheduler.ticks SET job_id = $2, outcome = $3::text, outcome_at = $4
    WHERE event_id = $1 AND (
        outcome IS NULL
        OR coalesce(array_position(ARRAY['queued', 'started'], outcome), 3)
            < coalesce(array_position(ARRAY['queued', 'started'], $3::text), 3)
        OR (outcome NOT IN ('queued', 'started') AND $3::text NOT IN ('queued', 'started') AND outcome_at < $4)
    )
"""
SET_PAUSED: Final = """
    -- Pause or resume; what passed until $3 while it was paused is not made up for. No row if it already is so.
    UPDATE scheduler.entries
    SET is_paused = $2, settled_until = greatest(settled_until, $3), changed_at = $3, changed_by = $4
    WHERE name = $1 AND is_paused <> $2
    RETURNING name
"""
TELL_CHANGED: Final = """
    -- Wake the tickers of all schedulers once this commits.
    SELECT pg_notify('scheduler_changed', '')
"""
ADD_AUDIT: Final = """
    -- Append one line.
    INSERT INTO scheduler.audit (id, account_id, role, action, entry, detail, request_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
CHANGES: Final = """
    -- What people did with an entry lately, newest first.
    SELECT at, account_id, role, action, detail, request_id
    FROM scheduler.audit WHERE entry = $1 ORDER BY id DESC LIMIT $2
"""
AUDIT: Final = """
    -- The lines below a position, newest first.
    SELECT id, at, account_id, role, action, 'schedule' AS object_kind, entry AS object_id, detail, request_id
    FROM scheduler.audit WHERE id < $1 ORDER BY id DESC LIMIT $2
"""
AUDIT_OF_ENTRY: Final = """
    -- The lines about one entry below a position, newest first.
    SELECT id, at, account_id, role, action, 'schedule' AS object_kind, entry AS object_id, detail, request_id
    FROM scheduler.audit WHERE entry = $3 AND id < $1 ORDER BY id DESC LIMIT $2
"""
FORGET_TICKS: Final = """
    -- Drop a batch of ticks nobody looks at any more; `settled_until` keeps their slots from coming back.
    DELETE FROM scheduler.ticks WHERE (entry, due_at) IN (
        SELECT entry, due_at FROM scheduler.ticks WHERE emitted_at < $1 ORDER BY emitted_at LIMIT 1000
    )
"""


async def database_time(conn: Connection) -> datetime:
    """The database's time at this moment, also within a transaction."""
    now: datetime = await conn.fetchval(NOW)
    return now


async def limit_waits(conn: Connection) -> None:
    """Bound what this transaction may hold up others."""
    await conn.execute(LIMIT_WAITS)


async def meet(conn: Connection, names: Sequence[str], now: datetime) -> None:
    """Make rows for entries that have none; their first slot is the first after `now`."""
    await conn.execute(MEET, list(names), now)


async def put_in_force(conn: Connection, names: Sequence[str], now: datetime) -> None:
    """These entries count, all others do not; those that did not before begin at `now`."""
    await conn.execute(PUT_IN_FORCE, list(names), now)
    await conn.execute(PUT_OUT_OF_FORCE, list(names))


async def states(conn: Connection, names: Sequence[str]) -> dict[str, EntryState]:
    """What is known of entries, by name; an entry never met is not in it."""
    return {row["name"]: EntryState(**row) for row in await conn.fetch(STATES, list(names))}


async def lock_state(conn: Connection, name: str) -> EntryState | None:
    """One entry, locked until the transaction ends."""
    row = await conn.fetchrow(LOCK_STATE, name)
    return None if row is None else EntryState(**row)


async def settle(conn: Connection, name: str, until: datetime) -> None:
    """Of a locked entry, look next at the slots after `until`."""
    await conn.execute(SETTLE, name, until)


async def add_ticks(conn: Connection, entry: str, ticks: Sequence[Tick], *, now: datetime) -> list[Tick]:
    """Write ticks of one entry; those that are new come back."""
    rows = await conn.fetch(
        ADD_TICKS,
        entry,
        [tick.due_at for tick in ticks],
        [tick.event_id for tick in ticks],
        [tick.cause.value for tick in ticks],
        [tick.account_id for tick in ticks],
        now,
    )
    new = {row["due_at"] for row in rows}
    return [tick for tick in ticks if tick.due_at in new]


async def ticks(conn: Connection, entry: str, *, before: datetime, limit: int) -> list[TickSeen]:
    """The latest ticks of an entry that were due before a time, newest first."""
    return [TickSeen(**row) for row in await conn.fetch(TICKS, entry, before, limit)]


async def note_fate(conn: Connection, event_id: UUID, job_id: UUID | None, fate: Fate, at: datetime) -> None:
    """Note what the ledger said at `at` of the tick with this event. Safe to repeat, in any order."""
    await conn.execute(NOTE_FATE, event_id, job_id, fate, at)


async def set_paused(conn: Connection, name: str, *, is_paused: bool, now: datetime, account_id: UUID) -> bool:
    """Pause or resume; False if it already was so."""
    return await conn.fetchval(SET_PAUSED, name, is_paused, now, account_id) is not None


async def tell_changed(conn: Connection) -> None:
    """Wake every ticker, with the commit."""
    await conn.execute(TELL_CHANGED)


async def record(
    conn: Connection, by: Identity, action: str, entry: str, *, request_id: str | None, **detail: Any
) -> None:
    """Append a line to the audit log, in the transaction that does what it tells of."""
    await conn.execute(ADD_AUDIT, new_id(), by.account_id, by.role.value, action, entry, detail, request_id)


async def changes(conn: Connection, entry: str, *, limit: int) -> list[Change]:
    """What people did with an entry, newest first."""
    return [Change(**row) for row in await conn.fetch(CHANGES, entry, limit)]


async def audit(conn: Connection, *, below: UUID, limit: int, entry: str | None) -> list[Line]:
    """What people did below a position, newest first, with everything or with one entry."""
    rows = (
        await conn.fetch(AUDIT, below, limit)
        if entry is None
        else await conn.fetch(AUDIT_OF_ENTRY, below, limit, entry)
    )
    return [Line(**row) for row in rows]


async def forget_ticks(conn: Connection, *, before: datetime) -> int:
    """Drop up to 1000 old ticks; how many went."""
    status = await conn.execute(FORGET_TICKS, before)
    return int(status.split()[-1])
