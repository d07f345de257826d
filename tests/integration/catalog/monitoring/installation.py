"""The services that monitoring asks, in the test's own process, and faults that a test can do to them."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from aiohttp import web

from services.jobs.api import make_app
from services.jobs.breakers.store import BreakerStore
from services.jobs.dead_letters.models import NewLetter
from services.jobs.dead_letters.store import LetterStore
from services.jobs.models import Order, new_job
from services.jobs.partitions import Partitions
from services.jobs.parts import make_ledger, make_recorder
from services.jobs.rescue.store import RescueStore
from services.jobs.settings import Settings as JobsSettings
from services.jobs.store import in_ledger
from services.scheduler.routes import new_api
from services.scheduler.schedule import read_schedule
from services.scheduler.usecases import Schedules
from shared.clock import utc_now
from shared.contracts.jobs import CheckLowStock
from shared.contracts.reports import AttemptError, AttemptReport, BreakerMoved, Outcome, WorkerSeen
from shared.db.outbox import Outbox
from shared.db.pool import Pool
from shared.ids import new_id
from shared.messaging.topology import WORK
from shared.web.server import serving
from tests.integration.jobs.recording import recorded

SCHEDULE = Path(__file__).resolve().parents[4] / "deploy" / "schedule.toml"


class Place:
    """An address where a service is, and at times is not."""

    def __init__(self, make_app: Callable[[], web.Application]) -> None:
        self._make_app = make_app
        self._open = AsyncExitStack()
        self.port = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    async def come(self) -> None:
        """Answer, at the same port as before."""
        self.port = await self._open.enter_async_context(
            serving(self._make_app(), host="127.0.0.1", port=self.port, grace_seconds=0.1)
        )

    async def go(self) -> None:
        """Answer no more."""
        await self._open.aclose()


@dataclass
class Work:
    """The jobs service: its api, and what workers tell its ledger."""

    pool: Pool
    place: Place

    async def see(self, worker: str, *types: str) -> None:
        """Note that a worker lives."""
        async with self.pool.acquire() as conn:
            await RescueStore(make_ledger()).see_worker(
                conn, WorkerSeen(worker=worker, version="1", types=types, held=())
            )

    async def forget(self, worker: str) -> None:
        """Let a worker have been silent for a minute."""
        await self.pool.execute(
            "UPDATE jobs.workers SET seen_at = now() - interval '1 minute' WHERE worker = $1", worker
        )

    async def waiting_job(self) -> UUID:
        """A job that was published five minutes ago and not begun."""
        job = new_job(Order(CheckLowStock(), target="t"), cause=new_id(), cause_type="test", caused_at=utc_now())
        await Partitions(self.pool, utc_now).ensure_for([job.id])
        ledger = make_ledger()
        await in_ledger(self.pool, lambda conn: ledger.insert(conn, [job]))
        await self.pool.execute(
            "UPDATE jobs.jobs SET published_at = now() - interval '5.5 minutes' WHERE id = $1", job.id
        )
        return job.id

    async def report(self, job_id: UUID, outcome: Outcome) -> None:
        """What became of a job's attempt."""
        report = AttemptReport(
            job_id=job_id,
            job_type="check-low-stock",
            attempt=1,
            fence=1,
            outcome=outcome,
            worker="w",
            started_at=utc_now(),
        )
        await recorded(make_recorder(self.pool, make_ledger()), [report])

    async def tell_breaker(self, job_type: str, *, is_open: bool) -> None:
        """A worker's word on what a type depends on."""
        error = AttemptError(error_class="MailUnavailable", message="no route") if is_open else None
        move = BreakerMoved(job_type=job_type, worker="notifier", is_open=is_open, at=utc_now(), error=error)
        async with self.pool.acquire() as conn:
            await (BreakerStore().open if is_open else BreakerStore().close)(conn, move)

    async def dead_letter(self) -> None:
        """A dead message that nobody could read."""
        letter = NewLetter(
            digest=b"1" * 32,
            queue="events.catalog",
            kind="event",
            type=None,
            message_id=None,
            job_id=None,
            attempt=None,
            reason="unparsable",
            parked_by="consumer",
            properties={},
            body=b"{}",
            is_redelivered=False,
        )
        async with self.pool.acquire() as conn:
            await LetterStore().keep(conn, [letter], ["{}"])

    async def see_all(self) -> None:
        """One worker process for every reader of the topology."""
        for reader in {work.reader for work in WORK}:
            await self.see(reader, *(work.type for work in WORK if work.reader == reader))


def jobs_app(pool: Pool, settings: JobsSettings) -> web.Application:
    """The jobs api."""
    return make_app(settings, pool, None)


def scheduler_app(pool: Pool, *, key: str) -> web.Application:
    """The scheduler's api with the entries that are deployed."""
    entries = read_schedule(SCHEDULE, default_zone="UTC")
    return new_api(Schedules(pool=pool, outbox=Outbox("scheduler"), entries=entries), key=key)
