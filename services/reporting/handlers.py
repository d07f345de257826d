"""Reporting's message edge."""

import time
from collections.abc import Sequence

from aiormq.abc import DeliveredMessage
from pydantic import JsonValue

from services.reporting.counting import Counting
from services.reporting.usecases import Reports, counts_of, known_type
from shared.contracts.jobs import GenerateReport
from shared.messaging.attempt import Attempt
from shared.messaging.reader import parse_event, tell_handled


async def record_events(messages: Sequence[DeliveredMessage], *, counting: Counting) -> None:
    """Count a batch of events; those of a type this version does not know are of no interest."""
    began_ns = time.time_ns()
    received = [parsed for message in messages if (parsed := parse_event(message)) is not None]
    await counting.record(received)
    for event in received:
        tell_handled(event, since_ns=began_ns)


async def generate_report(job: GenerateReport, attempt: Attempt, *, reports: Reports) -> JsonValue:
    """Build a report, the result says which and what is in it; or ask for all that are due, the result says how many.

    A cancelled one is not written.
    """
    if job.scope == "due":
        return {"reports_asked_for": await reports.request_due(known_type(job.report_type), job.due_at)}
    report = await reports.generate(job, attempt=attempt)
    return {
        "report_id": str(report.id),
        "report_type": report.type,
        "period": {"from": report.period.first.isoformat(), "to": report.period.last.isoformat()},
        **counts_of(report),
    }
