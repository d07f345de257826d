"""`cleanup-jobs` among writers and readers: what it deletes, what it counts, and how long anybody waits for it."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest

from services.jobs.models import JobState, NewJob, Order, new_job
from services.jobs.partitions import Partitions
from services.jobs.parts import make_ledger, make_recorder
from services.jobs.pruner import PATIENCE_MS, Pruner
from services.jobs.store import in_ledger
from shared.clock import utc_now
from shared.contracts import jobs
from shared.contracts.reports import AttemptReport, Outcome
from shared.db.pool import Pool, connection, transaction
from shared.ids import new_id
from tests.integration.jobs.recording import delivered
from tests.integration.jobs.test_ledger import counted

KEEP_DAYS = {JobState.COMPLETED: 7, JobState.CANCELLED: 7, JobState.FAILED: 30}
FILL = """
    -- Ended jobs of one day, made and done within its first hours, each with a line of history.
    WITH made AS (
        INSERT INTO jobs.jobs (id, type, priority, state, max_attempts, timeout_ms, payload, target, caused_at,
                               created_at, published_at, finished_at)
        SELECT (lpad(to_hex((extract(epoch FROM $1::date)::bigint + n) * 1000), 12, '0')
                || '7000' || CASE $2 WHEN 'failed' THEN '9' ELSE '8' END || lpad(to_hex(n), 15, '0'))::uuid,
               'check-low-stock', 2, $2, 3, 60000, '{}', 't', $1::date, $1::date, $1::date,
               $1::date + interval '3 hours'
        FROM generate_series(1, $3) AS n
        RETURNING id
    ), kept AS (
        INSERT INTO jobs.history (job_id, state, outcome) SELECT id, $2, $2 FROM made
    )
    INSERT INTO jobs.counters AS c (type, state, shard, n) VALUES ('check-low-stock', $2, 0, $3)
    ON CONFLICT (type, state, shard) DO UPDATE SET n = c.n + excluded.n
"""


async def fill(pool: Pool, *, days_ago: int, state: str, jobs: int) -> None:
    """Have so many jobs of a day in a state."""
    day = (utc_now() - timedelta(days=days_ago)).date()
    await Partitions(pool, utc_now).ensure([day])
    async with connection(pool) as conn:
        await conn.execute(FILL, day, state, jobs)


async def days_of(pool: Pool, *days_ago: int) -> list[bool]:
    """Whether the days' tables are there."""
    names = [f"jobs.jobs_{utc_now() - timedelta(days=ago):%Y%m%d}" for ago in days_ago]
    return [await pool.fetchval("SELECT to_regclass($1) IS NOT NULL", name) for name in names]


MakePruner = Callable[..., Pruner]


@pytest.fixture
def make(pool: Pool) -> MakePruner:
    def make(**rest: float) -> Pruner:
        return Pruner(pool, make_ledger(), Partitions(pool, utc_now), KEEP_DAYS, utc_now, **rest)

    return make


async def clean(pruner: Pruner) -> object:
    return await pruner.cleanup_jobs(jobs.CleanupJobs(), None)  # type: ignore[arg-type]


def a_job() -> NewJob:
    return new_job(
        Order(jobs.CheckLowStock(), target=str(new_id())), cause=new_id(), cause_type="x", caused_at=utc_now()
    )


def done(job: NewJob, outcome: Outcome = Outcome.COMPLETED) -> AttemptReport:
    return AttemptReport(
        job_id=job.id, job_type=job.type, attempt=1, fence=1, outcome=outcome, worker="w", started_at=utc_now()
    )


async def test_days_of_which_nothing_is_kept_are_dropped_whole(pool: Pool, make: MakePruner) -> None:
    await fill(pool, days_ago=40, state="failed", jobs=300)
    await fill(pool, days_ago=20, state="completed", jobs=500)
    await fill(pool, days_ago=10, state="completed", jobs=400)
    await fill(pool, days_ago=3, state="completed", jobs=100)
    await fill(pool, days_ago=10, state="failed", jobs=1)  # kept for a month, and its day with it
    assert await clean(make()) == {
        "deleted": {"completed": 900, "cancelled": 0, "failed": 300},
        "days_dropped": 2,
        "tombstones_forgotten": 0,
        "is_finished": True,
    }
    assert await counted(pool) == {"completed": 100, "failed": 1}
    assert await pool.fetchval("SELECT count(*) FROM jobs.history") == 101
    assert await pool.fetchval("SELECT count(*) FROM jobs.tombstones") == 400  # those that went row by row
    assert await days_of(pool, 40, 20, 10, 3) == [False, False, True, True]


