"""The SQL of health: a few probes of indexes each, whatever the number of jobs. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from shared.db.pool import Connection

COUNT_WORKERS: Final = "SELECT count(*) FROM jobs.workers WHERE seen_at > now() - $1 * interval '1 second'"
LIST_WORKERS: Final = """
    SELECT worker, version, types, held, seen_at FROM jobs.workers WHERE seen_at > now() - interval '10 minutes'
    ORDER BY worker
"""
ACTIVE_BY_TYPE: Final = """
    -- Workers seen lately that read each type.
    SELECT t.type, count(*) AS n FROM jobs.workers w CROSS JOIN unnest(w.types) AS t(type)
    WHERE w.seen_at > now() - $1 * interval '1 second' GROUP BY t.type
"""
OLDEST_WAITING: Final = """
    -- How long the oldest job of each type and priority has waited to be begun, in seconds: one probe of an index each,
    -- and the first thousand of those that nobody has published yet although their time has come.
    SELECT type, priority, max(extract(epoch FROM now() - since))::float8 AS seconds FROM (
        SELECT j.type, j.priority, j.published_at AS since
        FROM unnest($1::text[]) AS t(type) CROSS JOIN generate_series(1, 5) AS p(priority) CROSS JOIN LATERAL (
            SELECT type, priority, published_at FROM jobs.jobs
            WHERE type = t.type AND priority = p.priority AND published_at IS NOT NULL AND finished_at IS NULL
              AND state = 'pending'
            ORDER BY published_at LIMIT 1
        ) j
        UNION ALL
        SELECT u.type, u.priority, u.since FROM (
            SELECT type, priority, CASE WHEN fence = 1 THEN coalesce(run_at, created_at)
                              ELSE (SELECT max(h.at) FROM jobs.history h WHERE h.job_id = j.id) END AS since
            FROM jobs.jobs j
            WHERE published_at IS NULL AND state IN ('scheduled', 'pending', 'retrying')
              AND coalesce(run_at, created_at) <= now()
            ORDER BY coalesce(run_at, created_at) LIMIT 1000
        ) u
    ) waiting
    WHERE NOT EXISTS (SELECT 1 FROM jobs.paused_types t WHERE t.type = waiting.type)  -- these wait on purpose
    GROUP BY type, priority ORDER BY type, priority
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
COUNTS: Final = """
    -- Jobs kept, from the counters: some rows for each type and state, however many jobs there are.
    SELECT type, state, sum(n)::bigint AS n FROM jobs.counters GROUP BY type, state ORDER BY type, state
"""
PAUSED: Final = "SELECT type FROM jobs.paused_types ORDER BY type"
OLDEST_UNSENT: Final = """
    -- Age in seconds of the oldest event of this schema that still waits for its relay, by the index of unsent rows.
    SELECT extract(epoch FROM clock_timestamp() - created_at)::float8
    FROM jobs.outbox WHERE sent_at IS NULL ORDER BY seq LIMIT 1
"""
UNOWNED_LETTERS: Final = """
    -- Dead letters that are no job's and that nobody has dealt with, counted up to a limit.
    SELECT count(*) FROM (
        SELECT 1 FROM jobs.dead_letters WHERE job_id IS NULL AND replay_at IS NULL LIMIT $1
    ) few
"""
ACTIVE_SECONDS: Final = 35
"""What `active_workers` counts: heard of in half a minute, and some slack."""
LIVE_SECONDS: Final = 13
"""What health counts: two heartbeats (5 s each) and some slack. A worker that dies is missed in less than 15 s."""
LETTERS_AT_MOST: Final = 1000
_LATELY_AT_MOST: Final = 2000


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as it last told of itself; `held` are the jobs in its hands."""

    worker: str
    version: str
    types: Sequence[str]
    held: Sequence[UUID]
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class OldestWaiting:
    """How long the oldest job of a type and priority has waited for its first attempt."""

    type: str
    priority: int
    seconds: float


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
        return {row["type"]: row["n"] for row in await conn.fetch(ACTIVE_BY_TYPE, LIVE_SECONDS)}

    async def oldest_waiting(self, conn: Connection, types: Sequence[str]) -> list[OldestWaiting]:
        """How long the oldest due job of each type and priority has waited for its first attempt; of those with one."""
        return [OldestWaiting(**row) for row in await conn.fetch(OLDEST_WAITING, types)]

    async def counts(self, conn: Connection) -> list[tuple[str, str, int]]:
        """(type, state, jobs kept)."""
        return [(row["type"], row["state"], row["n"]) for row in await conn.fetch(COUNTS)]

    async def paused(self, conn: Connection) -> list[str]:
        """The types that operators paused."""
        return [row["type"] for row in await conn.fetch(PAUSED)]

    async def oldest_unsent(self, conn: Connection) -> float:
        """Seconds that the oldest unsent event of the ledger's outbox has waited; 0 when none does."""
        seconds: float | None = await conn.fetchval(OLDEST_UNSENT)
        return max(0.0, seconds or 0.0)

    async def unowned_letters(self, conn: Connection) -> int:
        """Dead letters that belong to no job: messages nobody could understand or handle. 1,000 are counted at most."""
        return int(await conn.fetchval(UNOWNED_LETTERS, LETTERS_AT_MOST))

    async def finished_lately(self, conn: Connection) -> tuple[int, int]:
        """(done or failed, failed) of the last 2,000 jobs that ended so within the hour."""
        row = await conn.fetchrow(FINISHED_LATELY, _LATELY_AT_MOST)
        assert row is not None
        return row["finished"], row["failed"]
