"""All SQL about runs of stock sources, and what they have applied. Every function takes the caller's connection."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID

import asyncpg

from services.catalog.sync.models import Cause, Counts, Matching, Position, RowError, Run, RunState
from shared.db.pool import Connection

_COLUMNS: Final = """
    id, source_id, cause, state, round, changed, unchanged, older, unmatched, invalid, is_modified, unmatched_skus,
    errors, problem, created_at, started_at, finished_at
"""
INSERT: Final = f"""
    -- A new run; none back if the source is being pulled, or the push is known.
    INSERT INTO catalog.sync_runs (id, source_id, cause, body, signature, fallback) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT DO NOTHING
    RETURNING {_COLUMNS}
"""  # noqa: S608 - constants
ONE: Final = f"""
    -- A run of a source.
    SELECT {_COLUMNS} FROM catalog.sync_runs WHERE id = $1 AND source_id = $2
"""  # noqa: S608
BY_SIGNATURE: Final = f"""
    -- The run of a push.
    SELECT {_COLUMNS} FROM catalog.sync_runs WHERE source_id = $1 AND signature = $2
"""  # noqa: S608
OF_SOURCE: Final = f"""
    -- The runs of a source below a position, newest first.
    SELECT {_COLUMNS} FROM catalog.sync_runs
    WHERE source_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
"""  # noqa: S608
BEGIN: Final = f"""
    -- A worker takes the run in hand; what an earlier attempt only counted is counted again. No row back if it is over.
    UPDATE catalog.sync_runs
    SET state = 'running', started_at = coalesce(started_at, now()), touched_at = now(),
        older = 0, unmatched = 0, invalid = 0
    WHERE id = $1 AND finished_at IS NULL
    RETURNING {_COLUMNS}
"""  # noqa: S608
BODY: Final = """
    -- What was pushed.
    SELECT body, fallback FROM catalog.sync_runs WHERE id = $1
"""
NOTE: Final = """
    -- What the document has that cannot be applied.
    UPDATE catalog.sync_runs
    SET unmatched = $2, invalid = $3, older = older + $4, unmatched_skus = $5, errors = $6, touched_at = now()
    WHERE id = $1
"""
ADD: Final = """
    -- What a batch did.
    UPDATE catalog.sync_runs
    SET changed = changed + $2, unchanged = unchanged + $3, older = older + $4, touched_at = now()
    WHERE id = $1
"""
FINISH: Final = f"""
    -- The run is over. No row back if it was.
    UPDATE catalog.sync_runs
    SET state = $2, problem = $3, is_modified = $4, finished_at = now(), touched_at = now(), body = NULL
    WHERE id = $1 AND finished_at IS NULL
    RETURNING {_COLUMNS}
"""  # noqa: S608
POSITIONS: Final = """
    -- The newest versions of a source that were applied to products.
    SELECT product_id, version, run_id FROM catalog.sync_positions WHERE source_id = $1 AND product_id = ANY($2::uuid[])
"""
SET_POSITIONS: Final = """
    -- These versions are applied; they only rise.
    INSERT INTO catalog.sync_positions AS known (source_id, product_id, version, run_id)
    SELECT $1, product_id, version, $4 FROM unnest($2::uuid[], $3::bigint[]) AS p (product_id, version)
    ORDER BY product_id
    ON CONFLICT (source_id, product_id) DO UPDATE SET version = excluded.version, run_id = excluded.run_id
    WHERE known.version < excluded.version
"""
IS_ANY_TO_ASK_FOR: Final = """
    -- Whether a source may be due, or a run be silent for $1 seconds.
    SELECT EXISTS (SELECT FROM catalog.sync_sources WHERE is_enabled AND next_run_at <= now()) OR EXISTS (
        SELECT FROM catalog.sync_runs WHERE finished_at IS NULL AND touched_at < now() - $1 * interval '1 second'
    )
"""
TAKE_DUE: Final = """
    -- Sources to be pulled now; of two pollers each takes others. The next time is set at once.
    UPDATE catalog.sync_sources SET next_run_at = now() + interval_seconds * interval '1 second'
    WHERE id IN (
        SELECT s.id FROM catalog.sync_sources s
        JOIN catalog.vendors v ON v.id = s.vendor_id
        WHERE s.is_enabled AND s.next_run_at <= now() AND s.interval_seconds IS NOT NULL AND v.status = 'active'
        ORDER BY s.next_run_at LIMIT $1 FOR NO KEY UPDATE OF s SKIP LOCKED
    )
    RETURNING id, vendor_id
"""
TAKE_SILENT: Final = """
    -- Runs without a sign of progress for $1 seconds, doubled with each time they were asked for.
    SELECT r.id, r.source_id, s.vendor_id, r.cause, r.round FROM catalog.sync_runs r
    JOIN catalog.sync_sources s ON s.id = r.source_id
    WHERE r.finished_at IS NULL AND r.touched_at < now() - $1 * interval '1 second'
        AND r.touched_at < now() - $1 * power(2, r.round - 1) * interval '1 second'
    ORDER BY r.touched_at LIMIT $2 FOR UPDATE OF r SKIP LOCKED
"""
ASK_AGAIN: Final = """
    -- Another worker is asked.
    UPDATE catalog.sync_runs SET round = round + 1, touched_at = now() WHERE id = $1
