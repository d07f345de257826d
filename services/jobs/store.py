"""The SQL of jobs and their history. What changes a job's state here moves the counters in the same transaction."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar
from uuid import UUID

import asyncpg
import orjson
from pydantic import JsonValue, TypeAdapter

from services.jobs.activity import store as activity
from services.jobs.activity.models import Tallies, Tally, tallied
from services.jobs.models import CounterDeltas, HistoryEntry, JobState, NewJob, Standing
from services.jobs.schedules.store import HELD
from shared import tracing
from shared.contracts.reports import AttemptReport
from shared.db.pool import Connection, Pool, transaction
from shared.errors import Unavailable

INSERT: Final = """
    -- Write new jobs, claimed for as long as the writer may take to publish them; skip known and just pruned ones.
    INSERT INTO jobs.jobs (id, type, priority, state, max_attempts, timeout_ms, payload, target, cause, cause_type,
                           caused_at, vendor_id, traceparent, run_at, parent, claimed_until)
    SELECT n.id, n.type, n.priority, n.state, n.max_attempts, n.timeout_ms, n.payload::jsonb, n.target, n.cause,
           n.cause_type, n.caused_at, n.vendor_id, n.traceparent, n.run_at, n.parent, now() + $16 * interval '1 second'
    FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::int[], $6::int[], $7::text[], $8::text[],
                $9::uuid[], $10::text[], $11::timestamptz[], $12::uuid[], $13::text[], $14::timestamptz[],
                $15::uuid[])
         AS n(id, type, priority, state, max_attempts, timeout_ms, payload, target, cause, cause_type, caused_at,
              vendor_id, traceparent, run_at, parent)
    WHERE NOT EXISTS (SELECT 1 FROM jobs.tombstones t WHERE t.job_id = n.id)
    ORDER BY n.id
    ON CONFLICT (id) DO NOTHING
    RETURNING id
"""
LOCK: Final = """
    -- The rows a writer is about to change, locked in the order every writer locks them.
    SELECT id, type, state, attempt, fence, cause, cause_type, target, vendor_id,
           coalesce(run_at, created_at) AS due_at, started_at, finished_at, run_ms, retry_at,
           run_at IS NOT NULL AND published_at IS NULL AS waits_in_ledger, result, error_class, error_message
    FROM jobs.jobs WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
"""
SAVE: Final = """
    -- Write back what `LOCK` read and a rule changed.
    UPDATE jobs.jobs j SET
        state = n.state, attempt = n.attempt, fence = n.fence, started_at = n.started_at,
        finished_at = n.finished_at, run_ms = n.run_ms, retry_at = n.retry_at, result = n.result::jsonb,
        error_class = n.error_class, error_message = n.error_message, heard_at = now(),
        run_at = CASE WHEN n.waits_in_ledger THEN n.retry_at ELSE j.run_at END,
        published_at = CASE WHEN n.waits_in_ledger THEN NULL ELSE coalesce(j.published_at, now()) END,
        claimed_until = CASE WHEN n.waits_in_ledger THEN NULL ELSE j.claimed_until END
    FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::int[],
                $8::timestamptz[], $9::bool[], $10::text[], $11::text[], $12::text[])
         AS n(id, state, attempt, fence, started_at, finished_at, run_ms, retry_at, waits_in_ledger, result,
              error_class, error_message)
    WHERE j.id = n.id
"""
HOLD: Final = """
    -- The rows that `COMPLETE` changes, held in the order every writer locks them. In a statement of its own: locked in
    -- that one, a row that somebody had just changed sent PostgreSQL 18.6 into a segmentation fault.
    SELECT FROM jobs.jobs WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
"""
COMPLETE: Final = """
    -- Record reports of nothing but completed attempts, one a job, once `HOLD` has their rows: what `after_report`,
    -- `SAVE` and `ADD_HISTORY` do to such a batch, in one statement. Nearly all reports are of this kind, and most of
    -- what the steps cost is the way there and back. Returns what to count, and each job of a schedule by itself.
    WITH reported AS MATERIALIZED (
        SELECT * FROM json_to_recordset($1::text::json)
            AS r(job_id uuid, attempt int, fence int, worker text, started_at timestamptz, run_ms int, result jsonb)
    ), known AS MATERIALIZED (
        SELECT id, type, state, cause, cause_type, started_at, coalesce(run_at, created_at) AS due_at FROM jobs.jobs
        WHERE id = ANY (ARRAY(SELECT job_id FROM reported))
    ), completed AS (
        UPDATE jobs.jobs j SET
            state = 'completed', attempt = greatest(j.attempt, r.attempt),
            started_at = coalesce(j.started_at, r.started_at), finished_at = $2, run_ms = r.run_ms, retry_at = NULL,
            result = r.result, heard_at = now(), published_at = coalesce(j.published_at, now())
        FROM known JOIN reported r ON r.job_id = known.id
        WHERE j.id = known.id AND known.state <> 'completed'
    ), noted AS (
        INSERT INTO jobs.history (job_id, state, outcome, attempt, fence, worker, started_at, run_ms)
        SELECT r.job_id, 'completed', 'completed', r.attempt, r.fence, r.worker, r.started_at, r.run_ms
        FROM reported r JOIN known ON known.id = r.job_id
    )
    SELECT type, state, CASE WHEN cause_type = $3 THEN id END AS scheduled,
           CASE WHEN cause_type = $3 THEN cause END AS cause, count(*) AS n, count(waited_ms) AS begun,
           coalesce(sum(waited_ms), 0)::bigint AS waited_ms, coalesce(max(waited_ms), 0) AS longest_wait_ms,
           count(run_ms) AS attempts, coalesce(sum(run_ms), 0)::bigint AS ran_ms,
           coalesce(max(run_ms), 0) AS longest_run_ms
    FROM (
        SELECT k.*, r.run_ms, CASE WHEN k.started_at IS NULL
            THEN greatest(0, extract(epoch FROM r.started_at - k.due_at) * 1000)::bigint END AS waited_ms
        FROM known k JOIN reported r ON r.job_id = k.id WHERE k.state <> 'completed'
    ) changed GROUP BY 1, 2, 3, 4
"""
REOPEN: Final = """
    -- Send a final job round again: a new fence, as many attempts more as its type has, and the trace of whoever asks.
    -- Returns the trace it belonged to before.
    UPDATE jobs.jobs j SET state = 'pending', fence = fence + 1, max_attempts = attempt + $2, finished_at = NULL,
           retry_at = NULL, run_at = NULL, published_at = NULL, claimed_until = NULL, result = NULL,
           traceparent = coalesce($3, was.traceparent)
    FROM (SELECT traceparent FROM jobs.jobs WHERE id = $1) was
    WHERE j.id = $1
    RETURNING was.traceparent
"""
REOPEN_ALL: Final = """
    -- Send many final jobs round again, each with as many attempts more as its type has, one after another.
    UPDATE jobs.jobs j SET state = 'pending', fence = fence + 1, max_attempts = attempt + n.attempts,
           finished_at = NULL, retry_at = NULL, run_at = now() + n.place * $3::float8 * interval '1 second',
           published_at = NULL, claimed_until = NULL, result = NULL
    FROM unnest($1::uuid[], $2::int[]) WITH ORDINALITY AS n(id, attempts, place) WHERE j.id = n.id
"""
ADD_HISTORY: Final = """
    INSERT INTO jobs.history (job_id, state, outcome, attempt, fence, worker, started_at, run_ms, error_class,
                              error_message, retry_at, actor)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::int[], $6::text[], $7::timestamptz[],
                         $8::int[], $9::text[], $10::text[], $11::timestamptz[], $12::text[])
