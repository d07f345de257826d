"""What workers tell the ledger. Many reports travel in one message."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, JsonValue, NonNegativeInt, PositiveInt

from shared.contracts.base import Contract, Text

MAX_ERROR_CHARS = 2048
MAX_RESULT_BYTES = 16 * 1024
Share = Annotated[float, Field(ge=0, le=1)]
"""0 is nothing, 1 is all."""


class Outcome(StrEnum):
    """What became of one attempt."""

    STARTED = "started"
    """The handler runs; said only of attempts that take long enough to be seen."""
    COMPLETED = "completed"
    """The effect happened."""
    RETRYING = "retrying"
    """It failed and goes to a retry exchange; `retry_at` says until when."""
    FAILED = "failed"
    """It failed for good: not worth another attempt, or none left."""
    CANCELLED = "cancelled"
    """The handler was asked to stop and did, before its effect."""


class AttemptError(Contract):
    """Why an attempt failed: the error's class and its message, cut at 2 KB."""

    error_class: Text
    message: Annotated[str, Field(max_length=MAX_ERROR_CHARS)]


class AttemptReport(Contract):
    """One attempt of one job. `fence` is the message's: the ledger tells copies of a job apart by it."""

    job_id: UUID
    job_type: Text
    attempt: PositiveInt
    fence: NonNegativeInt
    outcome: Outcome
    worker: Text
    started_at: datetime
    run_ms: NonNegativeInt = 0
    error: AttemptError | None = None
    retry_at: datetime | None = None
    waits_in_ledger: bool = False
    """The ledger is to publish the next attempt at `retry_at`: the wait fits no retry queue."""
    result: JsonValue = None
    is_spent: bool = True
    """False when what the job depends on was away: the same attempt comes again, and nothing is counted."""
    traceparent: Text | None = None
    """The attempt as what the report, and what follows from it, was caused by."""


class HeldAttempt(Contract):
    """An attempt that a worker has in its hands: delivered to it, not yet settled."""

    job_id: UUID
    fence: NonNegativeInt
    attempt: PositiveInt
    progress: Share | None = None
    """How much of it is done, where its handler tells."""


class WorkerSeen(Contract):
    """A worker lives, reads these types and holds these attempts. Sent every 5 s, with empty hands too; every second
    while an attempt tells how far it has come.
    """

    worker: Text
    version: Text
    types: tuple[Text, ...]
    held: tuple[HeldAttempt, ...]


class CrashedAttempt(HeldAttempt):
    """An attempt that ran when its worker process ended without a word."""

    job_type: Text


class WorkerCrashed(Contract):
    """A worker process ended in the middle of these; told by the next process of its slot before it takes any job.

    One attempt alone is a crash of that job. Of several each is a suspect only. `crash_id` is the dead process's run
    and the message's id: told twice, it is one crash.
    """

    crash_id: UUID
    worker: Text
    attempts: tuple[CrashedAttempt, ...]


class BreakerMoved(Contract):
    """What the jobs of a type depend on is away, or is away still, or is back: as this worker found it at `at`."""

    job_type: Text
    worker: Text
    is_open: bool
    at: datetime
    error: AttemptError | None = None


class ProbeAnswered(Contract):
    """A probe came through a work queue: what was published before it, at its priority, was delivered or is gone."""

    probe_id: UUID
    worker: Text


class ReportBatch(Contract):
    """The reports that gathered while the batch before was in flight; at most 200."""

    reports: tuple[AttemptReport, ...]
