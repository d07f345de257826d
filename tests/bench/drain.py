"""How fast one worker process drains jobs that do nothing, with reports and ledger, beside the bare loop and Celery."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median

from tests.bench.celery_peer import CeleryPeer
from tests.bench.figures import Figure
from tests.bench.stage import PATIENCE_SECONDS, CpuMeter, Stage

JOBS = 10_000
CELERY_TASKS = 1_000
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Run:
    """One drain: jobs a second, CPU microseconds a job of the worker, and of the others by name."""

    rate: float
    cpu_us: float
    others_us: dict[str, float] = field(default_factory=dict)


async def measure(stage: Stage) -> list[Figure]:
    """Interleaved runs of all, the median of each."""
    ours, bare, celery = list[Run](), list[Run](), list[float]()
    for _ in range(ROUNDS):
        await stage.enqueue(JOBS)
        bare.append(await _drained(stage, "bare"))
        await stage.forget()
        await stage.enqueue(JOBS)
        async with stage.service("services.jobs", "ledger") as pid:
            ours.append(await _drained(stage, "souk", CpuMeter([pid]), lambda: stage.completed(JOBS)))
        await stage.forget()
        celery.append(await CeleryPeer(stage).drained(CELERY_TASKS))
    rate, raw, by_celery = median(run.rate for run in ours), median(run.rate for run in bare), median(celery)
    cpu, raw_cpu = median(run.cpu_us for run in ours), median(run.cpu_us for run in bare)
    others = {name: median(run.others_us[name] for run in ours) for name in ours[0].others_us}
    return [
        Figure(
            "drain by one worker, reported and recorded / raw aio-pika loop, single acks",
            f"{rate:,.0f}/s",
            f"{raw:,.0f}/s",
            rate / raw,
            must=1.0,
        ),
        Figure(
            "drain by one worker, reported and recorded / Celery with results in PostgreSQL",
            f"{rate:,.0f}/s",
            f"{by_celery:,.0f}/s",
            rate / by_celery,
            must=20,
        ),
        Figure(
            "worker CPU a no-op job (" + ", ".join(f"{name} {us:.0f}" for name, us in others.items()) + ")",
            f"{cpu:.0f} us",
            f"{raw_cpu:.0f} us",
            cpu,
            must=150,
            unit="us",
            is_most=True,
        ),
    ]


async def _drained(
    stage: Stage, which: str, meter: CpuMeter | None = None, ended: Callable[[], Awaitable[float]] | None = None
) -> Run:
    """Let a worker of its own process drain the queue. It ends when its work does, unless `ended` knows better."""
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.workers", which, stage.amqp_url, str(JOBS)), stdout=asyncio.subprocess.PIPE
    )
    assert worker.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            begun, cpu_begun = map(float, (await worker.stdout.readline()).split())
            reading = asyncio.ensure_future(worker.stdout.readline())
            at_end = None if ended is None else await ended()
            done, cpu_done = map(float, (await reading).split())
            await worker.wait()
    finally:
        if worker.returncode is None:
            worker.kill()
    spent = {} if meter is None else meter.spent()
    return Run(
        JOBS / ((at_end or done) - begun),
        (cpu_done - cpu_begun) / JOBS * 1e6,
        {name: seconds / JOBS * 1e6 for name, seconds in spent.items()},
    )
