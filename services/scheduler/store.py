"""All SQL of the scheduler, schema `scheduler` only. Every function takes the caller's connection."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.scheduler.models import EntryState, Tick
from shared.db.pool import Connection

CHANGED_CHANNEL = "scheduler_changed"

LIMIT_WAITS = """
    -- A scheduler that freezes inside its transaction loses it after 5 s, so that it holds up no other.
    SELECT set_config('lock_timeout', '5s', true), set_config('idle_in_transaction_session_timeout', '5s', true)
"""
MEET = """
    -- Begin to count for entries seen for the first time: nothing before $2 is due.
    INSERT INTO scheduler.entries (name, settled_until, changed_at)
    SELECT name, $2, now() FROM unnest($1::text[]) AS name
    ON CONFLICT (name) DO NOTHING
"""
STATES = """
    -- What is known of these entries, each with its latest tick.
    SELECT e.name, e.settled_until, e.is_paused, t.due_at AS last_due_at, t.event_id AS last_event_id
    FROM scheduler.entries e
    LEFT JOIN LATERAL (
        SELECT due_at, event_id FROM scheduler.ticks WHERE entry = e.name ORDER BY due_at DESC LIMIT 1
    ) t ON true
    WHERE e.name = ANY($1::text[])
"""
LOCK_STATE = """
    -- One entry, for this transaction alone.
    SELECT name, settled_until, is_paused FROM scheduler.entries WHERE name = $1 FOR UPDATE
"""
SETTLE = """
    -- Every slot up to $2 is decided.
    UPDATE scheduler.entries SET settled_until = greatest(settled_until, $2) WHERE name = $1
"""
ADD_TICKS = """
    -- Write ticks; a row back for each that is new.
    INSERT INTO scheduler.ticks (entry, due_at, event_id, cause, account_id, emitted_at)
    SELECT $1, due_at, event_id, cause, account_id, $6
    FROM unnest($2::timestamptz[], $3::uuid[], $4::text[], $5::uuid[]) AS new (due_at, event_id, cause, account_id)
    ON CONFLICT (entry, due_at) DO NOTHING
    RETURNING due_at
"""
SET_PAUSED = """
    -- Pause or resume; what passed until $3 while it was paused is not made up for. No row if it already is so.
    UPDATE scheduler.entries
    SET is_paused = $2, settled_until = greatest(settled_until, $3), changed_at = $3, changed_by = $4
    WHERE name = $1 AND is_paused <> $2
    RETURNING name
"""
TELL_CHANGED = """
    -- Wake the tickers of all schedulers once this commits.
    SELECT pg_notify('scheduler_changed', '')
"""
FORGET_TICKS = """
    -- Drop a batch of ticks nobody looks at any more; `settled_until` keeps their slots from coming back.
    DELETE FROM scheduler.ticks WHERE (entry, due_at) IN (
        SELECT entry, due_at FROM scheduler.ticks WHERE emitted_at < $1 ORDER BY emitted_at LIMIT 1000
    )
"""


async def limit_waits(conn: Connection) -> None:
    """Bound what this transaction may hold up others."""
    await conn.execute(LIMIT_WAITS)


async def meet(conn: Connection, names: Sequence[str], now: datetime) -> None:
    """Make rows for entries that have none; their first slot is the first after `now`."""
    await conn.execute(MEET, list(names), now)


async def states(conn: Connection, names: Sequence[str]) -> dict[str, EntryState]:
    """What is known of entries, by name; an entry never met is not in it."""
    return {row["name"]: EntryState(**row) for row in await conn.fetch(STATES, list(names))}


async def lock_state(conn: Connection, name: str) -> EntryState | None:
    """One entry, locked until the transaction ends."""
    row = await conn.fetchrow(LOCK_STATE, name)
    return None if row is None else EntryState(**row)


async def settle(conn: Connection, name: str, until: datetime) -> None:
    """Never look at slots up to `until` again."""
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


async def set_paused(conn: Connection, name: str, *, is_paused: bool, now: datetime, account_id: UUID) -> bool:
    """Pause or resume; False if it already was so."""
    return await conn.fetchval(SET_PAUSED, name, is_paused, now, account_id) is not None


async def tell_changed(conn: Connection) -> None:
    """Wake every ticker, with the commit."""
    await conn.execute(TELL_CHANGED)


async def forget_ticks(conn: Connection, *, before: datetime) -> int:
    """Drop up to 1000 old ticks; how many went."""
    status = await conn.execute(FORGET_TICKS, before)
    return int(status.split()[-1])
