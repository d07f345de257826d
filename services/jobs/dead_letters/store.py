"""The SQL of dead letters."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from services.jobs.dead_letters.models import Letter, LetterFilter, NewLetter
from shared.db.pool import Connection
from shared.ids import new_id

KEEP: Final = """
    -- Store dead messages. One that is delivered again is known by its digest; a new one that is the same to the byte
    -- is counted.
    INSERT INTO jobs.dead_letters AS d (id, digest, queue, kind, type, message_id, job_id, attempt, reason, parked_by,
                                        properties, body, copies)
    SELECT n.id, n.digest, n.queue, n.kind, n.type, n.message_id, n.job_id, n.attempt, n.reason, n.parked_by,
           n.properties::jsonb, n.body, 1
    FROM unnest($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::int[],
                $9::text[], $10::text[], $11::text[], $12::bytea[])
         AS n(id, digest, queue, kind, type, message_id, job_id, attempt, reason, parked_by, properties, body)
    ORDER BY n.digest
    ON CONFLICT (digest) DO UPDATE SET seen_at = now(),
        copies = d.copies + CASE WHEN d.digest = ANY ($13::bytea[]) THEN 0 ELSE 1 END
"""
_COLUMNS: Final = """d.id, d.queue, d.kind, d.type, d.message_id, d.job_id, j.state AS job_state, d.attempt, d.reason,
    d.parked_by, d.copies, d.stored_at, d.seen_at, d.properties, d.body, d.replay_at"""
_FITS: Final = """($2::text IS NULL OR d.type = $2) AND ($3::text IS NULL OR d.queue = $3)
      AND ($4::text IS NULL OR d.kind = $4) AND ($5::text IS NULL OR d.reason = $5)
      AND ($6::uuid IS NULL OR d.job_id = $6) AND ($7::timestamptz IS NULL OR d.stored_at < $7)"""
LIST: Final = f"""
    -- Newest first, from before the cursor's id; every filter may be null.
    SELECT {_COLUMNS} FROM jobs.dead_letters d LEFT JOIN jobs.jobs j ON j.id = d.job_id
    WHERE ($1::uuid IS NULL OR d.id < $1) AND {_FITS}
    ORDER BY d.id DESC LIMIT $8
"""  # noqa: S608 - constants
GET: Final = f"""
    SELECT {_COLUMNS} FROM jobs.dead_letters d LEFT JOIN jobs.jobs j ON j.id = d.job_id WHERE d.id = $1
"""  # noqa: S608
REPLAYABLE: Final = f"""
    -- Of the letters that fit, oldest first: failed or cancelled jobs to retry, and messages to put back.
    SELECT d.id, d.kind, d.job_id FROM jobs.dead_letters d LEFT JOIN jobs.jobs j ON j.id = d.job_id
    WHERE ($1::uuid IS NULL OR d.id < $1) AND {_FITS} AND d.replay_at IS NULL
      AND (j.state IN ('failed', 'cancelled') OR d.kind <> 'job')
    ORDER BY d.id LIMIT $8
"""  # noqa: S608
COUNT: Final = f"SELECT count(*) FROM jobs.dead_letters d WHERE ($1::uuid IS NULL OR d.id < $1) AND {_FITS}"  # noqa: S608
PURGE: Final = f"""
    -- A batch of those that fit; the broker's queues have them no more.
    DELETE FROM jobs.dead_letters WHERE id IN (
        SELECT d.id FROM jobs.dead_letters d WHERE ($1::uuid IS NULL OR d.id < $1) AND {_FITS} ORDER BY d.id LIMIT $8
    )
"""  # noqa: S608
DROP: Final = "DELETE FROM jobs.dead_letters WHERE id = $1 RETURNING id"
DROP_OF_JOBS: Final = "DELETE FROM jobs.dead_letters WHERE job_id = ANY($1::uuid[])"
ASK_BACK: Final = """
    -- Have the ledger process put these back into their queues.
    UPDATE jobs.dead_letters SET replay_at = now() WHERE id = ANY($1::uuid[]) AND replay_at IS NULL RETURNING id
"""
TO_PUT_BACK: Final = f"""
    -- What is to go back, held for as long as a publish may take.
    WITH held AS (
        UPDATE jobs.dead_letters SET replay_at = now() + interval '30 seconds'
        WHERE id IN (SELECT id FROM jobs.dead_letters WHERE replay_at <= now() ORDER BY replay_at LIMIT $1
                     FOR UPDATE SKIP LOCKED)
        RETURNING *
    )
    SELECT {_COLUMNS} FROM held d LEFT JOIN jobs.jobs j ON false
