"""The SQL of rescue: what workers hold, probes, and the jobs that are proven to be lost."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.jobs.control.store import ControlStore
from services.jobs.models import HistoryEntry, JobState, Standing
from services.jobs.store import Ledger
from shared.contracts.reports import WorkerSeen
from shared.db.pool import Connection
from shared.messaging.topology import WORK_BY_TYPE

SEE_WORKER: Final = """
    INSERT INTO jobs.workers (worker, version, types, held, progress) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (worker) DO UPDATE
        SET version = excluded.version, types = excluded.types, held = excluded.held, progress = excluded.progress,
            seen_at = now()
"""
FORGET_WORKERS: Final = "DELETE FROM jobs.workers WHERE seen_at < now() - interval '10 minutes'"
ONE_PROBER: Final = "SELECT pg_try_advisory_xact_lock($1)"
IS_ANY_OUT: Final = """
    SELECT EXISTS (SELECT FROM jobs.jobs WHERE published_at IS NOT NULL AND finished_at IS NULL)
"""
ADD_PROBES: Final = """
    -- One probe for each type that has jobs out and each priority it uses, unless one was sent a moment ago. One look
    -- into an index for each pair: a long queue is not walked to learn that it is one.
    INSERT INTO jobs.probes (id, type, priority)
    SELECT gen_random_uuid(), o.type, o.priority
    FROM (SELECT type, priority FROM unnest($2::text[]) AS t(type) CROSS JOIN generate_series(1, 5) AS p(priority)) o
    WHERE EXISTS (
        SELECT 1 FROM jobs.jobs j WHERE j.type = o.type AND j.priority = o.priority
          AND j.published_at IS NOT NULL AND j.finished_at IS NULL
    ) AND NOT EXISTS (
        SELECT 1 FROM jobs.probes p WHERE p.type = o.type AND p.priority = o.priority
          AND p.sent_at > now() - $1 * interval '1 second'
    )
    RETURNING id, type, priority
"""
ANSWER_PROBE: Final = "UPDATE jobs.probes SET answered_at = now() WHERE id = $1 AND answered_at IS NULL"
FORGET_PROBES: Final = "DELETE FROM jobs.probes WHERE sent_at < now() - interval '1 hour'"
LOST: Final = """
    -- Published before a probe that has come back, and since then neither reported on nor in any worker's hands.
    -- `$1` seconds are what a report or a worker's word may take to get here.
    SELECT j.id FROM jobs.jobs j
    JOIN (SELECT type, priority, max(sent_at) AS sent_at FROM jobs.probes
          WHERE answered_at < now() - $1 * interval '1 second' GROUP BY type, priority) proven
      ON proven.type = j.type AND proven.priority = j.priority
    WHERE j.published_at IS NOT NULL AND j.finished_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM jobs.paused_types t WHERE t.type = j.type)
      AND NOT EXISTS (SELECT 1 FROM jobs.breakers b WHERE b.type = j.type AND b.is_open)
      AND greatest(j.published_at, j.heard_at, j.retry_at + $1 * interval '1 second') < proven.sent_at
      AND NOT EXISTS (SELECT 1 FROM jobs.workers w
                      WHERE w.seen_at > now() - $1 * interval '1 second' AND j.id = ANY (w.held))
    LIMIT $2
"""
RESCUE: Final = """
    -- To be published again under a new fence. An attempt that had begun and was never reported is made again.
    UPDATE jobs.jobs SET state = 'pending', fence = fence + 1, published_at = NULL, claimed_until = NULL, run_at = NULL,
           retry_at = NULL, attempt = CASE WHEN state = 'processing' THEN greatest(attempt - 1, 0) ELSE attempt END
    WHERE id = ANY($1::uuid[])
"""
_PROBER_KEY: Final = 0x9B0B
_OUT: Final = frozenset({JobState.PENDING, JobState.PROCESSING, JobState.RETRYING})


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe to be sent through a work queue."""

    id: UUID
    type: str
    priority: int


class RescueStore:
    """The tables of rescue; states change together with the ledger's history and counters."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._control = ControlStore()

    async def see_worker(self, conn: Connection, seen: WorkerSeen) -> None:
        """Note that a worker lives, what it holds, and how far that has come."""
        held = [attempt.job_id for attempt in seen.held]
        progress = [attempt.progress for attempt in seen.held]
        await conn.execute(SEE_WORKER, seen.worker, seen.version, list(seen.types), held, progress)

    async def is_any_out(self, conn: Connection) -> bool:
        """Whether any job is on its way or in hand: of none there is nothing to be lost."""
        return bool(await conn.fetchval(IS_ANY_OUT))

    async def forget(self, conn: Connection) -> None:
        """Workers unheard of for ten minutes, and probes of an hour ago."""
        await conn.execute(FORGET_PROBES)
        await conn.execute(FORGET_WORKERS)

    async def add_probes(self, conn: Connection, *, every_seconds: float) -> list[Probe]:
        """Write the probes that are due; none when another ledger process is at it."""
        if not await conn.fetchval(ONE_PROBER, _PROBER_KEY):
            return []
        return [Probe(**row) for row in await conn.fetch(ADD_PROBES, every_seconds, list(WORK_BY_TYPE))]

    async def answer_probe(self, conn: Connection, probe_id: UUID) -> None:
        """Note that a probe came back; a second answer changes nothing."""
        await conn.execute(ANSWER_PROBE, probe_id)

    async def rescue(self, conn: Connection, *, silence_seconds: float, limit: int) -> list[Standing]:
        """Send jobs round again that are lost: out, behind a proven probe, unreported and in nobody's hands."""
        ids = [row["id"] for row in await conn.fetch(LOST, silence_seconds, limit)]
        if not ids:
            return []
        locked = await self._ledger.lock(conn, ids)
        # What was reported between the search and the lock is lost no more.
        still = [row["id"] for row in await conn.fetch(LOST, silence_seconds, limit) if row["id"] in locked]
        lost = [locked[id_] for id_ in still if locked[id_].state in _OUT]
        if lost:
            await conn.execute(RESCUE, [job.id for job in lost])
            # A copy that was not lost after all is dropped unrun by whoever gets it.
            await self._control.add_superseded(conn, [(job.id, job.fence) for job in lost])
            history = [
                HistoryEntry(job_id=job.id, state=JobState.PENDING, outcome="rescued", fence=job.fence + 1)
                for job in lost
            ]
            await self._ledger.note_moves(conn, history, [(job.type, job.state, JobState.PENDING) for job in lost])
        return lost
