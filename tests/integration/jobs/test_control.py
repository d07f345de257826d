"""Operators cancel, pause, resume and retry many, on the real broker."""

import asyncio

import pytest

from services.jobs.control.store import ControlStore, FailedFilter
from services.jobs.control.usecases import ControlDesk
from services.jobs.errors import AlreadyOver, UnknownJobType
from services.jobs.models import JobState
from services.jobs.parts import make_ledger
from shared.clock import utc_now
from shared.contracts import jobs
from shared.db.pool import Pool
from shared.errors import InvalidInput
from shared.ids import new_id
from shared.messaging.attempt import Attempt
from shared.web.identity import Identity, Role
from tests.eventually import eventually
from tests.integration.jobs.conftest import Marketplace
from tests.integration.jobs.test_rescue import one_job, picture, process, published

OPS = Identity(new_id(), Role.OPS)


@pytest.fixture
def control(pool: Pool) -> ControlDesk:
    return ControlDesk(pool, make_ledger(), ControlStore(), utc_now)


async def test_a_waiting_job_is_cancelled_at_once_and_its_message_dropped(
    marketplace: Marketplace, control: ControlDesk
) -> None:
    cancelled_cause, kept_cause = [await marketplace.publish(picture()) for _ in range(2)]
    cancelled = await one_job(marketplace, cancelled_cause, JobState.PENDING)
    await published(marketplace, 2)
    assert await control.cancel(cancelled.job.id, by=OPS, request_id=None) is JobState.CANCELLED
    ran: list[object] = []

    async def note(job: jobs.ProcessImage, attempt: Attempt) -> None:
        ran.append(attempt.job_id)

    await eventually(marketplace.controls_are_sent)
    async with marketplace.working({jobs.ProcessImage: note}):
        kept = await one_job(marketplace, kept_cause, JobState.COMPLETED)
    assert ran == [kept.job.id]
    shown = await one_job(marketplace, cancelled_cause, JobState.CANCELLED)
    assert [line.entry.outcome for line in shown.history] == ["cancelled"]
    with pytest.raises(AlreadyOver):
        await control.cancel(cancelled.job.id, by=OPS, request_id=None)


async def test_a_running_job_is_asked_and_stops_before_its_effect(
    marketplace: Marketplace, control: ControlDesk
) -> None:
    async def until_asked(job: jobs.ProcessImage, attempt: Attempt) -> None:
        await eventually(attempt.is_cancelled, 20)
        attempt.stop_if_cancelled()
        raise AssertionError("the effect happened")

    async with marketplace.working({jobs.ProcessImage: until_asked}):
        cause = await marketplace.publish(picture())
        running = await one_job(marketplace, cause, JobState.PROCESSING)
        assert await control.cancel(running.job.id, by=OPS, request_id=None) is JobState.PROCESSING
        shown = await one_job(marketplace, cause, JobState.CANCELLED)
    assert [line.entry.outcome for line in shown.history] == ["started", "cancel_asked", "cancelled"]


async def test_a_cancelled_job_that_is_retried_by_hand_runs(marketplace: Marketplace, control: ControlDesk) -> None:
    cause = await marketplace.publish(picture())
    waiting = await one_job(marketplace, cause, JobState.PENDING)
    await control.cancel(waiting.job.id, by=OPS, request_id=None)
    await marketplace.desk.retry(waiting.job.id, by=OPS, request_id=None)
    async with marketplace.working({jobs.ProcessImage: process}):
        await one_job(marketplace, cause, JobState.COMPLETED)


async def test_a_paused_type_waits_and_is_worked_on_when_resumed(
    marketplace: Marketplace, control: ControlDesk
) -> None:
    release = asyncio.Event()

    async def slow(job: jobs.ProcessImage, attempt: Attempt) -> None:
        await release.wait()

    async with marketplace.working({jobs.ProcessImage: slow}) as subscriptions:
        in_hand = await marketplace.publish(picture())
        await one_job(marketplace, in_hand, JobState.PROCESSING)
        await control.pause("process-image", by=OPS, request_id=None)
        await eventually(lambda: subscriptions[0].is_paused)
        later = await marketplace.publish(picture())
        await published(marketplace, 1)
        release.set()
        await one_job(marketplace, in_hand, JobState.COMPLETED)  # what runs, finishes
        assert (await marketplace.jobs_of(later))[0].job.state is JobState.PENDING
        await control.resume("process-image", by=OPS, request_id=None)
        await one_job(marketplace, later, JobState.COMPLETED)
    assert await control.paused() == []


async def test_a_worker_that_starts_later_knows_what_is_paused(marketplace: Marketplace, control: ControlDesk) -> None:
    await control.pause("process-image", by=OPS, request_id=None)
    await eventually(marketplace.controls_are_sent)
    async with marketplace.working({jobs.ProcessImage: process}) as subscriptions:
        assert subscriptions[0].is_paused
    with pytest.raises(UnknownJobType):
        await control.pause("make-coffee", by=OPS, request_id=None)


async def test_failures_are_grouped_by_cause_and_retried_together(
    marketplace: Marketplace, control: ControlDesk
) -> None:
    mended = False

    async def fail(job: jobs.ProcessImage, attempt: Attempt) -> None:
        if not mended:
            raise InvalidInput(f"picture {job.image_id} has {attempt.number * 17} bytes too many")

    async with marketplace.working({jobs.ProcessImage: fail}):
        causes = [await marketplace.publish(picture()) for _ in range(4)]
        for cause in causes:
            await one_job(marketplace, cause, JobState.FAILED)
        [group] = await control.groups()
        assert (group.type, group.error_class, group.cause, group.jobs) == (
            "process-image",
            "InvalidInput",
            "picture <id> has <n> bytes too many",
            4,
        )
        where = FailedFilter(type="process-image", error_class="InvalidInput")
        counted = await control.retry_failed(where, per_second=2, is_dry_run=True, by=OPS, request_id=None)
        assert (counted.jobs, counted.over_seconds, counted.is_all, counted.ids) == (4, 2.0, True, ())
        for text, expected in ((group.cause, 4), ("picture <id> has <n> bytes", 0)):
            this = FailedFilter(cause=text)
            found = await control.retry_failed(this, per_second=2, is_dry_run=True, by=OPS, request_id=None)
            assert found.jobs == expected
        assert (await marketplace.desk.stats())["failed"] == 4
        mended = True
        done = await control.retry_failed(where, per_second=20, is_dry_run=False, by=OPS, request_id=None)
        assert len(done.ids) == 4
        for cause in causes:
            await one_job(marketplace, cause, JobState.COMPLETED)
        assert await control.states([*done.ids, new_id()]) == {JobState.COMPLETED: 4}
    assert await control.groups() == []
