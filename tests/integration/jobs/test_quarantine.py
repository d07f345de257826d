"""A job that kills its worker is parked after three crashes, and its neighbours lose nothing."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import pytest

from services.jobs.models import JobState
from services.jobs.quarantine.usecases import CRASHES_TO_PARK
from shared.contracts import events, jobs
from shared.ids import new_id
from shared.messaging.journal import open_journal
from tests.eventually import eventually
from tests.integration.jobs.conftest import Marketplace
from tests.integration.jobs.test_rescue import one_job, picture, process, published
from tests.integration.jobs.worker_program import POISON

REPLICAS: Final = 3


def poison() -> events.ImageAdded:
    return events.ImageAdded(vendor_id=new_id(), image_id=new_id(), product_id=new_id(), source=POISON)


@asynccontextmanager
async def restarted_worker(url: str, state_dir: Path, deaths: list[int] | None = None) -> AsyncIterator[None]:
    """A worker process in one slot, started again whenever it dies; the pid goes to `deaths`."""
    program = "tests.integration.jobs.worker_program"
    running: asyncio.subprocess.Process | None = None

    async def keep() -> None:
        nonlocal running
        while True:
            running = await asyncio.create_subprocess_exec(sys.executable, "-m", program, url, str(state_dir))
            await running.wait()
            if deaths is not None:
                deaths.append(running.pid)

    keeping = asyncio.create_task(keep())
    try:
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        if running is not None and running.returncode is None:
            running.kill()
            await running.wait()


async def test_a_job_that_kills_its_worker_is_parked_and_its_neighbours_are_done_once(
    marketplace: Marketplace, tmp_path: Path
) -> None:
    neighbours = [await marketplace.publish(picture()) for _ in range(10)]
    bad = await marketplace.publish(poison())
    neighbours += [await marketplace.publish(picture()) for _ in range(10)]
    await published(marketplace, 21)

    async def letter_is_kept() -> bool:
        return await marketplace.count("SELECT count(*) FROM jobs.dead_letters WHERE reason = 'killed_its_worker'") == 1

    async with restarted_worker(marketplace.settings.amqp_url.get_secret_value(), tmp_path):
        parked = await one_job(marketplace, bad, JobState.FAILED, timeout=60)
        done = [await one_job(marketplace, cause, JobState.COMPLETED, timeout=30) for cause in neighbours]
        await eventually(letter_is_kept)

    outcomes = [line.entry.outcome for line in parked.history if line.entry.outcome not in ("suspected", "started")]
    assert outcomes == ["crashed", "crashed", "parked"]
    assert parked.job.error_class == "KilledItsWorker"
    assert parked.job.attempt == 1
    for shown in done:
        assert [line.entry.outcome for line in shown.history].count("completed") == 1
        assert shown.job.result == {"attempt": 1}
        assert not {"crashed", "retrying", "rescued"} & {line.entry.outcome for line in shown.history}


@pytest.mark.long
async def test_replicas_together_die_at_most_as_often_as_is_stated(marketplace: Marketplace, tmp_path: Path) -> None:
    """Three crashes of its own, once they are told, park the job. Before, each replica may die of it once beside other
    jobs, which counts for none of them; and when the third is told, each other replica may have just met it once more.
    """
    neighbours = [await marketplace.publish(picture()) for _ in range(10)]
    bad = await marketplace.publish(poison())
    neighbours += [await marketplace.publish(picture()) for _ in range(10)]
    await published(marketplace, 21)
    url = marketplace.settings.amqp_url.get_secret_value()
    deaths: list[int] = []
    async with AsyncExitStack() as stack:
        for _ in range(REPLICAS):
            await stack.enter_async_context(restarted_worker(url, tmp_path, deaths))
        await one_job(marketplace, bad, JobState.FAILED, timeout=60)
        done = [await one_job(marketplace, cause, JobState.COMPLETED, timeout=60) for cause in neighbours]
        assert CRASHES_TO_PARK <= len(deaths) <= REPLICAS + CRASHES_TO_PARK + REPLICAS - 1, deaths
    for shown in done:
        assert [line.entry.outcome for line in shown.history].count("completed") == 1
        assert shown.job.result == {"attempt": 1}


async def test_a_worker_killed_from_outside_fails_nothing(marketplace: Marketplace, tmp_path: Path) -> None:
    """What the operator's kill leaves in the journal is counted once, and the job is done by whoever gets it."""
    cause = await marketplace.publish(picture())
    waiting = await one_job(marketplace, cause, JobState.PENDING)
    with open_journal(tmp_path, worker="imaging") as journal:
        journal.begin(waiting.job.id, waiting.job.type, 1, 1)  # and killed here
    async with marketplace.working({jobs.ProcessImage: process}, worker="imaging", state_dir=tmp_path):
        shown = await one_job(marketplace, cause, JobState.COMPLETED)
    assert [line.entry.outcome for line in shown.history] == ["crashed", "completed"]
    with open_journal(tmp_path, worker="imaging") as journal:
        assert journal.crash is None
