"""How far a job has come is seen while it runs, and costs the ledger no write to the job."""

import asyncio

from services.jobs.models import JobState
from shared.contracts import jobs
from shared.messaging.attempt import Attempt
from tests.eventually import eventually
from tests.integration.jobs.conftest import Marketplace
from tests.integration.jobs.test_rescue import one_job, picture


async def test_what_a_handler_tells_is_shown_while_it_runs(marketplace: Marketplace) -> None:
    go_on, finish = asyncio.Event(), asyncio.Event()

    async def step_by_step(job: jobs.ProcessImage, attempt: Attempt) -> None:
        attempt.progressed(0.25)
        await go_on.wait()
        for step in range(1000):
            attempt.progressed(0.25 + step / 1000)  # over 1 in the end
        await finish.wait()

    async with marketplace.working({jobs.ProcessImage: step_by_step}):
        cause = await marketplace.publish(picture())

        async def shown(progress: float) -> bool:
            [found] = await marketplace.jobs_of(cause)
            assert found.job.progress == progress
            one = await marketplace.desk.get(found.job.id)
            assert one.job.progress == progress
            return True

        await one_job(marketplace, cause, JobState.PROCESSING)
        await eventually(lambda: shown(0.25))
        go_on.set()
        await eventually(lambda: shown(1.0))
        finish.set()
        done = await one_job(marketplace, cause, JobState.COMPLETED)
    assert done.job.progress is None
    assert [line.entry.outcome for line in done.history] == ["started", "completed"]
