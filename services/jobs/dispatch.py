"""From events to jobs: the rows first, then the messages, then the ack."""

import hashlib
from collections.abc import Sequence
from uuid import UUID

from aiormq.abc import DeliveredMessage
from prometheus_client import Counter
from pydantic import ValidationError

from services.jobs.models import NewJob, new_job
from services.jobs.partitions import Partitions
from services.jobs.policy import orders_for
from services.jobs.publishing import JobPublisher, due_now
from services.jobs.store import Ledger, in_ledger
from shared.contracts.events import JobFinished, ScheduleDue
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import Connection, Pool
from shared.errors import Unparsable
from shared.log import get_logger
from shared.messaging.reader import Received, parse_event
from shared.messaging.topology import WORK_BY_TYPE

log = get_logger(__name__)

DISPATCHED = Counter("souk_jobs_dispatched", "Jobs made of events.")


class Dispatcher:
    """Makes jobs of a batch of events, in one transaction with the inbox rows of the events.

    Killed before the commit, the events come again. Killed after it, the rows are there without `published_at` and
    `JobPublisher.run_once` takes them up; the events come again and find themselves in the inbox.
    """

    def __init__(
        self,
        pool: Pool,
        ledger: Ledger,
        *,
        inbox: Inbox,
        outbox: Outbox,
        partitions: Partitions,
        publisher: JobPublisher,
    ) -> None:
        self._pool = pool
        self._ledger = ledger
        self._inbox = inbox
        self._outbox = outbox
        self._partitions = partitions
        self._publisher = publisher

    async def handle(self, messages: Sequence[DeliveredMessage]) -> None:
        """Handle a batch of deliveries of `events.dispatch`. Raises `Unparsable` for one that holds no event."""
        received = [event for event in map(parse_event, messages) if event is not None]
        jobs = {event.envelope.id: _jobs_of(event) for event in received}
        await self._partitions.ensure_for(job.id for orders in jobs.values() for job in orders)
        written = await in_ledger(self._pool, lambda conn: self._write(conn, received, jobs))
        if written:
            DISPATCHED.inc(len(written))
            log.info("events_dispatched", events=len(received), jobs=len(written))
        await self._publisher.publish([due_now(job) for job in written])

    async def _write(
        self, conn: Connection, received: Sequence[Received], jobs: dict[UUID, tuple[NewJob, ...]]
    ) -> list[NewJob]:
        unique = {item.envelope.id: item for item in received}  # an event may come twice in one batch
        fresh = await self._inbox.first_of(conn, list(unique))
        wanted: list[NewJob] = []
        for event_id, item in unique.items():
            if event_id not in fresh:
                continue
            if isinstance(item.event, ScheduleDue) and await self._is_skipped(conn, item, jobs[event_id], wanted):
                continue
            wanted += jobs[event_id]
        inserted = await self._ledger.insert(conn, wanted) if wanted else frozenset()
        return [job for job in wanted if job.id in inserted]

    async def _is_skipped(
        self, conn: Connection, item: Received, jobs: Sequence[NewJob], wanted: Sequence[NewJob]
    ) -> bool:
        """Apply the overlap rule of a schedule's entry; the answer goes back as `job.finished`.

        An earlier slot runs if its job is open in the ledger or among those this batch is about to write.
        """
        event = item.event
        assert isinstance(event, ScheduleDue)
        # Two ledgers must not both find nothing running.
        await conn.execute("SELECT pg_advisory_xact_lock($1)", _lock_key(event.entry))
        is_running = any((job.type, job.target) == (event.job_type, event.entry) for job in wanted) or (
            await self._ledger.has_open(conn, WORK_BY_TYPE[event.job_type], event.entry)
        )
        is_skipped = is_running and event.overlap == "skip"
        await self._outbox.add(
            conn,
            JobFinished(
                job_id=jobs[0].id,
                job_type=event.job_type,
                cause_id=item.envelope.id,
                outcome="skipped" if is_skipped else "started",
            ),
            cause=item.envelope.id,
        )
        return is_skipped


def _jobs_of(received: Received) -> tuple[NewJob, ...]:
    envelope, event = received.envelope, received.event
    try:
        orders = orders_for(event)
    except (ValidationError, KeyError) as exc:
        raise Unparsable(f"{envelope.type} asks for a job that does not exist as asked: {exc}") from exc
    return tuple(
        new_job(
            order,
            cause=envelope.id,
            cause_type=envelope.type,
            caused_at=envelope.time,
            vendor_id=event.vendor_id,
            traceparent=envelope.traceparent,
        )
        for order in orders
    )


def _lock_key(entry: str) -> int:
    return int.from_bytes(hashlib.sha256(entry.encode()).digest()[:8], "big", signed=True)