"""
PRUNE: Final = """
    -- Forget runs of long ago.
    DELETE FROM catalog.sync_runs WHERE id IN (
        SELECT id FROM catalog.sync_runs WHERE created_at < now() - interval '90 days' AND finished_at IS NOT NULL
        LIMIT 1000
    )
"""


@dataclass(frozen=True, slots=True)
class Silent:
    """A run that nobody seems to work at."""

    id: UUID
    source_id: UUID
    vendor_id: UUID
    cause: Cause
    round: int


async def insert(
    conn: Connection,
    run_id: UUID,
    source_id: UUID,
    cause: Cause,
    *,
    body: bytes | None = None,
    signature: bytes | None = None,
    fallback: int | None = None,
) -> Run | None:
    """Write a new run; None if the source is being pulled, or the push is known."""
    row = await conn.fetchrow(INSERT, run_id, source_id, cause.value, body, signature, fallback)
    return None if row is None else _run(row)


async def one(conn: Connection, source_id: UUID, run_id: UUID) -> Run | None:
    """A run of a source."""
    row = await conn.fetchrow(ONE, run_id, source_id)
    return None if row is None else _run(row)


async def by_signature(conn: Connection, source_id: UUID, signature: bytes) -> Run | None:
    """The run of a push."""
    row = await conn.fetchrow(BY_SIGNATURE, source_id, signature)
    return None if row is None else _run(row)


async def of_source(conn: Connection, source_id: UUID, *, below: UUID | None, limit: int) -> list[Run]:
    """The runs of a source, newest first."""
    return [_run(row) for row in await conn.fetch(OF_SOURCE, source_id, below, limit)]


async def begin(conn: Connection, run_id: UUID) -> Run | None:
    """Take a run in hand; None if it is over."""
    row = await conn.fetchrow(BEGIN, run_id)
    return None if row is None else _run(row)


async def pushed(conn: Connection, run_id: UUID) -> tuple[bytes, int] | None:
    """The body of a push (zlib) and the version of rows that have none of their own."""
    row = await conn.fetchrow(BODY, run_id)
    return None if row is None or row["body"] is None else (row["body"], row["fallback"])


async def note(conn: Connection, run_id: UUID, matching: Matching, errors: Sequence[RowError], *, listed: int) -> None:
    """Note what cannot be applied: counts of all, and the first of each sort."""
    await conn.execute(
        NOTE,
        run_id,
        len(matching.unmatched),
        len(errors),
        matching.older,
        list(matching.unmatched[:listed]),
        [asdict(error) for error in errors[:listed]],
    )


async def add(conn: Connection, run_id: UUID, *, changed: int, unchanged: int, older: int) -> None:
    """Count what a batch did, in its transaction."""
    await conn.execute(ADD, run_id, changed, unchanged, older)


async def finish(
    conn: Connection, run_id: UUID, state: RunState, *, problem: str | None = None, is_modified: bool = True
) -> Run | None:
    """End a run; None if it was over."""
    row = await conn.fetchrow(FINISH, run_id, state.value, problem, is_modified)
    return None if row is None else _run(row)


async def positions(conn: Connection, source_id: UUID, product_ids: Sequence[UUID]) -> dict[UUID, Position]:
    """What was applied of a source to these products."""
    rows = await conn.fetch(POSITIONS, source_id, product_ids)
    return {row["product_id"]: Position(row["version"], row["run_id"]) for row in rows}


async def set_positions(conn: Connection, source_id: UUID, versions: Mapping[UUID, int], *, run_id: UUID) -> None:
    """Note what is applied. The caller holds the levels."""
    await conn.execute(SET_POSITIONS, source_id, list(versions), list(versions.values()), run_id)


async def take_due(conn: Connection, *, limit: int) -> list[tuple[UUID, UUID]]:
    """Sources to be pulled now, with their vendors."""
    return [(row["id"], row["vendor_id"]) for row in await conn.fetch(TAKE_DUE, limit)]


async def is_any_to_ask_for(conn: Connection, *, patience_seconds: float) -> bool:
    """Whether `take_due` or `take_silent` may find something."""
    return bool(await conn.fetchval(IS_ANY_TO_ASK_FOR, patience_seconds))


async def take_silent(conn: Connection, *, patience_seconds: float, limit: int) -> list[Silent]:
    """Hold runs that nobody seems to work at."""
    rows = await conn.fetch(TAKE_SILENT, patience_seconds, limit)
    return [Silent(**{**row, "cause": Cause(row["cause"])}) for row in rows]


async def ask_again(conn: Connection, run_id: UUID) -> None:
    """Note that another worker is asked."""
    await conn.execute(ASK_AGAIN, run_id)


async def prune(conn: Connection) -> None:
    """Forget runs of long ago."""
    await conn.execute(PRUNE)


def _run(row: asyncpg.Record) -> Run:
    return Run(
        id=row["id"],
        source_id=row["source_id"],
        cause=Cause(row["cause"]),
        state=RunState(row["state"]),
        round=row["round"],
        counts=Counts(row["changed"], row["unchanged"], row["older"], row["unmatched"], row["invalid"]),
        is_modified=row["is_modified"],
        unmatched_skus=row["unmatched_skus"],
        errors=[RowError(**error) for error in row["errors"]],
        problem=row["problem"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )
