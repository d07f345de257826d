"""How fast one worker process drains jobs that do nothing, with reports and ledger, to the raw aio-pika loop."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from statistics import median

import aiohttp
from pydantic import SecretStr

from deploy.local.ports import free_port
from deploy.local.supervisor import answers_ready
from services.jobs import ledger
from services.jobs.models import Order, new_job
from services.jobs.partitions import Partitions
from services.jobs.parts import make_ledger
from services.jobs.publishing import JobPublisher, due_now
from services.jobs.settings import Settings
from services.jobs.store import in_ledger
from shared.clock import utc_now
from shared.contracts.base import Audience
from shared.contracts.jobs import SendNotification
from shared.db.pool import Pool, connection, open_pool
from shared.ids import new_id
from shared.messaging.broker import open_broker
from shared.messaging.declare import apply
from shared.messaging.topology import build, parse_tiers
from tests.eventually import eventually

JOBS = 10_000
ROUNDS = 3
CHUNK = 1000
PATIENCE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table."""

    name: str
    ours: str
    bare: str
    ratio: float
    must: float


@dataclass(frozen=True, slots=True)
class Run:
    """One drain: jobs a second, and the worker's CPU microseconds a job."""

    rate: float
    cpu_us: float


async def measure(amqp_url: str, jobs_url: str) -> Figure:
    """Interleaved runs of both, the median of each."""
    settings = Settings(
        amqp_url=SecretStr(amqp_url),
        jobs_database_url=SecretStr(jobs_url),
        retry_tiers="1s",
        ops_port=0,
        log_level="error",
    )
    ours, bare = [], []
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(jobs_url, name="bench"))
        broker = await stack.enter_async_context(open_broker(amqp_url, name="bench"))
        await apply(broker.consuming, build(parse_tiers("1s")))
        publisher = JobPublisher(pool, broker.publisher, make_ledger())
        for _ in range(ROUNDS):
            await _enqueue(pool, publisher)
            bare.append(await _drained("bare", amqp_url, _at_the_end))
            await _forget(pool)
            await _enqueue(pool, publisher)
            async with _ledger(settings):
                ours.append(await _drained("souk", amqp_url, lambda _: _all_completed(pool)))
            await _forget(pool)
    rate, raw = median(run.rate for run in ours), median(run.rate for run in bare)
    return Figure(
        "drain of no-op jobs by one worker, reports and ledger written / raw aio-pika loop, single acks",
        f"{rate:,.0f}/s, {median(run.cpu_us for run in ours):.0f} us CPU",
        f"{raw:,.0f}/s, {median(run.cpu_us for run in bare):.0f} us CPU",
        rate / raw,
        must=1.0,
    )


@asynccontextmanager
async def _ledger(settings: Settings) -> AsyncIterator[None]:
    """The ledger as a process of its own, as in an installation, ready when the block begins."""
    port = free_port()
    environment = {
        "SOUK_AMQP_URL": settings.amqp_url.get_secret_value(),
        "SOUK_JOBS_DATABASE_URL": settings.jobs_database_url.get_secret_value(),
        "SOUK_RETRY_TIERS": settings.retry_tiers,
        "SOUK_OPS_PORT": str(port),
        "SOUK_LOG_LEVEL": "error",
        "PATH": "/usr/bin:/bin",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", ledger.__name__.rpartition(".")[0], "ledger", env=environment
    )
    try:
        async with aiohttp.ClientSession() as http:
            await eventually(lambda: answers_ready(f"http://127.0.0.1:{port}", http), 30)
        yield
    finally:
        process.terminate()
        await process.wait()


async def _drained(which: str, amqp_url: str, ended: Callable[[asyncio.Future[bytes]], Awaitable[float]]) -> Run:
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.workers", which, amqp_url, str(JOBS), stdout=asyncio.subprocess.PIPE
    )
    assert worker.stdout is not None
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            first = float((await worker.stdout.readline()).decode())
            reading = asyncio.ensure_future(worker.stdout.read())
            end = await ended(reading)
            lines = (await reading).decode().split()
            await worker.wait()
    finally:
        if worker.returncode is None:
            worker.kill()
    return Run(JOBS / (end - first), float(lines[-1]) / JOBS * 1e6)


async def _at_the_end(reading: asyncio.Future[bytes]) -> float:
    """The time of the last acknowledgement, as the worker says it."""
    return float((await reading).decode().split()[0])


async def _all_completed(pool: Pool) -> float:
    """The time at which the ledger had recorded the last job."""
    while True:
        async with connection(pool) as conn:
            done = await conn.fetchval("SELECT coalesce(sum(n), 0) FROM jobs.counters WHERE state = 'completed'")
        if done >= JOBS:
            return time.time()
        await asyncio.sleep(0.02)


async def _enqueue(pool: Pool, publisher: JobPublisher) -> None:
    """Put all jobs into ledger and queue, as dispatch does."""
    store, partitions = make_ledger(), Partitions(pool, utc_now)
    for _ in range(JOBS // CHUNK):
        order = SendNotification(kind="bench", audience=Audience(kind="admins"), params={"text": "x" * 500})
        now = utc_now()
        jobs = [
            new_job(Order(order, target=str(number)), cause=new_id(), cause_type="bench", caused_at=now)
            for number in range(CHUNK)
        ]
        await partitions.ensure_for([jobs[0].id])
        await in_ledger(pool, lambda conn, jobs=jobs: store.insert(conn, jobs))  # type: ignore[misc]
        await publisher.publish([due_now(job) for job in jobs])


async def _forget(pool: Pool) -> None:
    async with connection(pool) as conn:
        await conn.execute("TRUNCATE jobs.jobs, jobs.history, jobs.counters, jobs.inbox, jobs.probes")