async def test_nobody_waits_long_while_many_jobs_are_deleted(pool: Pool, make: MakePruner) -> None:
    await fill(pool, days_ago=9, state="completed", jobs=10_000)
    await fill(pool, days_ago=20, state="completed", jobs=10_000)
    await fill(pool, days_ago=20, state="failed", jobs=1)  # of this day the others go row by row
    ledger = make_ledger()
    recorder = make_recorder(pool, ledger)
    await Partitions(pool, utc_now).run_once()
    is_over = asyncio.Event()
    longest_ms = 0.0
    written = 0

    async def write() -> None:
        nonlocal longest_ms, written
        while not is_over.is_set():
            job = a_job()
            began = time.monotonic()
            await in_ledger(pool, lambda conn, job=job: ledger.insert(conn, [job]))  # type: ignore[misc]
            await recorder.handle([delivered([done(job)])])
            longest_ms = max(longest_ms, (time.monotonic() - began) * 1000)
            written += 1

    async def read_for_a_while() -> None:
        """Reads in one transaction for longer than a drop has patience."""
        async with transaction(pool) as conn:
            await conn.fetchval("SELECT count(*) FROM jobs.jobs")
            await asyncio.sleep(PATIENCE_MS / 1000 * 3)

    async def delete() -> object:
        try:
            return await clean(make())
        finally:
            is_over.set()

    _, result, _, _ = await asyncio.gather(read_for_a_while(), delete(), write(), write())
    assert result == {
        "deleted": {"completed": 20_000, "cancelled": 0, "failed": 0},
        "days_dropped": 1,
        "tombstones_forgotten": 0,
        "is_finished": True,
    }
    assert await counted(pool) == {"completed": written, "failed": 1}
    assert written > 10
    assert longest_ms < 4 * 500


async def test_killed_anywhere_counters_and_jobs_agree(pool: Pool, make: MakePruner) -> None:
    random = Random(20261124)
    for days_ago in (8, 9, 20):
        await fill(pool, days_ago=days_ago, state="completed", jobs=3000)
    await fill(pool, days_ago=9, state="failed", jobs=1)
    for _ in range(12):
        cleaning = asyncio.ensure_future(clean(make()))
        await asyncio.wait([cleaning], timeout=random.uniform(0, 0.15))
        cleaning.cancel()
        await asyncio.gather(cleaning, return_exceptions=True)
        await counted(pool)
    await asyncio.gather(*(clean(make()) for _ in range(2)))  # two at once, too
    assert await counted(pool) == {"failed": 1}


async def test_what_does_not_fit_into_the_time_is_left_for_the_next_one(pool: Pool, make: MakePruner) -> None:
    await fill(pool, days_ago=9, state="completed", jobs=10)
    await pool.execute(
        "INSERT INTO jobs.tombstones SELECT gen_random_uuid(), now() - interval '3 days' FROM generate_series(1, 2500)"
    )
    result = await clean(make(seconds=0.0))
    assert isinstance(result, dict)
    assert (result["is_finished"], result["tombstones_forgotten"]) == (False, 0)
    result = await clean(make())
    assert isinstance(result, dict)
    assert (result["is_finished"], result["tombstones_forgotten"]) == (True, 2500)


async def test_a_job_retried_in_the_last_moment_is_not_dropped(pool: Pool, make: MakePruner) -> None:
    """Between counting the day and having it alone, a person sends one of its failed jobs round again."""
    await fill(pool, days_ago=40, state="failed", jobs=3)
    ledger = make_ledger()
    job_id = await pool.fetchval("SELECT id FROM jobs.jobs LIMIT 1")
    async with transaction(pool) as conn:
        [job] = (await ledger.lock(conn, [job_id])).values()
        cleaning = asyncio.ensure_future(clean(make()))
        await asyncio.sleep(PATIENCE_MS / 2000)  # within its patience
        await ledger.reopen(conn, job, attempts=3, actor="test")
    await cleaning
    assert await counted(pool) == {"pending": 1}
    assert await pool.fetchval("SELECT id FROM jobs.jobs") == job_id
