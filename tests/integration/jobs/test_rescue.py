"""What the broker or a worker loses comes back, and what only waits does not."""

import asyncio
from uuid import UUID

import aio_pika
import pytest

from services.jobs.models import JobState
from services.jobs.settings import Settings
from services.jobs.usecases import ShownJob
from shared.contracts import events, jobs
from shared.ids import new_id
from shared.messaging.attempt import Attempt
from shared.messaging.topology import PROCESS_IMAGE
from tests.eventually import eventually
from tests.integration.jobs.conftest import Marketplace


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Rescue in seconds, not in the half minute of a real installation."""
    return settings.model_copy(update={"probe_seconds": 0.4, "silence_seconds": 1.0})


def picture() -> events.ImageAdded:
    return events.ImageAdded(vendor_id=new_id(), image_id=new_id(), product_id=new_id(), source="blob:x")


async def process(job: jobs.ProcessImage, attempt: Attempt) -> dict[str, int]:
    return {"attempt": attempt.number}


async def one_job(marketplace: Marketplace, cause: UUID, state: JobState, timeout: float = 20) -> ShownJob:
    async def reached() -> ShownJob | None:
        found = await marketplace.jobs_of(cause)
        return found[0] if found and found[0].job.state is state else None

    shown = await eventually(reached, timeout)
    assert shown is not None
    return shown


async def queue_of(marketplace: Marketplace) -> aio_pika.abc.AbstractQueue:
    channel, _ = await marketplace.broker.consuming.open_channel(confirms=False)
    return await channel.get_queue(PROCESS_IMAGE.name, ensure=False)


async def published(marketplace: Marketplace, count: int) -> None:
    """Until so many jobs are in the work queue, as the broker counts them for a fresh declaration."""

    async def there() -> bool:
        channel, _ = await marketplace.broker.consuming.open_channel(confirms=False)
        declared = await channel.declare_queue(PROCESS_IMAGE.name, passive=True)
        await channel.close()
        return (declared.declaration_result.message_count or 0) >= count

    await eventually(there, 10)


async def test_a_job_whose_message_is_gone_is_published_again_and_done(marketplace: Marketplace) -> None:
    cause = await marketplace.publish(picture())
    await one_job(marketplace, cause, JobState.PENDING)
    await published(marketplace, 1)
    await (await queue_of(marketplace)).purge()

    async with marketplace.working({jobs.ProcessImage: process}):
        shown = await one_job(marketplace, cause, JobState.COMPLETED)

    assert [line.entry.outcome for line in shown.history] == ["rescued", "completed"]
    assert shown.job.result == {"attempt": 1}
    assert (await marketplace.desk.stats())["total"] == 1


async def test_a_queue_that_was_deleted_comes_back_with_its_jobs(marketplace: Marketplace) -> None:
    async with marketplace.working({jobs.ProcessImage: process}):
        first = await marketplace.publish(picture())
        await one_job(marketplace, first, JobState.COMPLETED)
        await (await queue_of(marketplace)).delete(if_unused=False, if_empty=False)
        causes = [await marketplace.publish(picture()) for _ in range(5)]
        for cause in causes:
            await one_job(marketplace, cause, JobState.COMPLETED)
    stats = await marketplace.desk.stats()
    assert (stats["total"], stats["completed"]) == (6, 6)


async def test_a_job_in_the_hands_of_a_living_worker_is_left_alone(marketplace: Marketplace) -> None:
    finish = asyncio.Event()
    runs = 0

    async def slow(job: jobs.ProcessImage, attempt: Attempt) -> None:
        nonlocal runs
        runs += 1
        await finish.wait()

    async with marketplace.working({jobs.ProcessImage: slow}):
        cause = await marketplace.publish(picture())
        await one_job(marketplace, cause, JobState.PROCESSING)

        async def several_probes_came_back() -> bool:
            return await marketplace.answered_probes() >= 8

        await eventually(several_probes_came_back, 20)
        finish.set()
        shown = await one_job(marketplace, cause, JobState.COMPLETED)
    assert runs == 1
    assert "rescued" not in [line.entry.outcome for line in shown.history]


async def test_a_backlog_alone_rescues_nothing(marketplace: Marketplace) -> None:
    causes = [await marketplace.publish(picture()) for _ in range(40)]
    await published(marketplace, 40)

    async def many_probes_wait() -> bool:
        return await marketplace.sent_probes() >= 6

    await eventually(many_probes_wait, 20)
    assert await marketplace.answered_probes() == 0
    async with marketplace.working({jobs.ProcessImage: process}):
        for cause in causes:
            shown = await one_job(marketplace, cause, JobState.COMPLETED)
            assert [line.entry.outcome for line in shown.history] == ["completed"]


async def test_workers_that_live_are_counted(marketplace: Marketplace) -> None:
    async def workers() -> bool:
        stats = await marketplace.desk.stats()
        return bool(stats["active_workers"] == 2)

    async with marketplace.working({jobs.ProcessImage: process}):
        await eventually(workers, 10)  # this one, and the ledger's own for cleanup-jobs


async def test_a_copy_that_was_not_lost_after_all_is_dropped_unrun(marketplace: Marketplace) -> None:
    """Somebody took the message and stood still: the job was published again, and then the first copy came back."""
    cause = await marketplace.publish(picture())
    await one_job(marketplace, cause, JobState.PENDING)
    await published(marketplace, 1)
    first = await (await queue_of(marketplace)).get(no_ack=False)
    assert first is not None
    ran: list[UUID] = []

    async def note(job: jobs.ProcessImage, attempt: Attempt) -> None:
        ran.append(attempt.job_id)

    async with marketplace.working({jobs.ProcessImage: note}):
        shown = await one_job(marketplace, cause, JobState.COMPLETED, timeout=30)
        await eventually(marketplace.controls_are_sent)
        await first.nack(requeue=True)
        last = await marketplace.publish(picture())  # behind the copy, in the same queue
        other = await one_job(marketplace, last, JobState.COMPLETED)
    assert ran == [shown.job.id, other.job.id]
    assert [line.entry.outcome for line in shown.history] == ["rescued", "completed"]


BACKLOG = 100_000
FILL = """
    -- Jobs that were published long ago and of which nothing was heard: they wait in a long queue.
    INSERT INTO jobs.jobs (id, type, priority, state, max_attempts, timeout_ms, payload, target, caused_at,
                           published_at)
    SELECT j.id, 'process-image', 3, 'pending', 3, 60000, '{}', j.id::text, now(), now() - interval '1 hour'
    FROM unnest($1::uuid[]) AS j (id)
"""


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_backlog_of_a_hundred_thousand_jobs_makes_the_rescuer_publish_nothing(marketplace: Marketplace) -> None:
    await marketplace.publish(picture())
    await published(marketplace, 1)
    ids = [new_id() for _ in range(BACKLOG)]
    async with marketplace.pool.acquire() as conn:
        await conn.execute(FILL, ids, timeout=120)
        await conn.execute("ANALYZE jobs.jobs", timeout=60)
    before = await marketplace.sent_probes()

    async def ten_more_probes_wait() -> bool:
        return await marketplace.sent_probes() >= before + 10

    await eventually(ten_more_probes_wait, 60)
    assert await marketplace.answered_probes() == 0
    assert await marketplace.count("SELECT count(*) FROM jobs.jobs WHERE fence > 1 OR published_at IS NULL") == 0
    assert await marketplace.count("SELECT count(*) FROM jobs.history WHERE outcome = 'rescued'") == 0
    channel, _ = await marketplace.broker.consuming.open_channel(confirms=False)
    waiting = (await channel.declare_queue(PROCESS_IMAGE.name, passive=True)).declaration_result.message_count or 0
    assert waiting <= 1 + await marketplace.sent_probes()
