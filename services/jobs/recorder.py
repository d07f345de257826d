"""Recording what workers report: a batch is folded per job, then written in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from aiormq.abc import DeliveredMessage
from pydantic import ValidationError

from services.jobs.models import FINAL, HistoryEntry, JobState, Standing, after_report, entry_of
from services.jobs.store import Ledger, in_ledger
from shared.clock import Clock
from shared.contracts.events import JobFailed, JobFinished
from shared.contracts.reports import AttemptError, AttemptReport, Outcome, ReportBatch
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool
from shared.errors import Unparsable
from shared.ids import derived_id
from shared.log import get_logger
from shared.messaging.delivery import LONGEST_JITTER
from shared.messaging.reporter import REPORT_TYPE
from shared.messaging.topology import Tier
from shared.messaging.work import JobMessage

log = get_logger(__name__)

SCHEDULED_CAUSE: Final = "schedule.due"
_FINISHED_AS: Final = {
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class _Message:
    id: UUID
    reports: tuple[AttemptReport, ...]


class Recorder:
    """Writes reports into the ledger. Killed before the commit, they come again; after it, the inbox knows them."""

    def __init__(self, pool: Pool, ledger: Ledger, outbox: Outbox, tiers: Sequence[Tier], clock: Clock) -> None:
        self._pool = pool
        self._ledger = ledger
        self._outbox = outbox
        self._clock = clock
        self._broker_waits_seconds = tiers[-1].seconds * LONGEST_JITTER + 1

    async def handle(self, messages: Sequence[DeliveredMessage]) -> None:
        """Handle a batch of deliveries of `jobs.ledger`. Raises `Unparsable` for one that is no report."""
        parsed = [self._parse(message) for message in messages]
        await in_ledger(self._pool, lambda conn: self._record(conn, parsed))

    async def _record(self, conn: Connection, messages: Sequence[_Message]) -> None:
        fresh = await self._ledger.first_seen(conn, [message.id for message in messages])
        reports = [report for message in messages if message.id in fresh for report in message.reports]
        before = await self._ledger.lock(conn, (report.job_id for report in reports))
        now = dict(before)
        history: list[HistoryEntry] = []
        for report in reports:
            job = now.get(report.job_id)
            if job is None:
                continue  # pruned: its tombstone keeps it from coming back
            job = after_report(job, report, broker_waits_seconds=self._broker_waits_seconds, now=self._clock())
            now[report.job_id] = job
            history.append(entry_of(report, job.state))
        changed = [job for id_, job in now.items() if job is not before[id_]]
        await self._ledger.save(conn, before, changed, history)
        await self._tell(conn, before, changed)

    async def _tell(self, conn: Connection, before: dict[UUID, Standing], changed: Sequence[Standing]) -> None:
        """Emit what others wait for: final failures, and the end of scheduled work."""
        for job in changed:
            if job.state is before[job.id].state or job.state not in FINAL:
                continue
            if job.state is JobState.FAILED:
                await self._outbox.add(conn, _failed(job), cause=job.cause)
            if job.cause_type == SCHEDULED_CAUSE and job.cause is not None:
                finished = JobFinished.model_validate(
                    {
                        "job_id": job.id,
                        "job_type": job.type,
                        "cause_id": job.cause,
                        "outcome": _FINISHED_AS[job.state],
                    }
                )
                await self._outbox.add(conn, finished, cause=job.cause)

    def _parse(self, message: DeliveredMessage) -> _Message:
        properties = message.header.properties
        if properties.message_type == REPORT_TYPE:
            try:
                batch = ReportBatch.model_validate_json(message.body)
                return _Message(UUID(properties.message_id or ""), batch.reports)
            except (ValidationError, ValueError) as exc:
                raise Unparsable(f"no report: {exc}") from exc
        return self._parse_dead(message)

    def _parse_dead(self, message: DeliveredMessage) -> _Message:
        """A job on the dead-letter exchange: parked by its consumer, which has reported it, or by the broker."""
        headers = message.header.properties.headers or {}
        delivery = JobMessage.parse(message)
        parked_id = derived_id(delivery.envelope.time, "dead", delivery.envelope.id, delivery.fence, delivery.attempt)
        if "souk-reason" in headers:
            return _Message(parked_id, ())
        log.warning("job_parked_by_broker", job_id=str(delivery.envelope.id), type=delivery.envelope.type)
        report = AttemptReport(
            job_id=delivery.envelope.id,
            job_type=delivery.envelope.type,
            attempt=delivery.attempt,
            fence=delivery.fence,
            outcome=Outcome.FAILED,
            worker="broker",
            started_at=self._clock(),
            error=AttemptError(error_class="parked_by_broker", message=str(headers.get("x-first-death-reason", ""))),
        )
        return _Message(parked_id, (report,))


def _failed(job: Standing) -> JobFailed:
    return JobFailed(
        vendor_id=job.vendor_id,
        job_id=job.id,
        job_type=job.type,
        cause_id=job.cause,
        target=job.target,
        error_class=job.error_class or "unknown",
        error_message=job.error_message or "",
    )
