"""What the ledger does with events and reports that come twice, together, late, or unreadable."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from pamqp.commands import Basic

from services.jobs.listing.store import ListFilter
from services.jobs.models import JobState, Order, new_job
from services.jobs.partitions import Partitions
from services.jobs.parts import make_ledger, make_pruner, make_recorder
from services.jobs.settings import Settings
from services.jobs.store import in_ledger
from services.jobs.usecases import JobRequest, JobsDesk
from shared.clock import utc_now
from shared.contracts import events, jobs
from shared.contracts.reports import AttemptReport, Outcome
from shared.db.pool import Pool
from shared.errors import Unavailable
from shared.ids import new_id
from shared.messaging.attempt import Attempt
from shared.web.identity import Identity, Role
from tests.eventually import eventually
from tests.integration.jobs.conftest import Marketplace
from tests.integration.jobs.recording import delivered
from tests.integration.jobs.test_path import in_state, submitted

ADMIN = Identity(new_id(), Role.ADMIN)


def image_added() -> events.ImageAdded:
    return events.ImageAdded(vendor_id=new_id(), image_id=new_id(), product_id=new_id(), source="blob:x")


async def counted(pool: Pool) -> dict[str, int]:
    """Counters by state, after comparing them with the rows."""
    kept = {
        row["state"]: row["n"]
        for row in await pool.fetch("SELECT state, sum(n)::int AS n FROM jobs.counters GROUP BY 1 HAVING sum(n) <> 0")
    }
    there = {
        row["state"]: row["n"] for row in await pool.fetch("SELECT state, count(*)::int AS n FROM jobs.jobs GROUP BY 1")
    }
    assert kept == there
    return kept


async def test_an_event_twice_in_one_batch_makes_its_jobs_once(marketplace: Marketplace, pool: Pool) -> None:
    event, event_id = submitted(), new_id()
    await asyncio.gather(*(marketplace.publish(event, event_id=event_id) for _ in range(20)))
    marker = await marketplace.publish(submitted())
    await in_state(marketplace, marker, JobState.PENDING)
    assert len(await marketplace.jobs_of(event_id)) == 2
    assert await counted(pool) == {"pending": 4}


async def test_two_slots_in_one_batch_obey_the_overlap_rule(pool: Pool, marketplace: Marketplace) -> None:
    def due(minute: int) -> events.ScheduleDue:
        at = datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
        return events.ScheduleDue(entry="check-low-stock", job_type="check-low-stock", payload={}, due_at=at)

    # Many at once, so that the ledger meets several in one batch.
    await asyncio.gather(*(marketplace.publish(due(minute)) for minute in range(30)))
    marker = await marketplace.publish(submitted())
    await in_state(marketplace, marker, JobState.PENDING)
    assert await pool.fetchval("SELECT count(*) FROM jobs.jobs WHERE type = 'check-low-stock'") == 1
    answers = await pool.fetch(
        "SELECT body::jsonb->'data'->>'outcome' AS outcome FROM jobs.outbox WHERE type = 'job.finished'"
    )
    assert sorted(row["outcome"] for row in answers) == ["skipped"] * 29 + ["started"]


async def test_reports_that_come_twice_count_once(pool: Pool, settings: Settings) -> None:
    ledger, partitions = make_ledger(), Partitions(pool, utc_now)
    job = new_job(Order(jobs.CheckLowStock(), target="t"), cause=new_id(), cause_type="x", caused_at=utc_now())
    await partitions.ensure_for([job.id])
    await in_ledger(pool, lambda conn: ledger.insert(conn, [job]))
    report = AttemptReport(
        job_id=job.id,
        job_type=job.type,
        attempt=1,
        fence=1,
        outcome=Outcome.COMPLETED,
        worker="w",
        started_at=utc_now(),
    )
    recorder = make_recorder(pool, ledger)
    message = delivered([report])
    await recorder.handle([message, message])
    await recorder.handle([message])
    assert await counted(pool) == {"completed": 1}
    assert await pool.fetchval("SELECT count(*) FROM jobs.history") == 1


@pytest.mark.parametrize("outcome", [None, Outcome.STARTED, Outcome.RETRYING, Outcome.FAILED, Outcome.COMPLETED])
async def test_a_batch_of_completions_is_recorded_as_the_rules_say(
    pool: Pool, settings: Settings, outcome: Outcome | None
) -> None:
    """The one statement for such a batch, to the same reports taken step by step."""
    ledger, partitions = make_ledger(), Partitions(pool, utc_now)
    recorder = make_recorder(pool, ledger)
    cause = new_id()
    made = [
        new_job(Order(jobs.CheckLowStock(), target=str(n)), cause=cause, cause_type="schedule.due", caused_at=utc_now())
        for n in range(4)
    ]
    await partitions.ensure_for(job.id for job in made)
    await in_ledger(pool, lambda conn: ledger.insert(conn, made))

    def report(number: int, outcome: Outcome, attempt: int = 2) -> AttemptReport:
        return AttemptReport(
            job_id=made[number].id,
            job_type=made[number].type,
            attempt=attempt,
            fence=1,
            outcome=outcome,
            worker="w",
            started_at=datetime(2026, 1, attempt, tzinfo=UTC),
            run_ms=7,
            retry_at=utc_now() if outcome is Outcome.RETRYING else None,
            waits_in_ledger=outcome is Outcome.RETRYING,
            result={"number": [None, "\u00e9"]} if outcome is Outcome.COMPLETED else None,
        )

    if outcome is not None:
        await recorder.handle([delivered([report(n, outcome, attempt=1) for n in range(4)])])
    unknown = report(0, Outcome.COMPLETED).model_copy(update={"job_id": new_id()})
    await recorder.handle([delivered([report(0, Outcome.COMPLETED), unknown, report(1, Outcome.COMPLETED)])])
    for number in (2, 3):  # beside a report of another kind, a completion is taken step by step
        late = report(number, Outcome.STARTED).model_copy(update={"job_id": new_id()})
        await recorder.handle([delivered([report(number, Outcome.COMPLETED), late])])

    rows = await pool.fetch(
        """SELECT state, attempt, fence, started_at, run_ms, retry_at, result::text, run_at IS NULL AS is_due,
                  heard_at IS NULL, published_at IS NULL, finished_at > now() - interval '1 minute',
                  (SELECT array_agg(row(state, outcome, attempt, fence, worker, started_at, run_ms)::text ORDER BY at)
                   FROM jobs.history WHERE job_id = j.id) AS history
           FROM jobs.jobs j ORDER BY target"""
    )
    in_one, also_in_one, by_step, also_by_step = (tuple(row) for row in rows)
    assert in_one == also_in_one == by_step == also_by_step
    assert await counted(pool) == {"completed": 4}
    told = "SELECT count(*) FROM jobs.outbox WHERE type = 'job.finished' AND body LIKE '%\"completed\"%'"
    assert await pool.fetchval(told) == 4


async def test_writers_of_the_same_jobs_in_other_orders_all_succeed(pool: Pool) -> None:
    ledger, partitions = make_ledger(), Partitions(pool, utc_now)
    made = [
        new_job(Order(jobs.CheckLowStock(), target=str(n)), cause=new_id(), cause_type="x", caused_at=utc_now())
        for n in range(40)
    ]
    await partitions.ensure_for(job.id for job in made)
    await asyncio.gather(*(in_ledger(pool, partial(ledger.insert, new=order)) for order in (made, made[::-1], made)))
    assert await counted(pool) == {"pending": 40}
    recorder = make_recorder(pool, ledger)

    def report(index: int, attempt: int) -> AttemptReport:
        return AttemptReport(
            job_id=made[index].id,
            job_type="check-low-stock",
            attempt=attempt,
            fence=1,
            outcome=Outcome.COMPLETED if attempt == 2 else Outcome.STARTED,
            worker="w",
            started_at=utc_now(),
        )

    await asyncio.gather(
        *(
            recorder.handle([delivered([report(index, attempt) for index in order])])
            for order in (range(40), range(39, -1, -1))
            for attempt in (1, 2)
        )
    )
    assert await counted(pool) == {"completed": 40}


async def test_a_short_wait_that_was_asked_for_loses_no_job(marketplace: Marketplace) -> None:
    """The database being away says "come back in 1 s": less than any tier."""

    async def process(job: jobs.ProcessImage, attempt: Attempt) -> None:
        if attempt.number == 1:
            raise Unavailable("away", retry_after_seconds=0.1)
        if attempt.number == 2:
            raise Unavailable("away", retry_after_seconds=2.5)  # more than the tier, less than the last one's jitter

    async with marketplace.working({jobs.ProcessImage: process}):
        cause = await marketplace.publish(image_added())
        [shown] = await in_state(marketplace, cause, JobState.COMPLETED)
    assert shown.job.attempt == 3


async def test_a_job_that_no_worker_can_read_is_failed_with_the_reason(marketplace: Marketplace, pool: Pool) -> None:
    async def process(job: jobs.ProcessImage, attempt: Attempt) -> None:
        pytest.fail("it was read")

    cause = await marketplace.publish(image_added())
    [job] = await in_state(marketplace, cause, JobState.PENDING)
    # As if a later version had written it.
    await pool.execute(
        "UPDATE jobs.jobs SET payload = '{\"image_id\": 5}', published_at = NULL, claimed_until = NULL, fence = 2"
    )
    await _purge(marketplace, "jobs.process-image")
    async with marketplace.working({jobs.ProcessImage: process}):
        [shown] = await in_state(marketplace, cause, JobState.FAILED)
    assert shown.job.id == job.job.id
    assert shown.job.error_class == "unparsable"
    assert "image_id" in (shown.job.error_message or "")


async def _purge(marketplace: Marketplace, queue: str) -> None:
    _, underlay = await marketplace.broker.consuming.open_channel(confirms=False)
    await underlay.queue_purge(queue)


async def test_an_error_with_what_no_row_can_hold_is_kept_all_the_same(marketplace: Marketplace) -> None:
    async def process(job: jobs.ProcessImage, attempt: Attempt) -> dict[str, str]:
        if attempt.number == 1:
            raise RuntimeError("half \ud800 and nul \x00")
        return {"said": "nul \x00"}

    async with marketplace.working({jobs.ProcessImage: process}):
        cause = await marketplace.publish(image_added())
        [shown] = await in_state(marketplace, cause, JobState.COMPLETED)
    assert shown.history[0].entry.error_message == "half ? and nul \ufffd"
    assert shown.job.result == {"said": "nul \ufffd"}


async def test_a_job_by_hand_and_one_for_later_reach_their_worker_in_time(marketplace: Marketplace) -> None:
    async def cleanup(job: jobs.CleanupCache, attempt: Attempt) -> None:
        return None

    async def is_done(job_id: object) -> bool:
        page = await marketplace.desk.page(ListFilter(state=JobState.COMPLETED), before=None, limit=10)
        return job_id in [shown.job.id for shown in page.items]

    async with marketplace.working({jobs.CleanupCache: cleanup}):
        request = JobRequest(type="cleanup-cache", payload={})
        now = (await marketplace.desk.enqueue(request, by=ADMIN, request_id=None)).shown
        await eventually(lambda: is_done(now.job.id), 5)
        at = utc_now() + timedelta(seconds=2)
        later = JobRequest(type="cleanup-cache", payload={}, run_at=at)
        scheduled = (await marketplace.desk.enqueue(later, by=ADMIN, request_id=None)).shown
        assert scheduled.job.state is JobState.SCHEDULED
        await eventually(lambda: is_done(scheduled.job.id), 8)
    done = await marketplace.desk.get(scheduled.job.id)
    assert done.job.finished_at is not None
    assert done.job.finished_at >= at


async def test_a_report_no_one_can_read_is_parked_and_its_neighbours_are_recorded(marketplace: Marketplace) -> None:
    async def process(job: jobs.ProcessImage, attempt: Attempt) -> None:
        return None

    await marketplace.broker.publisher.publish_body(
        b"{}",
        exchange="jobs.reports",
        routing_key="report",
        properties=Basic.Properties(message_type="attempt.reports"),
    )
    await marketplace.broker.publisher.publish_body(
        b"\xff", exchange="jobs.dead", routing_key="process-image.unparsable", properties=Basic.Properties()
    )
    async with marketplace.working({jobs.ProcessImage: process}):
        cause = await marketplace.publish(image_added())
        await in_state(marketplace, cause, JobState.COMPLETED)


class Calendar:
    """A clock to be set."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self) -> datetime:
        return self.now


