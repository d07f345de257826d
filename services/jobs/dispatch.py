"""From events to jobs: the rows first, then the messages, then the ack."""

from collections.abc import Sequence
from uuid import UUID

from aiormq.abc import DeliveredMessage
from prometheus_client import Counter
from pydantic import ValidationError

from services.jobs.models import NewJob, new_job
from services.jobs.partitions import Partitions
from services.jobs.policy import orders_for
from services.jobs.publishing import JobPublisher, due_now
from services.jobs.schedules.overlap import Overlap, Slot
from services.jobs.store import Ledger
from shared import tracing
from shared.contracts.events import ScheduleDue
from shared.db.outbox import Inbox
from shared.db.pool import Connection
from shared.errors import Unparsable
from shared.log import get_logger
from shared.messaging.reader import Received, observe_wait, parse_event

log = get_logger(__name__)

DISPATCHED = Counter("souk_jobs_dispatched", "Jobs made of events.")


class Dispatcher:
    """Makes jobs of a batch of events, in one transaction with the inbox rows of the events.

    Killed before the commit, the events come again. Killed after it, the rows are there without `published_at` and
    `JobPublisher.run_once` takes them up; the events come again and find themselves in the inbox.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        inbox: Inbox,
        overlap: Overlap,
        partitions: Partitions,
        publisher: JobPublisher,
    ) -> None:
        self._ledger = ledger
        self._inbox = inbox
        self._overlap = overlap
        self._partitions = partitions
        self._publisher = publisher

    async def handle(self, messages: Sequence[DeliveredMessage]) -> None:
        """Handle a batch of deliveries of `events.dispatch`. Raises `Unparsable` for one that holds no event."""
        received = [event for event in map(parse_event, messages) if event is not None]
        spans = [_span_of(event) for event in received]
        jobs = {event.envelope.id: _jobs_of(event, span) for event, span in zip(received, spans, strict=True)}
        await self._partitions.ensure_for(job.id for orders in jobs.values() for job in orders)
        written = await self._publisher.claimed(lambda conn: self._write(conn, received, jobs))
        DISPATCHED.inc(len(written))
        await self._publisher.publish([due_now(job) for job in written if job.run_at is None])
        for event, span in zip(received, spans, strict=True):
            observe_wait(event.envelope)
            span.end()
        for job in written:
            _tell(job)

    async def _write(
        self, conn: Connection, received: Sequence[Received], jobs: dict[UUID, tuple[NewJob, ...]]
    ) -> list[NewJob]:
        unique = {item.envelope.id: item for item in received}  # an event may come twice in one batch
        fresh = await self._inbox.first_of(conn, list(unique))
        wanted: list[NewJob] = []
        slots: list[Slot] = []
        for event_id, item in unique.items():
            if event_id not in fresh:
                continue
            if isinstance(item.event, ScheduleDue):
                slots += [Slot(item.event, job) for job in jobs[event_id]]
            else:
                wanted += jobs[event_id]
        wanted += await self._overlap.admit(conn, sorted(slots, key=lambda slot: slot.event.due_at))
        inserted = await self._ledger.insert(conn, wanted) if wanted else frozenset()
        return [job for job in wanted if job.id in inserted]


def _span_of(received: Received) -> tracing.Span:
    name = f"dispatch {received.envelope.type}"
    return tracing.span(name, parent=received.traceparent, kind=tracing.Kind.CONSUMER)


def _tell(job: NewJob) -> None:
    log.info(
        "job_dispatched",
        job_id=str(job.id),
        type=job.type,
        cause=str(job.cause),
        cause_type=job.cause_type,
        trace_id=tracing.trace_id_of(job.traceparent),
    )


def _jobs_of(received: Received, span: tracing.Span) -> tuple[NewJob, ...]:
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
            traceparent=span.traceparent,
            parent=envelope.causationid,
        )
        for order in orders
    )
