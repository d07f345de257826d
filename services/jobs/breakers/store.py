"""The SQL of breakers, and the history of what stopped a type."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.contracts.reports import BreakerMoved
from shared.db.pool import Connection

OPEN: Final = """
    -- A worker met a dependency that is away. The first one tries for all; a later word renews the error alone, and one
    -- that is older than what is known changes nothing. No row back unless the breaker was closed.
    INSERT INTO jobs.breakers AS b (type, is_open, worker, since, told_at, error_class, error_message)
    VALUES ($1, true, $2, $3, $3, $4, $5)
    ON CONFLICT (type) DO UPDATE
        SET is_open = true, worker = excluded.worker, since = excluded.since, told_at = excluded.told_at,
            error_class = excluded.error_class, error_message = excluded.error_message
        WHERE NOT b.is_open AND b.told_at < excluded.told_at
    RETURNING type
"""
RENEW: Final = """
    UPDATE jobs.breakers SET told_at = $2, error_class = $3, error_message = $4
    WHERE type = $1 AND is_open AND told_at < $2
"""
CLOSE: Final = """
    UPDATE jobs.breakers SET is_open = false, told_at = $2, since = $2
    WHERE type = $1 AND is_open AND told_at < $2 RETURNING type
"""
ALL_OPEN: Final = """
    SELECT type, worker, since, told_at, error_class, error_message FROM jobs.breakers WHERE is_open ORDER BY type
"""
HAND_OVER: Final = """
    -- Who was to try is gone: another worker of the type, if one lives, does from now on.
    UPDATE jobs.breakers b SET worker = living.worker
    FROM (
        SELECT DISTINCT ON (o.type) o.type, w.worker FROM jobs.breakers o
        JOIN jobs.workers w ON o.type = ANY (w.types) AND w.seen_at > now() - $1 * interval '1 second'
        WHERE o.is_open ORDER BY o.type, w.worker
    ) living
    WHERE b.type = living.type AND b.is_open AND NOT EXISTS (
        SELECT 1 FROM jobs.workers w WHERE w.worker = b.worker AND w.seen_at > now() - $1 * interval '1 second'
    ) AND b.told_at < now() - $1 * interval '1 second'
    RETURNING b.type, b.worker
"""
ADD_HISTORY: Final = "INSERT INTO jobs.type_history (type, what, actor, detail) VALUES ($1, $2, $3, $4)"
HISTORY: Final = """
    -- What stopped types and let them go on, of one type or of all.
    SELECT type, at, what, actor, detail FROM jobs.type_history
    WHERE $1::text IS NULL OR type = $1 ORDER BY id DESC LIMIT $2
"""
FORGET_HISTORY: Final = "DELETE FROM jobs.type_history WHERE at < now() - interval '30 days'"
GONE_SECONDS: Final = 15.0
"""A worker tells of itself every 5 s."""


@dataclass(frozen=True, slots=True)
class OpenBreaker:
    """A type whose dependency is away `since`; `worker` tries now and then, `told_at` is the newest failure."""

    type: str
    worker: str
    since: datetime
    told_at: datetime
    error_class: str | None
    error_message: str | None


@dataclass(frozen=True, slots=True)
class TypeEvent:
    """Something that stopped a type or let it go on.

    `what` is paused, resumed, breaker_opened, breaker_handed_over or breaker_closed; `actor` a person or a worker.
    """

    type: str
    at: datetime
    what: str
    actor: str
    detail: str | None


class BreakerStore:
    """The tables of breakers. Words that come late, twice or out of order are told apart by their time."""

    async def open(self, conn: Connection, move: BreakerMoved) -> bool:
        """Note that a dependency is away; True when it was not known."""
        error = (None, None) if move.error is None else (move.error.error_class, move.error.message)
        if await conn.fetchval(OPEN, move.job_type, move.worker, move.at, *error) is not None:
            return True
        await conn.execute(RENEW, move.job_type, move.at, *error)
        return False

    async def close(self, conn: Connection, move: BreakerMoved) -> bool:
        """Note that a dependency is back; True when it was away."""
        return await conn.fetchval(CLOSE, move.job_type, move.at) is not None

    async def all_open(self, conn: Connection) -> list[OpenBreaker]:
        """The open breakers."""
        return [OpenBreaker(**row) for row in await conn.fetch(ALL_OPEN)]

    async def hand_over(self, conn: Connection) -> list[tuple[str, str]]:
        """Give breakers whose worker is gone to a living one; returns (type, worker) of each."""
        return [(row["type"], row["worker"]) for row in await conn.fetch(HAND_OVER, GONE_SECONDS)]

    async def note(self, conn: Connection, job_type: str, what: str, *, actor: str, detail: str | None = None) -> None:
        """Append to the type's history, which keeps 30 days."""
        await conn.execute(FORGET_HISTORY)
        await conn.execute(ADD_HISTORY, job_type, what, actor, detail)

    async def history(self, conn: Connection, job_type: str | None, limit: int) -> list[TypeEvent]:
        """The newest events of a type, or of all, newest first."""
        return [TypeEvent(**row) for row in await conn.fetch(HISTORY, job_type, limit)]
