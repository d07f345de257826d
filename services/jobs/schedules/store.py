"""The SQL of overlap rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from shared.db.pool import Connection
from shared.ids import derived_id

HELD: Final = datetime(9999, 1, 1, tzinfo=UTC)
"""As `run_at`: waits for another job to end, not for a time. Nobody can ask for this one."""

LOCK_ENTRIES: Final = """
    -- Two ledgers must not both find nothing open. In one order for all, so that none waits for another in a ring.
    SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS k (key)
"""
OPEN_OF: Final = """
    -- Which of these targets have an open job of their type, held ones included.
    SELECT DISTINCT j.type, j.target FROM unnest($1::text[], $2::text[]) AS n (type, target)
    JOIN jobs.jobs j ON j.type = n.type AND j.target = n.target AND j.finished_at IS NULL
"""
RELEASE: Final = """
    -- Of each entry whose slots wait and none of whose jobs is under way, let the first one go.
    UPDATE jobs.jobs SET run_at = now()
    WHERE run_at = $1 AND id IN (
        SELECT DISTINCT ON (h.type, h.target) h.id FROM jobs.jobs h
        WHERE coalesce(h.run_at, h.created_at) = $1 AND h.published_at IS NULL AND h.state = 'scheduled'
          AND NOT EXISTS (
              SELECT FROM jobs.jobs o
              WHERE o.type = h.type AND o.target = h.target AND o.finished_at IS NULL AND o.run_at IS DISTINCT FROM $1
          )
        ORDER BY h.type, h.target, h.caused_at, h.id
    )
    RETURNING id, type, target, cause
"""

Target = tuple[str, str]
"""A job type and a target: what tells the slots of one entry."""


@dataclass(frozen=True, slots=True)
class Released:
    """A job that need not wait any longer."""

    id: UUID
    type: str
    target: str
    cause: UUID


async def lock_entries(conn: Connection, entries: Iterable[str]) -> None:
    """Decide on slots of these entries alone, until the transaction ends."""
    await conn.execute(LOCK_ENTRIES, sorted({_key(entry) for entry in entries}))


async def open_of(conn: Connection, targets: Iterable[Target]) -> set[Target]:
    """Which of these have a job under way or waiting."""
    wanted = sorted(set(targets))
    rows = await conn.fetch(OPEN_OF, [kind for kind, _ in wanted], [target for _, target in wanted])
    return {(row["type"], row["target"]) for row in rows}


async def release(conn: Connection) -> list[Released]:
    """Let held jobs go whose turn it is; the ledger publishes them as any that is due. Safe to run by several."""
    return [Released(**row) for row in await conn.fetch(RELEASE, HELD)]


def _key(entry: str) -> int:
    """63 bits that stand for an entry among the advisory locks."""
    return derived_id(datetime.fromtimestamp(0, UTC), "overlap", entry).int & ((1 << 63) - 1)
