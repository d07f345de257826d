"""Reports of completed attempts, recorded while others change the same rows."""

import asyncio

from services.jobs.models import Order, new_job
from services.jobs.partitions import Partitions
from services.jobs.parts import make_ledger
from services.jobs.store import in_ledger
from shared.clock import utc_now
from shared.contracts import jobs
from shared.contracts.reports import AttemptReport, Outcome
from shared.db.pool import Connection, Pool
from shared.ids import new_id
from tests.eventually import eventually

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def test_a_job_that_is_being_marked_as_published_is_completed_after_it(pool: Pool) -> None:
    """The usual race of a quick job: its report is there before the mark of its own publish is committed."""
    made = [
        new_job(Order(jobs.CleanupCache(), target=f"{n}"), cause=new_id(), cause_type="test", caused_at=utc_now())
        for n in range(5)
    ]
    ledger = make_ledger()
    await Partitions(pool, utc_now).ensure_for([job.id for job in made])
    await in_ledger(pool, lambda conn: ledger.insert(conn, made))
    reports = [
        AttemptReport(
            job_id=job.id,
            job_type=job.type,
            attempt=1,
            fence=1,
            outcome=Outcome.COMPLETED,
            worker="w",
            started_at=utc_now(),
            run_ms=1,
        )
        for job in made
    ]

    async def complete(conn: Connection) -> None:
        await ledger.complete(conn, reports, now=utc_now(), tell_cause_type="x")

    for _ in range(7):  # the server settles on a general plan after five
        async with pool.acquire() as marking, marking.transaction():
            await marking.execute("UPDATE jobs.jobs SET state = 'pending', finished_at = NULL")
        async with pool.acquire() as marking, marking.transaction():
            await marking.execute("UPDATE jobs.jobs SET published_at = now()")
            completing = asyncio.create_task(in_ledger(pool, complete))
            await eventually(lambda: pool.fetchval(WAITING))
        await completing
    assert await pool.fetchval("SELECT count(*) FROM jobs.jobs WHERE state = 'completed'") == len(made)
