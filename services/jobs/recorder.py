"""Recording what workers report: a batch is folded per job, then written in one transaction."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from uuid import UUID

from aiormq.abc import DeliveredMessage
from prometheus_client import Histogram
from pydantic import ValidationError

from services.jobs.breakers.usecases import Breakers
from services.jobs.models import FINAL, HistoryEntry, JobState, Standing, after_report, entry_of
from services.jobs.quarantine.usecases import Quarantine
from services.jobs.rescue.store import RescueStore
from services.jobs.schedules.overlap import SCHEDULED_CAUSE, endings
from services.jobs.store import Ledger, in_ledger
from shared import tracing
from shared.clock import Clock
from shared.contracts.events import JobFailed, JobFinished
from shared.contracts.reports import (
    AttemptError,
    AttemptReport,
    BreakerMoved,
    Outcome,
    ProbeAnswered,
    ReportBatch,
    WorkerCrashed,
    WorkerSeen,
)
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import Connection, Pool, connection
from shared.errors import Unparsable
from shared.ids import derived_id
from shared.log import get_logger
from shared.messaging.reporter import BREAKER_TYPE, CRASHED_TYPE, PROBED_TYPE, REPORT_TYPE, SEEN_TYPE
from shared.messaging.topology import UNPARSABLE
from shared.messaging.work import PROBE_TYPE, JobMessage

log = get_logger(__name__)

WAIT_SECONDS = Histogram(
    "souk_report_wait_seconds",
    "How long it took from an attempt's end until the ledger had it.",
    buckets=(0.05, 0.2, 1, 5, 30, 120, 600),
)


@dataclass(frozen=True, slots=True)
class _Message:
    id: UUID
    reports: tuple[AttemptReport, ...] = ()
    seen: WorkerSeen | None = None
    probed: ProbeAnswered | None = None
    crash: WorkerCrashed | None = None
    breaker: BreakerMoved | None = None


class Recorder:
    """Writes reports into the ledger. Killed before the commit, they come again; after it, the inbox knows them."""

    def __init__(
        self,
        pool: Pool,
        ledger: Ledger,
        *,
        rescue: RescueStore,
        quarantine: Quarantine,
        breakers: Breakers,
        inbox: Inbox,
        outbox: Outbox,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._ledger = ledger
        self._rescue = rescue
        self._quarantine = quarantine
        self._breakers = breakers
        self._inbox = inbox
        self._outbox = outbox
        self._clock = clock

    async def handle(self, messages: Sequence[DeliveredMessage]) -> None:
        """Handle a batch of deliveries of `jobs.ledger`. Raises `Unparsable` for one that is no report."""
        began_ns = time.time_ns()
        parsed = [found for found in map(self._parse, messages) if found is not None]
        if not parsed:
            return
        if all(message.seen is not None for message in parsed):  # of an idle stack nothing else is heard
            async with connection(self._pool) as conn:
                await self._note_workers(conn, parsed)
            return
        recorded, now = await in_ledger(self._pool, lambda conn: self._record(conn, parsed)), self._clock()
        for report in recorded:
            _tell(report, since_ns=began_ns)
            waited = (now - report.started_at).total_seconds() - (report.run_ms or 0) / 1000
            WAIT_SECONDS.observe(max(0.0, waited))

    async def _record(self, conn: Connection, messages: Sequence[_Message]) -> Sequence[AttemptReport]:
        """Write a batch; returns the reports that were new."""
        unique = {message.id: message for message in messages if message.reports or message.crash}
        fresh = await self._inbox.first_of(conn, list(unique))
        # By id: a message that came twice in one batch counts once.
        reports = [report for id_, message in unique.items() if id_ in fresh for report in message.reports]
        crashes = [message.crash for id_, message in unique.items() if id_ in fresh and message.crash]
        await self._note_workers(conn, messages)
        if crashes or not _are_plain_completions(reports):
            await self._fold(conn, reports, crashes)
        elif reports:
            await self._complete(conn, reports)
        return reports

    async def _complete(self, conn: Connection, reports: Sequence[AttemptReport]) -> None:
        """The rule for a completed attempt is short enough for SQL: it wins over every state but `completed`."""
        ended = await self._ledger.complete(conn, reports, now=self._clock(), tell_cause_type=SCHEDULED_CAUSE)
        traces = _traces_of(reports)
        for job in ended:
            finished = JobFinished(job_id=job.id, job_type=job.type, cause_id=job.cause, outcome="completed")
            await self._outbox.add(conn, finished, traceparent=traces.get(job.id), cause=job.cause)

    async def _fold(self, conn: Connection, reports: Sequence[AttemptReport], crashes: Sequence[WorkerCrashed]) -> None:
        crashed = (attempt.job_id for crash in crashes for attempt in crash.attempts)
        before = await self._ledger.lock(conn, chain((report.job_id for report in reports), crashed))
        now = dict(before)
        history: list[HistoryEntry] = []
        for report in reports:
            job = now.get(report.job_id)
            if job is None:
                continue  # pruned: its tombstone keeps it from coming back
            job = after_report(job, report, now=self._clock())
            now[report.job_id] = job
            history.append(entry_of(report, job.state))
        for crash in crashes:
            for verdict in await self._quarantine.judge(conn, crash, now, now=self._clock()):
                now[verdict.job.id] = verdict.job
                history.append(verdict.entry)
        changed = [job for id_, job in now.items() if job is not before[id_]]
        await self._ledger.save(conn, before, changed, history)
        await self._emit(conn, before, changed, _traces_of(reports))

    async def _note_workers(self, conn: Connection, messages: Sequence[_Message]) -> None:
        """What workers hold and met, and which probes came back. The newest word of each worker counts, in one order
        for all.
        """
        seen = {message.seen.worker: message.seen for message in messages if message.seen is not None}
        for worker in sorted(seen):
            await self._rescue.see_worker(conn, seen[worker])
        for message in messages:
            if message.probed is not None:
                await self._rescue.answer_probe(conn, message.probed.probe_id)
            if message.breaker is not None:
                await self._breakers.moved(conn, message.breaker)

    async def _emit(
        self,
        conn: Connection,
        before: Mapping[UUID, Standing],
        changed: Sequence[Standing],
        traces: Mapping[UUID, str | None],
    ) -> None:
        """Emit what others wait for: final failures, and the end of scheduled work."""
        for job in changed:
            if job.state is before[job.id].state or job.state not in FINAL:
                continue
            if job.state is JobState.FAILED:
                await self._outbox.add(conn, _failed(job), traceparent=traces.get(job.id), cause=job.cause)
            for finished in endings([job]):
                await self._outbox.add(conn, finished, traceparent=traces.get(job.id), cause=job.cause)

    def _parse(self, message: DeliveredMessage) -> _Message | None:
        properties = message.header.properties
        try:
            message_id = UUID(properties.message_id or "")
            match properties.message_type:
                case str(kind) if kind == REPORT_TYPE:
                    return _Message(message_id, ReportBatch.model_validate_json(message.body).reports)
                case str(kind) if kind == SEEN_TYPE:
                    return _Message(message_id, seen=WorkerSeen.model_validate_json(message.body))
                case str(kind) if kind == PROBED_TYPE:
                    return _Message(message_id, probed=ProbeAnswered.model_validate_json(message.body))
                case str(kind) if kind == CRASHED_TYPE:
                    return _Message(message_id, crash=WorkerCrashed.model_validate_json(message.body))
                case str(kind) if kind == BREAKER_TYPE:
                    return _Message(message_id, breaker=BreakerMoved.model_validate_json(message.body))
                case str(kind) if kind == PROBE_TYPE:
                    return None  # its life was over before anybody read its queue
                case _:
                    return self._parse_dead(message)
        except (ValidationError, ValueError) as exc:
            raise Unparsable(f"no report: {exc}") from exc

    def _parse_dead(self, message: DeliveredMessage) -> _Message | None:
        """A job on the dead-letter exchange: parked by its consumer after an attempt, which it has reported;
        parked by its consumer as unreadable, which nobody has reported; or parked by the broker.
        """
        headers = message.header.properties.headers or {}
        is_unreadable = (message.routing_key or "").endswith(f".{UNPARSABLE}")
        try:
            delivery = JobMessage.parse(message)
        except Unparsable:
            if is_unreadable:
                return None  # not even its id can be read; it is kept in the dead queue of its type
            raise
        parked_id = derived_id(delivery.envelope.time, "dead", delivery.envelope.id, delivery.fence, delivery.attempt)
        if "souk-reason" in headers and not is_unreadable:
            return _Message(parked_id, ())
        error = AttemptError(
            error_class=UNPARSABLE if is_unreadable else "parked_by_broker",
            message=str(headers.get("souk-reason" if is_unreadable else "x-first-death-reason", "")),
        )
        log.warning("job_parked", job_id=str(delivery.envelope.id), type=delivery.envelope.type, why=error.error_class)
        report = AttemptReport(
            job_id=delivery.envelope.id,
            job_type=delivery.envelope.type,
            attempt=delivery.attempt,
            fence=delivery.fence,
            outcome=Outcome.FAILED,
            worker="unknown" if is_unreadable else "broker",
            started_at=self._clock(),
            error=error,
        )
        return _Message(parked_id, (report,))


def _traces_of(reports: Sequence[AttemptReport]) -> dict[UUID, str | None]:
    """What the last report of each job belongs to, for what follows from it."""
    return {report.job_id: report.traceparent for report in reports}


def _tell(report: AttemptReport, *, since_ns: int) -> None:
    """One line, and the recording as a span of its own, for a report that is in the ledger now."""
    name = f"record {report.job_type}"
    with tracing.span(name, parent=report.traceparent, kind=tracing.Kind.CONSUMER, since_ns=since_ns) as span:
        span.note("souk.outcome", report.outcome)
        log.info(
            "attempt_recorded",
            job_id=str(report.job_id),
            type=report.job_type,
            attempt=report.attempt,
            outcome=report.outcome,
        )


def _are_plain_completions(reports: Sequence[AttemptReport]) -> bool:
    """Whether each report is of another job and says that it is done: nothing is to be folded."""
    return all(report.outcome is Outcome.COMPLETED and report.error is None for report in reports) and (
        len({report.job_id for report in reports}) == len(reports)
    )


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
