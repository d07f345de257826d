"""The SQL of quarantine."""

from typing import Final
from uuid import UUID

from shared.db.pool import Connection

SUSPECT: Final = """
    -- Count what a crash adds; a mere suspicion adds nothing.
    INSERT INTO jobs.suspects AS s (job_id, crashes) VALUES ($1, $2)
    ON CONFLICT (job_id) DO UPDATE SET crashes = s.crashes + excluded.crashes, at = now()
    RETURNING crashes
"""
COUNT_ANEW: Final = """
    -- Parked: retried by hand it is a suspect still, and has its crashes before it again.
    UPDATE jobs.suspects SET crashes = 0 WHERE job_id = $1
"""
IN_FORCE: Final = """
    -- Suspects that may still run, with the fence of their copies.
    SELECT s.job_id, j.fence FROM jobs.suspects s JOIN jobs.jobs j ON j.id = s.job_id
    WHERE j.finished_at IS NULL ORDER BY s.at DESC LIMIT $1
"""
FORGET: Final = "DELETE FROM jobs.suspects WHERE at < now() - interval '30 days'"


class SuspectStore:
    """The table of suspects; written in the transaction that records the crash."""

    async def suspect(self, conn: Connection, job_id: UUID, *, is_counted: bool) -> int:
        """Note a crash that a job was in; returns how many were its alone."""
        return int(await conn.fetchval(SUSPECT, job_id, int(is_counted)))

    async def count_anew(self, conn: Connection, job_id: UUID) -> None:
        """Begin the count of a parked job again."""
        await conn.execute(COUNT_ANEW, job_id)

    async def in_force(self, conn: Connection, limit: int) -> list[tuple[UUID, int]]:
        """(job, fence) of suspects that are not over, the newest first."""
        await conn.execute(FORGET)
        return [(row["job_id"], row["fence"]) for row in await conn.fetch(IN_FORCE, limit)]