"""  # noqa: S608
PUT_BACK: Final = """
    -- It is in its queue again. One that has died once more meanwhile stays.
    DELETE FROM jobs.dead_letters WHERE id = $1 AND seen_at = $2
"""
NOT_REPLAYED: Final = "UPDATE jobs.dead_letters SET replay_at = NULL WHERE id = $1"
FORGET: Final = """
    -- The oldest beyond what is kept, and what is older than a failed job can be.
    DELETE FROM jobs.dead_letters WHERE stored_at < now() - $1 * interval '1 day'
       OR id <= (SELECT id FROM jobs.dead_letters ORDER BY id DESC OFFSET $2 LIMIT 1)
"""


class LetterStore:
    """The table of dead letters."""

    async def keep(self, conn: Connection, letters: Sequence[NewLetter], properties: Sequence[str]) -> None:
        """Store letters, each digest once; `properties` are theirs as JSON. Safe to do twice."""
        await conn.execute(
            KEEP,
            [new_id() for _ in letters],
            [each.digest for each in letters],
            [each.queue for each in letters],
            [each.kind for each in letters],
            [each.type for each in letters],
            [each.message_id for each in letters],
            [each.job_id for each in letters],
            [each.attempt for each in letters],
            [each.reason for each in letters],
            [each.parked_by for each in letters],
            properties,
            [each.body for each in letters],
            [each.digest for each in letters if each.is_redelivered],
        )

    async def page(self, conn: Connection, where: LetterFilter, *, before: UUID | None, limit: int) -> list[Letter]:
        """A page of letters, newest first."""
        return [Letter(**row) for row in await conn.fetch(LIST, before, *_values(where), limit)]

    async def get(self, conn: Connection, letter_id: UUID) -> Letter | None:
        """One letter."""
        row = await conn.fetchrow(GET, letter_id)
        return None if row is None else Letter(**row)

    async def replayable(
        self, conn: Connection, where: LetterFilter, limit: int
    ) -> tuple[dict[UUID, list[UUID]], list[UUID]]:
        """What a replay of those that fit can do: jobs to retry with their letters, and letters to put back."""
        jobs: dict[UUID, list[UUID]] = {}
        messages: list[UUID] = []
        for row in await conn.fetch(REPLAYABLE, None, *_values(where), limit):
            if row["kind"] == "job":
                jobs.setdefault(row["job_id"], []).append(row["id"])
            else:
                messages.append(row["id"])
        return jobs, messages

    async def count(self, conn: Connection, where: LetterFilter) -> int:
        """How many fit."""
        return int(await conn.fetchval(COUNT, None, *_values(where)))

    async def purge(self, conn: Connection, where: LetterFilter, limit: int) -> int:
        """Delete up to `limit` of those that fit, oldest first; returns how many."""
        return int((await conn.execute(PURGE, None, *_values(where), limit)).split()[-1])

    async def drop(self, conn: Connection, letter_id: UUID) -> bool:
        """Delete one; False when it is gone already."""
        return await conn.fetchval(DROP, letter_id) is not None

    async def drop_of_jobs(self, conn: Connection, job_ids: Sequence[UUID]) -> None:
        """Delete the copies of jobs that go round again."""
        await conn.execute(DROP_OF_JOBS, job_ids)

    async def ask_back(self, conn: Connection, letter_ids: Sequence[UUID]) -> int:
        """Have these put back into their queues; returns how many were not asked for yet."""
        return len(await conn.fetch(ASK_BACK, letter_ids))

    async def to_put_back(self, conn: Connection, limit: int) -> list[Letter]:
        """Take letters that are to go back into their queues."""
        return [Letter(**row) for row in await conn.fetch(TO_PUT_BACK, limit)]

    async def put_back(self, conn: Connection, letter: Letter) -> None:
        """The broker has confirmed it; one that died again meanwhile stays in the list."""
        await conn.execute(PUT_BACK, letter.id, letter.seen_at)
        await conn.execute(NOT_REPLAYED, letter.id)

    async def forget(self, conn: Connection, *, days: int, keep: int) -> None:
        """Hold the table to `days` and to `keep` rows."""
        await conn.execute(FORGET, days, keep)


def _values(where: LetterFilter) -> tuple[object, ...]:
    return where.type, where.queue, where.kind, where.reason, where.job_id, where.until
