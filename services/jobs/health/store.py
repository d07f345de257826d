"""The SQL of health: a few probes of indexes each, whatever the number of jobs. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.db.pool import Connection

COUNT_WORKERS: Final = "SELECT count(*) FROM jobs.workers WHERE seen_at > now() - $1 * interval '1 second'"
LIST_WORKERS: Final = "SELECT worker, version, types, held, seen_at FROM jobs.workers ORDER BY worker"
ACTIVE_BY_TYPE: Final = """
    -- Workers seen lately that read each type.
    SELECT t.type, count(*) AS n FROM jobs.workers w CROSS JOIN unnest(w.types) AS t(type)
    WHERE w.seen_at > now() - $1 * interval '1 second' GROUP BY t.type
"""
OLDEST_WAITING: Final = """
    -- How long the oldest job of each type has waited to be begun, in seconds: one probe of an index for each type and
    -- priority, and the first thousand of those that nobody has published yet although their time has come.
    SELECT type, max(extract(epoch FROM now() - since))::float8 AS seconds FROM (
        SELECT j.type, j.published_at AS since
        FROM unnest($1::text[]) AS t(type) CROSS JOIN generate_series(1, 5) AS p(priority) CROSS JOIN LATERAL (
            SELECT type, published_at FROM jobs.jobs
            WHERE type = t.type AND priority = p.priority AND published_at IS NOT NULL AND finished_at IS NULL
              AND state = 'pending'
            ORDER BY published_at LIMIT 1
        ) j
        UNION ALL
        SELECT u.type, u.since FROM (
            SELECT type, CASE WHEN fence = 1 THEN coalesce(run_at, created_at)
                              ELSE (SELECT max(h.at) FROM jobs.history h WHERE h.job_id = j.id) END AS since
            FROM jobs.jobs j
            WHERE published_at IS NULL AND state IN ('scheduled', 'pending', 'retrying')
              AND coalesce(run_at, created_at) <= now()
            ORDER BY coalesce(run_at, created_at) LIMIT 1000
        ) u
    ) waiting
    WHERE NOT EXISTS (SELECT 1 FROM jobs.paused_types t WHERE t.type = waiting.type)  -- these wait on purpose
    GROUP BY type
"""
FINISHED_LATELY: Final = """
    -- Of the last jobs that were done or failed within the hour, at most so many: how many, and how many failed.
    SELECT count(*) AS finished, count(*) FILTER (WHERE state = 'failed') AS failed FROM (
        SELECT state FROM (
            (SELECT state, finished_at FROM jobs.jobs
             WHERE state = 'completed' AND finished_at > now() - interval '1 hour' ORDER BY finished_at DESC LIMIT $1)
            UNION ALL
            (SELECT state, finished_at FROM jobs.jobs
             WHERE state = 'failed' AND finished_at > now() - interval '1 hour' ORDER BY finished_at DESC LIMIT $1)
        ) both_states ORDER BY finished_at DESC LIMIT $1
    ) lately
"""
ACTIVE_SECONDS: Final = 35
"""A heartbeat of a worker (30 s) and some slack."""
_LATELY_AT_MOST: Final = 2000


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as it last told of itself; `held` are the jobs in its hands."""

    worker: str
    version: str
    types: Sequence[str]
    held: Sequence[UUID]
    seen_at: datetime


class HealthStore:
    """What the ledger's tables tell of the work as a whole."""

    async def active_workers(self, conn: Connection) -> int:
        """Workers seen in the last half minute (and a heartbeat's slack)."""
        return int(await conn.fetchval(COUNT_WORKERS, ACTIVE_SECONDS))

    async def workers(self, conn: Connection) -> list[WorkerView]:
        """Every worker seen in the last ten minutes."""
        return [WorkerView(**row) for row in await conn.fetch(LIST_WORKERS)]

    async def active_by_type(self, conn: Connection) -> dict[str, int]:
        """Active workers that read each type; a type nobody reads is left out."""
        return {row["type"]: row["n"] for row in await conn.fetch(ACTIVE_BY_TYPE, ACTIVE_SECONDS)}

    async def oldest_waiting(self, conn: Connection, types: Sequence[str]) -> dict[str, float]:
        """Seconds that the oldest due job of each type has waited for its first attempt; types without one left out."""
        return {row["type"]: row["seconds"] for row in await conn.fetch(OLDEST_WAITING, types)}

    async def finished_lately(self, conn: Connection) -> tuple[int, int]:
        """(done or failed, failed) of the last 2,000 jobs that ended so within the hour."""
        row = await conn.fetchrow(FINISHED_LATELY, _LATELY_AT_MOST)
        assert row is not None
        return row["finished"], row["failed"]