"""
COUNT: Final = """
    -- Add the deltas; the caller gives them in key order, so that two writers never wait for each other in a ring.
    INSERT INTO jobs.counters AS c (type, state, shard, n)
    SELECT type, state, $4, n FROM unnest($1::text[], $2::text[], $3::bigint[]) AS d(type, state, n)
    ORDER BY type, state
    ON CONFLICT (type, state, shard) DO UPDATE SET n = c.n + excluded.n
"""
_DUE: Final = """
    published_at IS NULL AND state IN ('scheduled', 'pending', 'retrying')
          AND coalesce(run_at, created_at) <= now() AND (claimed_until IS NULL OR claimed_until < now())
"""
CLAIM_DUE: Final = f"""
    -- Take jobs that nobody has published and whose time has come; hold them for as long as a publish may take.
    UPDATE jobs.jobs SET claimed_until = now() + interval '15 seconds'
    WHERE id IN (
        SELECT id FROM jobs.jobs WHERE {_DUE}
        ORDER BY coalesce(run_at, created_at) LIMIT $1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, type, priority, state, attempt, max_attempts, timeout_ms, fence, payload, cause, caused_at,
              traceparent
"""  # noqa: S608 - constants
LOOK: Final = f"""
    -- Whether jobs are to be published, slots wait for others to end, and workers are to be told something. An open
    -- breaker may have to be handed over.
    SELECT EXISTS (SELECT FROM jobs.jobs WHERE {_DUE}) AS due, EXISTS (
        SELECT FROM jobs.jobs WHERE published_at IS NULL AND state = 'scheduled' AND coalesce(run_at, created_at) = $1
    ) AS held, EXISTS (SELECT FROM jobs.controls WHERE published_at IS NULL) OR EXISTS (
        SELECT FROM jobs.breakers WHERE is_open
    ) AS untold
"""  # noqa: S608
MARK_PUBLISHED: Final = """
    -- The broker has confirmed them. A report may have been faster and moved the job on: leave it then.
    UPDATE jobs.jobs j SET published_at = now(), claimed_until = NULL
    FROM unnest($1::uuid[], $2::int[], $3::int[]) AS p(id, fence, attempt)
    WHERE j.id = p.id AND j.fence = p.fence AND j.attempt = p.attempt AND j.published_at IS NULL
"""
RELEASE: Final = """
    -- Whoever claimed these does not know it, and publishes none of them.
    UPDATE jobs.jobs SET claimed_until = NULL
    WHERE id IN (SELECT id FROM jobs.jobs WHERE id = ANY($1::uuid[]) AND published_at IS NULL ORDER BY id FOR UPDATE)
"""
MARK_PENDING: Final = """
    -- A scheduled job whose time has come waits in its queue from now on; returns those that were still scheduled.
    UPDATE jobs.jobs SET state = 'pending' WHERE id = ANY($1::uuid[]) AND state = 'scheduled' RETURNING id, type
"""
ALL_COUNTS: Final = "SELECT state, sum(n)::bigint AS n FROM jobs.counters GROUP BY state"
COLUMNS: Final = """j.id, j.type, j.priority, j.state, j.attempt, j.max_attempts, j.payload, j.cause, j.cause_type,
    j.parent, j.vendor_id, j.target, j.created_at, j.run_at, j.started_at, j.finished_at, j.run_ms, j.retry_at,
    j.result, j.error_class, j.error_message, (
        SELECT w.progress[array_position(w.held, j.id)] FROM jobs.workers w
        WHERE j.state = 'processing' AND j.id = ANY (w.held) AND w.seen_at > now() - interval '15 seconds'
        ORDER BY w.seen_at DESC LIMIT 1
    ) AS progress"""
"""What a `JobView` holds, of a job called `j`."""
GET: Final = f"SELECT {COLUMNS} FROM jobs.jobs j WHERE j.id = $1"  # noqa: S608 - constants
OF_PARENT: Final = """
    -- What a job led to. Materialised: the planner would rather walk the primary key than sort a handful.
    WITH meant AS MATERIALIZED (SELECT id, type, state, target, created_at FROM jobs.jobs WHERE parent = $1)
    SELECT * FROM meant ORDER BY id LIMIT $2
"""
BESIDE: Final = """
    -- What else the same event led to.
    WITH meant AS MATERIALIZED (SELECT id, type, state, target, created_at FROM jobs.jobs WHERE cause = $1)
    SELECT * FROM meant WHERE id <> $2 ORDER BY id LIMIT $3
"""
BRIEF: Final = "SELECT id, type, state, target, created_at FROM jobs.jobs WHERE id = $1"
LATEST_OF_STATE: Final = f"""
    SELECT {COLUMNS} FROM jobs.jobs j
    WHERE j.state = $1 AND j.finished_at IS NOT NULL ORDER BY j.finished_at DESC LIMIT $2
"""  # noqa: S608
HISTORY: Final = """
    SELECT job_id, state, outcome, attempt, fence, worker, started_at, run_ms, error_class, error_message, retry_at,
           actor, at
    FROM jobs.history WHERE job_id = ANY($1::uuid[]) ORDER BY at
"""
PRUNABLE: Final = """
    SELECT id, type, state FROM jobs.jobs
    WHERE state = $1 AND finished_at < $2 ORDER BY finished_at LIMIT $3 FOR UPDATE SKIP LOCKED
"""
BURY: Final = "INSERT INTO jobs.tombstones (job_id) SELECT * FROM unnest($1::uuid[]) ON CONFLICT DO NOTHING"
DELETE_HISTORY: Final = "DELETE FROM jobs.history WHERE job_id = ANY($1::uuid[])"
DELETE: Final = "DELETE FROM jobs.jobs WHERE id = ANY($1::uuid[])"
FORGET_TOMBSTONES: Final = """
    -- A batch of tombstones that answer no message any more.
    DELETE FROM jobs.tombstones WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM jobs.tombstones WHERE at < now() - interval '48 hours' LIMIT $1
    ))
