"""The SQL of control: instructions, paused types, failures by cause."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.jobs.models import JobState
from shared.contracts.control import Control
from shared.db.pool import Connection

ADD_ABOUT_JOBS: Final = """
    INSERT INTO jobs.controls (kind, job_id, fence) SELECT $1, * FROM unnest($2::uuid[], $3::int[])
"""
ADD: Final = """
    INSERT INTO jobs.controls (kind, job_type, job_id, fence, worker, cause) VALUES ($1, $2, $3, $4, $5, $6)
"""
ADD_TYPE: Final = "INSERT INTO jobs.controls (kind, job_type) VALUES ($1, $2)"
PAUSE: Final = "INSERT INTO jobs.paused_types (type, actor) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING type"
RESUME: Final = "DELETE FROM jobs.paused_types WHERE type = $1 RETURNING type"
PAUSED: Final = "SELECT type, since, actor FROM jobs.paused_types ORDER BY type"
ONE_SENDER: Final = "SELECT pg_try_advisory_xact_lock($1)"
UNPUBLISHED: Final = """
    SELECT seq, kind, job_type, job_id, fence, issued_at, worker, cause FROM jobs.controls
    WHERE published_at IS NULL ORDER BY seq LIMIT $1
"""
MARK_PUBLISHED: Final = "UPDATE jobs.controls SET published_at = now() WHERE seq = ANY($1::bigint[])"
SEND_AGAIN: Final = """
    -- The stream may be another one now: everything it would still hold goes out again, in its order.
    UPDATE jobs.controls SET published_at = NULL WHERE issued_at > now() - interval '48 hours'
"""
STILL_MEANT: Final = """
    -- Cancelled and superseded jobs of the last ten minutes that are not over: their copies may still come.
    SELECT c.kind, c.job_id, c.fence, c.issued_at FROM jobs.controls c JOIN jobs.jobs j ON j.id = c.job_id
    WHERE c.kind IN ('cancel', 'superseded') AND c.issued_at > now() - interval '10 minutes'
      AND j.finished_at IS NULL
    ORDER BY c.seq DESC LIMIT $1
"""
FORGET: Final = "DELETE FROM jobs.controls WHERE issued_at < now() - interval '48 hours' AND published_at IS NOT NULL"
_CAUSE: Final = """regexp_replace(regexp_replace(left(error_message, 300),
                   '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', '<id>', 'g'),
                   '[0-9]+(\\.[0-9]+)?', '<n>', 'g')"""
"""A job's error without its numbers and ids."""
GROUPS: Final = f"""
    -- Of the newest failed jobs: the same error with other numbers and ids is one cause.
    SELECT type, error_class, cause, count(*) AS jobs, min(finished_at) AS first_seen, max(finished_at) AS last_seen,
           (array_agg(id ORDER BY finished_at DESC))[1] AS example
    FROM (
        SELECT id, type, error_class, finished_at, {_CAUSE} AS cause
        FROM jobs.jobs WHERE state = 'failed' ORDER BY finished_at DESC LIMIT $1
    ) failed
    GROUP BY type, error_class, cause ORDER BY jobs DESC, last_seen DESC LIMIT 200
"""  # noqa: S608 - constants
FAILED: Final = """
    -- Which failed jobs a bulk retry means, oldest first; every filter may be null.
    SELECT id FROM jobs.jobs
    WHERE state = 'failed' AND ($1::text IS NULL OR type = $1) AND ($2::text IS NULL OR error_class = $2)
      AND ($3::timestamptz IS NULL OR finished_at >= $3)
    ORDER BY finished_at LIMIT $4
"""
FAILED_OF_CAUSE: Final = f"""
    -- The same of one cause, among as many of the newest as the groups are made of: no index knows a cause.
    SELECT id FROM (
        SELECT id, finished_at, {_CAUSE} AS cause FROM jobs.jobs
        WHERE state = 'failed' AND ($1::text IS NULL OR type = $1) AND ($2::text IS NULL OR error_class = $2)
          AND ($3::timestamptz IS NULL OR finished_at >= $3)
        ORDER BY finished_at DESC LIMIT $6
    ) newest WHERE cause = $5 ORDER BY finished_at LIMIT $4
"""  # noqa: S608
STATES: Final = """
    -- How many of these jobs are in which state.
    SELECT state, count(*) AS jobs FROM jobs.jobs WHERE id = ANY($1::uuid[]) GROUP BY state
"""
_SENDER_KEY: Final = 0xC047
GROUPED_JOBS: Final = 10_000


