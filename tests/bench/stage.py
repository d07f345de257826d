"""Where the rows are measured: private servers, a vhost and a database of one's own, and processes as installed."""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import aiohttp
import asyncpg

from deploy.local.ports import free_port
from deploy.local.supervisor import answers_ready
from services.jobs.models import JobState, NewJob, Order, new_job
from services.jobs.partitions import Partitions
from services.jobs.parts import make_ledger
from services.jobs.publishing import JobPublisher, due_now
from services.jobs.store import in_ledger
from shared.clock import utc_now
from shared.contracts.base import Audience
from shared.contracts.jobs import SendNotification
from shared.db.migrate import quoted, with_database
from shared.db.pool import Pool, connection, open_pool
from shared.ids import new_id
from shared.messaging.broker import Broker, open_broker
from shared.messaging.declare import apply
from shared.messaging.topology import build, parse_tiers
from tests import servers
from tests.eventually import eventually

TIERS = "1s"
CHUNK = 1000
PATIENCE_SECONDS = 120
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Stage:
    """An empty vhost with the whole topology, and a migrated database. Both belong to one row."""

    amqp_url: str
    admin_url: str
    database_urls: dict[str, str]
    broker: Broker
    jobs_pool: Pool

    @property
    def publisher(self) -> JobPublisher:
        """What publishes jobs whose rows are written."""
        return JobPublisher(self.jobs_pool, self.broker.publisher, make_ledger())

    async def enqueue(self, count: int, *, chunk: int = CHUNK) -> None:
        """Put jobs into ledger and queue, as dispatch does: rows, commit, publish, confirm, mark."""
        store, partitions, publisher = make_ledger(), Partitions(self.jobs_pool, utc_now), self.publisher
        for _ in range(count // chunk):
            jobs = some_jobs(chunk)
            await partitions.ensure_for([jobs[0].id])
            await in_ledger(self.jobs_pool, lambda conn, jobs=jobs: store.insert(conn, jobs))  # type: ignore[misc]
            await publisher.publish([due_now(job) for job in jobs])

    async def completed(self, count: int) -> float:
        """Wait until the ledger has recorded so many jobs; returns the time."""
        counted = "SELECT coalesce(sum(n), 0) FROM jobs.counters WHERE state = $1"
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                async with connection(self.jobs_pool) as conn:
                    if await conn.fetchval(counted, JobState.COMPLETED.value) >= count:
                        return time.time()
                await asyncio.sleep(0.02)

    async def tidy(self, tables: str) -> None:
        """Do what autovacuum, which is off here, does of itself soon after rows were filled in."""
        owner = await asyncpg.connect(self.admin_url, timeout=10)
        try:
            await owner.execute(f"VACUUM ANALYZE {tables}", timeout=600)
        finally:
            await owner.close()

    async def forget(self) -> None:
        """Empty the ledger, and the outbox: of what it keeps, an empty inbox would have everything sent again."""
        admin = await asyncpg.connect(self.admin_url, timeout=10)
        try:
            await admin.execute(
                "TRUNCATE jobs.jobs, jobs.history, jobs.counters, jobs.inbox, jobs.probes, catalog.outbox"
            )
        finally:
            await admin.close()

    @asynccontextmanager
    async def service(
        self, package: str, *process: str, settings: Mapping[str, str] = MappingProxyType({})
    ) -> AsyncIterator[int]:
        """A process of an installation, ready when the block begins; yields its pid."""
        port = free_port()
        environment = {
            "SOUK_AMQP_URL": self.amqp_url,
            **{f"SOUK_{name.upper()}_DATABASE_URL": url for name, url in self.database_urls.items()},
            "SOUK_RETRY_TIERS": TIERS,
            "SOUK_OPS_PORT": str(port),
            "SOUK_LOG_LEVEL": "error",
            "PATH": "/usr/bin:/bin",
            **settings,
        }
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", package, *process, env=environment)
        try:
            async with aiohttp.ClientSession() as http:
                await eventually(lambda: answers_ready(f"http://127.0.0.1:{port}", http), 30)
            yield child.pid
        finally:
            with suppress(ProcessLookupError):
                child.terminate()
            await child.wait()


@asynccontextmanager
async def staged(databases: servers.Databases, server: servers.Broker) -> AsyncIterator[Stage]:
    """A stage for one row, removed at the end."""
    name = f"bench_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(databases.admin_url, timeout=10)
    server.management.add_vhost(name)
    try:
        await admin.execute(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(databases.template)}")
        urls = {service: with_database(url, name) for service, url in databases.service_urls.items()}
        amqp_url = server.amqp_url.rpartition("/")[0] + f"/{name}"
        async with AsyncExitStack() as stack:
            pool = await stack.enter_async_context(open_pool(urls["jobs"], name="bench"))
            broker = await stack.enter_async_context(open_broker(amqp_url, name="bench"))
            await apply(broker.consuming, build(parse_tiers(TIERS)))
            yield Stage(amqp_url, with_database(databases.admin_url, name), urls, broker, pool)
    finally:
        server.management.delete_vhost(name)
        await admin.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")
        await admin.close()


def some_jobs(count: int) -> list[NewJob]:
    """Jobs of about 1 KB on the wire, as an event's would be."""
    order = SendNotification(kind="bench", audience=Audience(kind="admins"), params={"text": "x" * 500})
    now, cause = utc_now(), new_id()
    return [
        new_job(Order(order, target=str(number)), cause=cause, cause_type="bench", caused_at=now)
        for number in range(count)
    ]


@dataclass(slots=True)
class CpuMeter:
    """CPU seconds that processes of this run used since the meter was made: servers, and the pids it is told."""

    pids: Sequence[int] = ()
    _before: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        self._before = self._read()

    def spent(self) -> dict[str, float]:
        """CPU seconds by name: `broker`, `postgres`, and `ledger` for the pids."""
        return {name: now - self._before[name] for name, now in self._read().items()}

    def _read(self) -> dict[str, float]:
        found = {"broker": 0.0, "postgres": 0.0, "ledger": 0.0}
        ours = _descendants(os.getpid())
        for pid, (command, seconds) in ours.items():
            if command == "beam.smp":
                found["broker"] += seconds
            elif command == "postgres":
                found["postgres"] += seconds
            elif pid in self.pids:
                found["ledger"] += seconds
        return found


def process_stat(pid: int) -> tuple[str, int, float]:
    """Command, parent and CPU seconds of a process. Raises `OSError` when it ended."""
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - asked for every process of the machine
        head, _, rest = file.read().rpartition(")")
    fields = rest.split()
    return head.partition("(")[2], int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mib(pid: int, kind: str) -> float:
    """What a process has in memory: `VmRSS` now, `VmHWM` at most so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{kind}:")[2].split()[0]) / 1024


def _descendants(root: int) -> dict[int, tuple[str, float]]:
    """(command, CPU seconds) of every process below `root`."""
    parents: dict[int, int] = {}
    told: dict[int, tuple[str, float]] = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - names are all that is wanted
        if not entry.isdigit():
            continue
        try:
            command, parents[int(entry)], seconds = process_stat(int(entry))
        except OSError:  # it ended
            continue
        told[int(entry)] = (command, seconds)

    def is_below(pid: int) -> bool:
        while pid > 1:
            pid = parents.get(pid, 0)
            if pid == root:
                return True
        return False

    return {pid: found for pid, found in told.items() if is_below(pid)}
