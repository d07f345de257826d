"""Finding jobs that a broker, a queue or a worker lost, and sending them round again."""

from typing import Final

from prometheus_client import Counter

from services.jobs.publishing import JobPublisher
from services.jobs.rescue.store import RescueStore
from services.jobs.store import in_ledger
from shared.db.pool import Pool, connection
from shared.errors import Unavailable
from shared.log import get_logger
from shared.messaging.publisher import Publisher
from shared.messaging.work import publish_probe

log = get_logger(__name__)

BATCH: Final = 500
RESCUED = Counter("souk_jobs_rescued", "Jobs that were lost on their way and published again.", ["type"])


class Rescuer:
    """Probes the work queues, and publishes again what is proven to be gone.

    A probe is put into every (type, priority) with jobs out. Queues are FIFO within a priority, so the answer of a
    probe proves that whatever was published before it was delivered, or is gone. A job published before such a probe,
    unreported and in no worker's hands for `silence_seconds`, is lost. Behind a backlog the probe waits too: a long
    queue alone rescues nothing. A job rescued by mistake runs twice, and its effect's guard makes that harmless.
    """

    def __init__(
        self,
        pool: Pool,
        store: RescueStore,
        publisher: Publisher,
        jobs: JobPublisher,
        *,
        probe_seconds: float,
        silence_seconds: float,
    ) -> None:
        self._pool = pool
        self._store = store
        self._publisher = publisher
        self._jobs = jobs
        self._probe_seconds = probe_seconds
        self._silence_seconds = silence_seconds

    async def run_once(self) -> int:
        """Send the probes that are due, rescue what is lost; returns how many jobs that were."""
        async with connection(self._pool) as conn:
            if not await self._store.is_any_out(conn):
                return 0
        await self._probe()
        lost = await in_ledger(
            self._pool,
            lambda conn: self._store.rescue(conn, silence_seconds=self._silence_seconds, limit=BATCH),
        )
        for job in lost:
            RESCUED.labels(job.type).inc()
            log.warning("job_rescued", job_id=str(job.id), type=job.type, was=job.state.value, fence=job.fence + 1)
        if lost:
            await self._jobs.run_once()
        return len(lost)

    async def forget(self) -> None:
        """Drop what nobody asks for any more."""
        async with connection(self._pool) as conn:
            await self._store.forget(conn)

    async def _probe(self) -> None:
        """A probe that is not confirmed stays unanswered; the next one does its work."""
        probes = await in_ledger(
            self._pool, lambda conn: self._store.add_probes(conn, every_seconds=self._probe_seconds)
        )
        for probe in probes:
            try:
                await publish_probe(self._publisher, probe.type, probe.priority, probe.id)
            except Unavailable as exc:
                log.info("probe_not_sent", type=probe.type, error=exc.detail)
                return