"""
DELETE_ROWS: Final = "SELECT pg_advisory_xact_lock_shared($1)"
DELETE_DAY: Final = "SELECT pg_advisory_xact_lock($1)"

T = TypeVar("T")
CLAIM_SECONDS: Final = 10.0
_TRIES: Final = 5
_DELETE_KEY: Final = 0xDE1E
_TIMES: Final = ("begun", "waited_ms", "longest_wait_ms", "attempts", "ran_ms", "longest_run_ms")
REPORTS: Final = TypeAdapter(Sequence[AttemptReport])


async def in_ledger(pool: Pool, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run `work` in a transaction, whole and again when PostgreSQL broke a deadlock by ending it."""
    for _ in range(_TRIES):
        try:
            async with transaction(pool) as conn:
                return await work(conn)
        except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
            continue
    raise Unavailable("the ledger's transaction met a deadlock five times", retry_after_seconds=1)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whether anything waits to be published, for another job's end, or to be told to workers."""

    due: bool
    held: bool
    untold: bool


@dataclass(frozen=True, slots=True)
class DueJob:
    """A job to be published now."""

    id: UUID
    type: str
    priority: int
    state: JobState
    attempt: int
    max_attempts: int
    timeout_ms: int
    fence: int
    payload: dict[str, JsonValue]
    cause: UUID | None
    caused_at: datetime
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that has just completed, and what caused it."""

    id: UUID
    type: str
    cause: UUID


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as people see it, without its history. `progress` is 0 to 1, where the attempt that runs tells."""

    id: UUID
    type: str
    priority: int
    state: JobState
    attempt: int
    max_attempts: int
    payload: dict[str, JsonValue]
    cause: UUID | None
    cause_type: str | None
    parent: UUID | None
    vendor_id: UUID | None
    target: str
    created_at: datetime
    run_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    run_ms: int | None
    retry_at: datetime | None
    result: JsonValue
    error_class: str | None
    error_message: str | None
    progress: float | None


