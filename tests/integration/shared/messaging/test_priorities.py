"""What is urgent starts soon whatever waits before it, and what is not urgent still finishes."""

import asyncio
import time
from uuid import UUID

from shared.contracts import jobs
from shared.contracts.reports import Outcome
from shared.errors import Unavailable
from shared.messaging.attempt import Attempt
from shared.messaging.topology import CHECK_LOW_STOCK
from tests.eventually import eventually
from tests.integration.shared.messaging.conftest import Bench

JOB_SECONDS = 0.05
BACKLOG = 10_000


async def test_an_urgent_job_starts_before_ten_thousand_that_were_there_first(bench: Bench) -> None:
    started: dict[UUID, float] = {}

    async def work(job: jobs.CheckLowStock, attempt: Attempt) -> None:
        started[attempt.job_id] = time.monotonic()
        await asyncio.sleep(JOB_SECONDS)

    for _ in range(BACKLOG // 500):
        await asyncio.gather(*(bench.order(priority=5) for _ in range(500)))
    async with bench.working({jobs.CheckLowStock: work}):
        await eventually(lambda: len(started) >= 5)  # the worker has learned how long a job runs
        ordered_at = time.monotonic()
        urgent = await bench.order(priority=1)
        await eventually(lambda: urgent in started)
    # One job's duration and 100 ms, four times over for a busy machine.
    assert started[urgent] - ordered_at < 4 * (JOB_SECONDS + 0.1)


async def test_urgent_work_at_four_fifths_of_capacity_lets_the_rest_finish(bench: Bench) -> None:
    done: list[UUID] = []
    job_seconds = 0.02

    async def work(job: jobs.CheckLowStock, attempt: Attempt) -> None:
        await asyncio.sleep(job_seconds)
        done.append(attempt.job_id)

    async def urgent_for_as_long(needed: list[UUID]) -> int:
        count, begun = 0, time.monotonic()
        while not set(needed) <= set(done):
            await bench.order(priority=1)
            count += 1
            await asyncio.sleep(begun + count * job_seconds / 0.8 - time.monotonic())
        return count

    patient = [await bench.order(priority=5) for _ in range(10)]
    async with bench.working({jobs.CheckLowStock: work}), asyncio.timeout(30):
        count = await urgent_for_as_long(patient)
        await eventually(lambda: len(done) == count + len(patient))
    assert CHECK_LOW_STOCK.concurrency == 1


async def test_a_retry_keeps_its_priority(bench: Bench) -> None:
    """It comes back from the retry queue before what was less urgent and never waited there."""
    order: list[tuple[UUID, int]] = []

    async def work(job: jobs.CheckLowStock, attempt: Attempt) -> None:
        order.append((attempt.job_id, attempt.number))
        if attempt.job_id == urgent and attempt.number == 1:
            raise Unavailable("away")
        await asyncio.sleep(0.1)

    urgent = await bench.order(priority=1)
    late = [await bench.order(priority=4) for _ in range(40)]
    async with bench.working({jobs.CheckLowStock: work}):
        reports = await bench.reported(1)
        await eventually(lambda: (urgent, 2) in order, 20)
        assert order[0] == (urgent, 1)
        assert order[-1] == (urgent, 2)
        assert (late[-1], 1) not in order
    assert reports[0].outcome is Outcome.RETRYING
