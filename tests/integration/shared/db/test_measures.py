"""Hours are told once, by whoever looks first, also those that passed while nobody looked."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest

from services.catalog.monitoring import sampling
from services.catalog.monitoring import store as monitoring
from services.catalog.monitoring.models import Sample
from services.jobs.measures import store as jobs
from services.jobs.partitions import Partitions
from services.notifier import measures as notifier
from shared.contracts.events import Measure, MeasuresRecorded
from shared.db.measures import LOOKS_BACK, Measuring
from shared.db.pool import Connection, Pool, open_pool
from shared.ids import id_at, new_id
from tests.servers import Database

HOUR = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    async with open_pool(database.url("jobs"), name="test") as opened:
        yield opened


async def one_job(_: Connection, begun: datetime, ended: datetime) -> list[Measure]:
    assert ended - begun == timedelta(hours=1)
    return [Measure(name="jobs_completed", label=f"at {begun:%H}", count=1)]


def measuring(pool: Pool, now: datetime) -> Measuring:
    return Measuring(pool, one_job, schema="jobs", clock=lambda: now)


async def told(pool: Pool) -> list[MeasuresRecorded]:
    rows = await pool.fetch("SELECT body FROM jobs.outbox WHERE type = 'measures.recorded' ORDER BY seq")
    return [MeasuresRecorded.model_validate_json(orjson.dumps(orjson.loads(row["body"])["data"])) for row in rows]


async def test_an_hour_is_told_once_it_is_over(pool: Pool) -> None:
    assert await measuring(pool, HOUR + timedelta(minutes=59)).run_once() == 1  # the one before: nothing is known yet
    part = measuring(pool, HOUR + timedelta(hours=1, seconds=6))
    assert [await part.run_once() for _ in range(3)] == [1, 0, 0]
    assert [(each.hour.hour, each.measures[0].label) for each in await told(pool)] == [(8, "at 08"), (9, "at 09")]


async def test_of_many_that_look_at_once_one_tells(pool: Pool) -> None:
    parts = [measuring(pool, HOUR + timedelta(minutes=1)) for _ in range(5)]
    assert sum(await asyncio.gather(*(part.run_once() for part in parts))) == 1
    assert len(await told(pool)) == 1


async def test_hours_that_nobody_saw_are_told_later(pool: Pool) -> None:
    await measuring(pool, HOUR).run_once()
    assert await measuring(pool, HOUR + timedelta(hours=5, minutes=30)).run_once() == 6
    assert [each.hour.hour for each in await told(pool)] == [7, 8, 9, 10, 11, 12, 13]
    assert await measuring(pool, HOUR + timedelta(days=30)).run_once() == LOOKS_BACK / timedelta(hours=1)


async def test_an_hour_whose_measuring_fails_is_told_the_next_time(pool: Pool) -> None:
    async def broken(conn: Connection, *_: datetime) -> list[Measure]:
        await conn.execute("SELECT 1 / 0")
        return []

    part = Measuring(pool, broken, schema="jobs", clock=lambda: HOUR)
    with pytest.raises(Exception, match="division by zero"):
        await part.run_once()
    assert await told(pool) == []
    assert await measuring(pool, HOUR).run_once() == 1


def counts(measures: list[Measure]) -> dict[tuple[str, str], tuple[int, int, int]]:
    return {(each.name, each.label): (each.count, each.total, each.most) for each in measures}


ADD_JOB = """
    INSERT INTO jobs.jobs (id, type, priority, state, max_attempts, timeout_ms, payload, target, caused_at, created_at,
                           run_at, started_at, finished_at, run_ms, error_class)
    VALUES ($1, $2, 3, $3, 3, 1000, '{}', '', $4, $4, $5, $6, $7, $8, $9)
"""


async def test_what_the_ledger_measures(pool: Pool) -> None:
    await Partitions(pool, lambda: HOUR).ensure_for([id_at(HOUR)])

    async def add(
        kind: str, state: str, *, wait: int, run: int, at: datetime, due: int = 0, why: str | None = None
    ) -> None:
        begun = at + timedelta(seconds=due + wait)
        run_at = at + timedelta(seconds=due) if due else None
        row_id = UUID(int=id_at(HOUR).int + new_id().int % 2**80)
        await pool.execute(
            ADD_JOB, row_id, kind, state, at, run_at, begun, begun + timedelta(seconds=run), run * 1000, why
        )

    await add("send-email", "completed", wait=2, run=1, at=HOUR)
    await add("send-email", "completed", wait=4, run=3, at=HOUR, due=600)  # from when it was due
    await add("send-email", "failed", wait=1, run=1, at=HOUR, why="MailboxRejected")
    await add("send-email", "completed", wait=1, run=1, at=HOUR + timedelta(hours=1))  # of the next hour
    async with pool.acquire() as conn:
        found = counts(await jobs.measures(conn, HOUR, HOUR + timedelta(hours=1)))
    assert found == {
        ("jobs_completed", "send-email"): (2, 0, 0),
        ("jobs_failed", "send-email"): (1, 0, 0),
        ("completed_wait_ms", "send-email"): (2, 6000, 4000),
        ("completed_run_ms", "send-email"): (2, 4000, 3000),
        ("failed_wait_ms", "send-email"): (1, 1000, 1000),
        ("failed_run_ms", "send-email"): (1, 1000, 1000),
        ("job_failures", "send-email MailboxRejected"): (1, 0, 0),
    }


async def test_what_the_notifier_measures(database: Database) -> None:
    async with open_pool(database.url("notifier"), name="test") as pool, pool.acquire() as conn:
        for outcome, minutes in (("sent", 0), ("sent", 59), ("refused", 30), ("sent", 60)):
            await conn.execute(
                "INSERT INTO notifier.deliveries VALUES ($1, $1, 'm', $2, '250', $3)",
                new_id(),
                outcome,
                HOUR + timedelta(minutes=minutes),
            )
        found = counts(await notifier.measures(conn, HOUR, HOUR + timedelta(hours=1)))
    assert found == {("mails_sent", ""): (2, 0, 0), ("mails_refused", ""): (1, 0, 0)}


async def test_what_gateways_saw_is_added_up(database: Database) -> None:
    async with open_pool(database.url("catalog"), name="test") as pool, pool.acquire() as conn:
        for score, hits in ((100, 7), (40, 5)):
            samples = [Sample("health", "", 1, score), Sample("cache_hits", "product", hits)]
            await monitoring.add_samples(conn, HOUR, samples)
        await monitoring.add_samples(conn, HOUR + timedelta(hours=1), [Sample("health", "", 1, 1)])
        measures = list(await sampling.measures(conn, HOUR, HOUR + timedelta(hours=1)))
    assert [each for each in measures if each.name == "health"] == [
        Measure(name="health", count=2, total=140, least=40, most=100)
    ]
    assert counts(measures)["cache_hits", "product"] == (12, 0, 0)
