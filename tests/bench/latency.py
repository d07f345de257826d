"""How long a job waits between its publish and its start, at a steady 200 a second."""

import asyncio
import sys
import time
from statistics import quantiles

from services.jobs.partitions import Partitions
from services.jobs.parts import make_ledger
from services.jobs.publishing import due_now
from services.jobs.store import in_ledger
from shared.clock import utc_now
from tests.bench.figures import Figure
from tests.bench.stage import PATIENCE_SECONDS, Stage, some_jobs

RATE = 200
SECONDS = 10
WARM_UP = 200


async def measure(stage: Stage) -> list[Figure]:
    """All rows are written before the first publish; the ledger records what the worker reports meanwhile."""
    count = RATE * SECONDS
    async with stage.service("services.jobs", "ledger"):
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.workers", "timed", stage.amqp_url, str(count)),
            stdout=asyncio.subprocess.PIPE,
            limit=2**20,
        )
        assert worker.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await worker.stdout.readline()
                await _publish(stage, count)
                await worker.stdout.readline()  # the first delivery
                waits = [float(word) for word in (await worker.stdout.readline()).split()][WARM_UP:]
                await worker.wait()
        finally:
            if worker.returncode is None:
                worker.kill()
    cuts = quantiles(waits, n=20)
    return [
        Figure(
            f"publish to start of a job at {RATE} jobs/s, {name}",
            f"{cut * 1000:.1f} ms",
            "-",
            cut * 1000,
            must,
            "ms",
            is_most=True,
        )
        for name, cut, must in (("p50", cuts[9], 15), ("p95", cuts[18], 50))
    ]


async def _publish(stage: Stage, count: int) -> None:
    """One job every 5 ms by the clock, however long each takes."""
    store, publisher, jobs = make_ledger(), stage.publisher, some_jobs(count)
    await Partitions(stage.jobs_pool, utc_now).ensure_for([jobs[0].id])
    await in_ledger(stage.jobs_pool, lambda conn: store.insert(conn, jobs, claim_seconds=60))
    begun = time.monotonic()

    async def publish(number: int) -> None:
        await asyncio.sleep(begun + number / RATE - time.monotonic())
        due = due_now(jobs[number])
        due.payload["params"] = {"text": "x" * 400, "at": str(time.time())}
        await publisher.publish([due])

    await asyncio.gather(*(publish(number) for number in range(count)))