@dataclass(frozen=True, slots=True)
class JobBrief:
    """A job as another one names it."""

    id: UUID
    type: str
    state: JobState
    target: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Kin:
    """The jobs around one: which led to it (None if not kept), which it led to, which its event led to as well."""

    parent: JobBrief | None
    led_to: Sequence[JobBrief]
    beside: Sequence[JobBrief]


@dataclass(frozen=True, slots=True)
class HistoryView:
    """One line of a job's history, with its time."""

    entry: HistoryEntry
    at: datetime


class Ledger:
    """The ledger's tables. `shard` spreads the counters of several writers over several rows."""

    def __init__(self, *, shard: int = 0) -> None:
        self._shard = shard
        self._changed: set[str] = set()

    def take_changed(self) -> set[str]:
        """The types whose counts this writer moved since it was last asked; some of it may have been rolled back."""
        changed, self._changed = self._changed, set()
        return changed

    async def insert(
        self, conn: Connection, new: Sequence[NewJob], *, claim_seconds: float = CLAIM_SECONDS
    ) -> frozenset[UUID]:
        """Write jobs; returns the ids that were not there before. `claim_seconds` is 0 where others publish them."""
        rows = await conn.fetch(
            INSERT,
            [job.id for job in new],
            [job.type for job in new],
            [job.priority for job in new],
            [job.state.value for job in new],
            [job.max_attempts for job in new],
            [job.timeout_ms for job in new],
            [orjson.dumps(job.payload).decode() for job in new],
            [job.target for job in new],
            [job.cause for job in new],
            [job.cause_type for job in new],
            [job.caused_at for job in new],
            [job.vendor_id for job in new],
            [job.traceparent for job in new],
            [job.run_at for job in new],
            [job.parent for job in new],
            claim_seconds,
        )
        inserted = frozenset(row["id"] for row in rows)
        deltas = CounterDeltas()
        for job in new:
            if job.id in inserted:
                deltas.moved(job.type, before=None, after=job.state)
        await self._count(conn, deltas)
        return inserted

    async def lock(self, conn: Connection, ids: Iterable[UUID]) -> dict[UUID, Standing]:
        """Lock jobs for a change; unknown ids are left out."""
        rows = await conn.fetch(LOCK, sorted(set(ids)))
        return {row["id"]: Standing(**{**row, "state": JobState(row["state"])}) for row in rows}

    async def save(
        self,
        conn: Connection,
        before: dict[UUID, Standing],
        after: Sequence[Standing],
        history: Sequence[HistoryEntry],
    ) -> None:
        """Write locked jobs back with their history, and move the counters by what really changed."""
        deltas = CounterDeltas()
        for job in after:
            deltas.moved(job.type, before=before[job.id].state, after=job.state)
        if after:
            await conn.execute(
                SAVE,
                [job.id for job in after],
                [job.state.value for job in after],
                [job.attempt for job in after],
                [job.fence for job in after],
                [job.started_at for job in after],
                [job.finished_at for job in after],
                [job.run_ms for job in after],
                [job.retry_at for job in after],
                [job.waits_in_ledger for job in after],
                [None if job.result is None else orjson.dumps(job.result).decode() for job in after],
                [job.error_class for job in after],
                [job.error_message for job in after],
            )
        await self._add_history(conn, history)
        await self._count(conn, deltas)
        await activity.add(conn, tallied(before, after, history), shard=self._shard)

    async def complete(
        self, conn: Connection, reports: Sequence[AttemptReport], *, now: datetime, tell_cause_type: str
    ) -> list[Ended]:
        """Record completed attempts, one a job at most; returns the jobs of that type of cause that ended by it.

        Unknown jobs are left out: they were pruned, and their tombstones keep them from coming back.
        """
        await conn.execute(HOLD, [report.job_id for report in reports])
        rows = await conn.fetch(COMPLETE, REPORTS.dump_json(reports, exclude_none=True).decode(), now, tell_cause_type)
        deltas, tallies = CounterDeltas(), Tallies()
        for row in rows:
            deltas.moved(row["type"], before=JobState(row["state"]), after=JobState.COMPLETED, n=row["n"])
            tallies.of(row["type"]).add(Tally(completed=row["n"], **{name: row[name] for name in _TIMES}))
        await self._count(conn, deltas)
        await activity.add(conn, tallies.by_type, shard=self._shard)
        return [Ended(row["scheduled"], row["type"], row["cause"]) for row in rows if row["cause"] is not None]

    async def reopen(self, conn: Connection, job: Standing, *, attempts: int, actor: str) -> None:
        """Send a locked final job round again, in the name of `actor`; it goes on in the trace of what is going on."""
        tracing.link(await conn.fetchval(REOPEN, job.id, attempts, tracing.current()))
        entry = HistoryEntry(job_id=job.id, state=JobState.PENDING, outcome="retried_by_hand", actor=actor)
        await self.note_moves(conn, [entry], [(job.type, job.state, JobState.PENDING)])

    async def reopen_all(
        self, conn: Connection, jobs: Sequence[Standing], *, attempts: Mapping[str, int], seconds: float, actor: str
    ) -> None:
        """Send locked final jobs round again in the name of `actor`, `seconds` apart; `attempts` are by type."""
        await conn.execute(REOPEN_ALL, [job.id for job in jobs], [attempts[job.type] for job in jobs], seconds)
        entries = [
            HistoryEntry(job_id=job.id, state=JobState.PENDING, outcome="retried_by_hand", actor=actor) for job in jobs
        ]
        await self.note_moves(conn, entries, [(job.type, job.state, JobState.PENDING) for job in jobs])

    async def kin(self, conn: Connection, job: JobView, *, limit: int) -> Kin:
        """The jobs around one, at most so many of each kind."""
        parent = None if job.parent is None else await conn.fetchrow(BRIEF, job.parent)
        led_to = await conn.fetch(OF_PARENT, job.id, limit)
        beside = [] if job.cause is None else await conn.fetch(BESIDE, job.cause, job.id, limit)
        return Kin(None if parent is None else _brief(parent), list(map(_brief, led_to)), list(map(_brief, beside)))

    async def waiting(self, conn: Connection) -> Waiting:
        """What waits in the ledger for somebody to do something about it."""
        found = await conn.fetchrow(LOOK, HELD)
        assert found is not None
        return Waiting(**found)

    async def claim_due(self, conn: Connection, limit: int) -> list[DueJob]:
        """Take jobs to publish, and move scheduled ones to pending."""
        rows = await conn.fetch(CLAIM_DUE, limit)
        due = [DueJob(**{**row, "state": JobState(row["state"])}) for row in rows]
        scheduled = [job.id for job in due if job.state is JobState.SCHEDULED]
        if scheduled:
            deltas = CounterDeltas()
            for row in await conn.fetch(MARK_PENDING, scheduled):
                deltas.moved(row["type"], before=JobState.SCHEDULED, after=JobState.PENDING)
            await self._count(conn, deltas)
        return due

    async def release(self, conn: Connection, ids: Sequence[UUID]) -> None:
        """Let go of claimed jobs that nobody publishes; what was published meanwhile is left alone."""
        await conn.execute(RELEASE, ids)

    async def mark_published(self, conn: Connection, published: Sequence[DueJob]) -> None:
        """Note which jobs the broker has confirmed, as they were when they were published."""
        await conn.execute(
            MARK_PUBLISHED,
            [job.id for job in published],
            [job.fence for job in published],
            [job.attempt for job in published],
        )

    async def counts(self, conn: Connection) -> list[tuple[str, int]]:
        """(state, jobs kept) over all types."""
        return [(row["state"], row["n"]) for row in await conn.fetch(ALL_COUNTS)]

    async def get(self, conn: Connection, job_id: UUID) -> JobView | None:
        """One job."""
        row = await conn.fetchrow(GET, job_id)
        return None if row is None else _view(row)

    async def latest(self, conn: Connection, state: JobState, limit: int) -> list[JobView]:
        """The jobs that reached a final state last, newest first."""
        return [_view(row) for row in await conn.fetch(LATEST_OF_STATE, state.value, limit)]

    async def history(self, conn: Connection, ids: Sequence[UUID]) -> dict[UUID, list[HistoryView]]:
        """The history of jobs, oldest first."""
        found: dict[UUID, list[HistoryView]] = {id_: [] for id_ in ids}
        for row in await conn.fetch(HISTORY, ids):
            fields = dict(row)
            at = fields.pop("at")
            fields["state"] = JobState(fields["state"])
            found[row["job_id"]].append(HistoryView(HistoryEntry(**fields), at))
        return found

    async def prune(self, conn: Connection, state: JobState, *, finished_before: datetime, limit: int) -> int:
        """Delete final jobs with their history; tombstones keep their late messages from making them anew."""
        await conn.execute(DELETE_ROWS, _DELETE_KEY)
        rows = await conn.fetch(PRUNABLE, state.value, finished_before, limit)
        ids = [row["id"] for row in rows]
        if not ids:
            return 0
        await conn.execute(BURY, ids)
        await conn.execute(DELETE_HISTORY, ids)
        await conn.execute(DELETE, ids)
        deltas = CounterDeltas()
        for row in rows:
            deltas.moved(row["type"], before=JobState(row["state"]), after=None)
        await self._count(conn, deltas)
        return len(ids)

    async def delete_alone(self, conn: Connection) -> None:
        """Have nobody `prune` until the transaction ends: what is counted now is what will be there."""
        await conn.execute(DELETE_DAY, _DELETE_KEY)

    async def uncount(self, conn: Connection, gone: Mapping[tuple[str, str], int]) -> None:
        """Take jobs off the counters that are dropped with their day: how many, by type and state."""
        await self._count(conn, CounterDeltas({key: -n for key, n in gone.items()}))

    async def forget_tombstones(self, conn: Connection, *, limit: int) -> int:
        """Drop a batch of tombstones older than any late message; how many."""
        return int((await conn.execute(FORGET_TOMBSTONES, limit)).split()[-1])

    async def note_moves(
        self, conn: Connection, history: Sequence[HistoryEntry], moves: Iterable[tuple[str, JobState, JobState]]
    ) -> None:
        """Write the history and move the counters of jobs that a feature's own statement has just changed.

        Each move is (type, state before, state after).
        """
        await self._add_history(conn, history)
        deltas = CounterDeltas()
        for job_type, before, after in moves:
            deltas.moved(job_type, before=before, after=after)
        await self._count(conn, deltas)

    async def _add_history(self, conn: Connection, history: Sequence[HistoryEntry]) -> None:
        if not history:
            return
        await conn.execute(
            ADD_HISTORY,
            [entry.job_id for entry in history],
            [entry.state.value for entry in history],
            [entry.outcome for entry in history],
            [entry.attempt for entry in history],
            [entry.fence for entry in history],
            [entry.worker for entry in history],
            [entry.started_at for entry in history],
            [entry.run_ms for entry in history],
            [entry.error_class for entry in history],
            [entry.error_message for entry in history],
            [entry.retry_at for entry in history],
            [entry.actor for entry in history],
        )

    async def _count(self, conn: Connection, deltas: CounterDeltas) -> None:
        rows = deltas.in_key_order()
        if rows:
            self._changed.update(row[0] for row in rows)
            await conn.execute(
                COUNT, [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows], self._shard
            )


def _brief(row: asyncpg.Record) -> JobBrief:
    return JobBrief(**{**row, "state": JobState(row["state"])})


def _view(row: asyncpg.Record) -> JobView:
    return JobView(**{**row, "state": JobState(row["state"])})