@dataclass(frozen=True, slots=True)
class PausedType:
    """A type nobody works for now."""

    type: str
    since: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed jobs of one cause; `example` is the newest of them."""

    type: str
    error_class: str | None
    cause: str | None
    jobs: int
    first_seen: datetime
    last_seen: datetime
    example: UUID


@dataclass(frozen=True, slots=True)
class FailedFilter:
    """Which failed jobs a bulk retry means; None means any."""

    type: str | None = None
    error_class: str | None = None
    cause: str | None = None
    since: datetime | None = None


class ControlStore:
    """The tables of control."""

    async def add(self, conn: Connection, control: Control) -> None:
        """Have workers told this, within a second of the commit."""
        await conn.execute(
            ADD, control.kind, control.job_type, control.job_id, control.fence, control.worker, control.cause
        )

    async def add_cancels(self, conn: Connection, jobs: Sequence[tuple[UUID, int]]) -> None:
        """Tell workers to drop these (id, fence)."""
        await conn.execute(ADD_ABOUT_JOBS, "cancel", [id_ for id_, _ in jobs], [fence for _, fence in jobs])

    async def add_superseded(self, conn: Connection, jobs: Sequence[tuple[UUID, int]]) -> None:
        """Tell workers that these (id, fence) were published again: older copies are not to be run."""
        await conn.execute(ADD_ABOUT_JOBS, "superseded", [id_ for id_, _ in jobs], [fence for _, fence in jobs])

    async def still_meant(self, conn: Connection, limit: int) -> list[Control]:
        """Newest instructions about jobs that are not over yet."""
        return [Control.model_validate(dict(row)) for row in await conn.fetch(STILL_MEANT, limit)]

    async def pause(self, conn: Connection, job_type: str, actor: str) -> bool:
        """Pause a type; False when it was."""
        if await conn.fetchval(PAUSE, job_type, actor) is None:
            return False
        await conn.execute(ADD_TYPE, "pause", job_type)
        return True

    async def resume(self, conn: Connection, job_type: str) -> bool:
        """Resume a type; False when it was not paused."""
        if await conn.fetchval(RESUME, job_type) is None:
            return False
        await conn.execute(ADD_TYPE, "resume", job_type)
        return True

    async def paused(self, conn: Connection) -> list[PausedType]:
        """The types that are paused."""
        return [PausedType(**row) for row in await conn.fetch(PAUSED)]

    async def is_sender(self, conn: Connection) -> bool:
        """Whether this transaction alone may send: instructions keep their order over all ledger processes."""
        return bool(await conn.fetchval(ONE_SENDER, _SENDER_KEY))

    async def unpublished(self, conn: Connection, limit: int) -> list[tuple[int, Control]]:
        """Instructions to send, in order, with their row's number."""
        return [(row["seq"], _control(dict(row))) for row in await conn.fetch(UNPUBLISHED, limit)]

    async def mark_published(self, conn: Connection, seqs: Sequence[int]) -> None:
        """The stream has them."""
        await conn.execute(MARK_PUBLISHED, seqs)

    async def send_again(self, conn: Connection) -> None:
        """Have everything of the last 48 hours sent once more."""
        await conn.execute(FORGET)
        await conn.execute(SEND_AGAIN)

    async def groups(self, conn: Connection) -> list[FailureGroup]:
        """The newest 10,000 failed jobs by cause, the most frequent first."""
        return [FailureGroup(**row) for row in await conn.fetch(GROUPS, GROUPED_JOBS)]

    async def failed(self, conn: Connection, where: FailedFilter, limit: int) -> list[UUID]:
        """Failed jobs that fit, oldest first."""
        filters = (where.type, where.error_class, where.since, limit)
        if where.cause is None:
            found = await conn.fetch(FAILED, *filters)
        else:
            found = await conn.fetch(FAILED_OF_CAUSE, *filters, where.cause, GROUPED_JOBS)
        return [row["id"] for row in found]

    async def states(self, conn: Connection, ids: Sequence[UUID]) -> dict[JobState, int]:
        """In which states these jobs are; those that are not kept are not counted."""
        return {JobState(row["state"]): row["jobs"] for row in await conn.fetch(STATES, ids)}


def _control(row: dict[str, object]) -> Control:
    row.pop("seq")
    return Control.model_validate(row)
