"""What becomes of the jobs that ran when a worker process ended without a word."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from prometheus_client import Counter

from services.jobs.control.store import ControlStore
from services.jobs.models import FINAL, HistoryEntry, JobState, Standing
from services.jobs.quarantine.store import SuspectStore
from shared.contracts.control import Control
from shared.contracts.reports import CrashedAttempt, WorkerCrashed
from shared.db.pool import Connection
from shared.log import get_logger

log = get_logger(__name__)

CRASHES_TO_PARK: Final = 3
KILLED_ITS_WORKER: Final = "KilledItsWorker"
CRASHES = Counter("souk_worker_crashes", "Worker processes that ended in the middle of jobs.", ["is_counted"])
PARKED = Counter("souk_jobs_parked_for_crashes", "Jobs that ended three worker processes.", ["type"])


@dataclass(frozen=True, slots=True)
class Verdict:
    """A job after a crash it was in: its row, changed or as it was, and the line of its history."""

    job: Standing
    entry: HistoryEntry


class Quarantine:
    """Counts crashes. One job alone in a crash is counted; of several each is only suspected, and run alone from then.

    A job whose process somebody killed is counted too, once: only `CRASHES_TO_PARK` of them park a job. Nothing of
    this spends an attempt: the broker delivers the same message again.
    """

    def __init__(self, store: SuspectStore, control: ControlStore) -> None:
        self._store = store
        self._control = control

    async def judge(
        self, conn: Connection, crash: WorkerCrashed, jobs: Mapping[UUID, Standing], *, now: datetime
    ) -> list[Verdict]:
        """Judge the locked `jobs` of a crash, and tell the workers of each; to be saved by the caller, in the same
        transaction. A crash is judged once: the caller's inbox knows it.
        """
        is_counted = len(crash.attempts) == 1
        CRASHES.labels(str(is_counted).lower()).inc()
        verdicts = []
        for attempt in sorted(crash.attempts, key=lambda each: each.job_id):  # rows in one order for every writer
            count = await self._store.suspect(conn, attempt.job_id, is_counted=is_counted)
            job = jobs.get(attempt.job_id)
            is_parked = job is not None and job.state not in FINAL and is_counted and count >= CRASHES_TO_PARK
            if is_parked:
                await self._store.count_anew(conn, attempt.job_id)
            word = Control(
                kind="park" if is_parked else "suspect",
                issued_at=now,
                job_id=attempt.job_id,
                fence=attempt.fence if job is None else job.fence,
                cause=crash.crash_id,
            )
            await self._control.add(conn, word)
            if job is not None:
                verdicts.append(_verdict(job, attempt, crash, count=count if is_counted else None, now=now))
        return verdicts


def _verdict(
    job: Standing, attempt: CrashedAttempt, crash: WorkerCrashed, *, count: int | None, now: datetime
) -> Verdict:
    """`count` is the number of this crash of the job alone, None where others ran beside it."""
    others = len(crash.attempts) - 1
    message = (
        f"A worker process ended while it ran this job and {others} others."
        if count is None
        else f"{count} of {CRASHES_TO_PARK} worker processes ended while they ran this job and nothing else."
    )
    entry = HistoryEntry(
        job_id=job.id,
        state=job.state,
        outcome="suspected" if count is None else "crashed",
        attempt=attempt.attempt,
        fence=attempt.fence,
        worker=crash.worker,
        error_class=KILLED_ITS_WORKER,
        error_message=message,
    )
    log.warning("worker_crashed", job_id=str(job.id), type=job.type, crashes=count, others=others)
    if job.state in FINAL or count is None or count < CRASHES_TO_PARK:
        return Verdict(job, entry)
    PARKED.labels(job.type).inc()
    parked = replace(
        job,
        state=JobState.FAILED,
        attempt=max(job.attempt, attempt.attempt),
        finished_at=now,
        retry_at=None,
        waits_in_ledger=False,
        error_class=KILLED_ITS_WORKER,
        error_message=message,
    )
    return Verdict(parked, replace(entry, state=JobState.FAILED, outcome="parked"))