async def test_pruning_keeps_each_state_as_long_as_it_is_to_be_kept_and_drops_empty_days(
    pool: Pool, settings: Settings, desk: JobsDesk
) -> None:
    clock = Calendar()
    ledger, partitions = make_ledger(), Partitions(pool, clock)
    recorder = make_recorder(pool, ledger, clock)
    today = clock.now
    for days_ago in (40, 20, 3, 0):
        clock.now = today - timedelta(days=days_ago)
        for outcome in (Outcome.COMPLETED, Outcome.FAILED, Outcome.CANCELLED):
            job = new_job(Order(jobs.CheckLowStock(), target="t"), cause=new_id(), cause_type="x", caused_at=clock.now)
            await partitions.ensure_for([job.id])
            await in_ledger(pool, partial(ledger.insert, new=[job]))
            report = AttemptReport(
                job_id=job.id,
                job_type=job.type,
                attempt=1,
                fence=1,
                outcome=outcome,
                worker="w",
                started_at=clock.now,
            )
            await recorder.handle([delivered([report])])
    open_job = new_job(
        Order(jobs.CheckLowStock(), target="t"),
        cause=new_id(),
        cause_type="x",
        caused_at=today - timedelta(days=60),
    )
    await partitions.ensure_for([open_job.id])
    await in_ledger(pool, lambda conn: ledger.insert(conn, [open_job]))

    clock.now = today
    pruner = make_pruner(pool, ledger, partitions, settings)
    result = await pruner.cleanup_jobs(jobs.CleanupJobs(), None)  # type: ignore[arg-type]
    assert result == {
        "deleted": {"completed": 2, "cancelled": 2, "failed": 1},
        "days_dropped": 1,
        "tombstones_forgotten": 0,
        "is_finished": True,
    }
    assert await counted(pool) == {"completed": 2, "cancelled": 2, "failed": 3, "pending": 1}
    assert await pool.fetchval("SELECT count(*) FROM jobs.history") == 7
    assert await pool.fetchval("SELECT count(*) FROM jobs.tombstones") == 2  # none for a day dropped whole
    days = {
        row["relname"].removeprefix("jobs_")
        for row in await pool.fetch("SELECT relname FROM pg_class WHERE relname ~ '^jobs_[0-9]{8}$'")
    }
    assert f"{today - timedelta(days=40):%Y%m%d}" not in days
    assert f"{today - timedelta(days=60):%Y%m%d}" in days  # an open job lives there
    # Safe to run twice, and what was dropped is made again when it is needed.
    assert await pruner.cleanup_jobs(jobs.CleanupJobs(), None) == {  # type: ignore[arg-type]
        "deleted": {"completed": 0, "cancelled": 0, "failed": 0},
        "days_dropped": 0,
        "tombstones_forgotten": 0,
        "is_finished": True,
    }


async def test_jobs_that_a_crash_left_unpublished_are_published(pool: Pool, marketplace: Marketplace) -> None:
    """Killed between the commit and the publish: the row is there, its claim runs out, the ledger takes it up."""
    ledger, partitions = make_ledger(), Partitions(pool, utc_now)
    job = new_job(Order(jobs.CheckLowStock(), target="t"), cause=new_id(), cause_type="x", caused_at=utc_now())
    await partitions.ensure_for([job.id])
    await in_ledger(pool, lambda conn: ledger.insert(conn, [job], claim_seconds=1))
    done = asyncio.Event()

    async def check(_: jobs.CheckLowStock, __: Attempt) -> None:
        done.set()

    async with marketplace.working({jobs.CheckLowStock: check}):
        async with asyncio.timeout(8):
            await done.wait()
