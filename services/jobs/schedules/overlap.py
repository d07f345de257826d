"""What a slot of the schedule does while the job of an earlier slot is open: `skip`, `queue` or `allow`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal
from uuid import UUID

from services.jobs.models import JobState, NewJob, Standing
from services.jobs.schedules import store
from services.jobs.store import in_ledger
from shared.contracts.events import JobFinished, ScheduleDue
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool
from shared.log import get_logger

log = get_logger(__name__)

SCHEDULED_CAUSE: Final = ScheduleDue.type
_ENDED_AS: Final[dict[JobState, Literal["completed", "failed", "cancelled"]]] = {
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot that came due, and the job it asks for."""

    event: ScheduleDue
    job: NewJob


class Overlap:
    """Applies the rules within the dispatcher's transaction, and lets held jobs go when their turn comes.

    A crash before the dispatcher's commit leaves nothing: the event comes again and is decided anew. After it, job and
    answer are both there. A held job is released by whichever ledger process looks next, in one statement with its
    answer; killed before that commit, it is still held and the next look finds it.
    """

    def __init__(self, pool: Pool, outbox: Outbox) -> None:
        self._pool = pool
        self._outbox = outbox

    async def admit(self, conn: Connection, slots: Sequence[Slot]) -> list[NewJob]:
        """The jobs to be written for slots, given in the order they came due; answers go into the outbox.

        A slot of the same batch that was let in counts as open for those behind it.
        """
        if not slots:
            return []
        await store.lock_entries(conn, (slot.event.entry for slot in slots))
        is_open = await store.open_of(conn, ((slot.job.type, slot.job.target) for slot in slots))
        admitted: list[NewJob] = []
        for slot in slots:
            outcome, job = _decided(slot, is_behind=(slot.job.type, slot.job.target) in is_open)
            if job is not None:
                is_open.add((job.type, job.target))
                admitted.append(job)
            told = _said(slot.job.id, slot.job.type, slot.job.cause, outcome)
            await self._outbox.add(conn, told, traceparent=slot.job.traceparent, cause=told.cause_id)
        return admitted

    async def run_once(self) -> int:
        """Let held jobs go whose predecessors are over; returns how many."""
        released = await in_ledger(self._pool, self._release)
        for job in released:
            log.info("slot_released", job_id=str(job.id), type=job.type, entry=job.target)
        return len(released)

    async def _release(self, conn: Connection) -> list[store.Released]:
        released = await store.release(conn)
        for job in released:
            await self._outbox.add(conn, _said(job.id, job.type, job.cause, "started"), cause=job.cause)
        return released


def endings(jobs: Iterable[Standing]) -> list[JobFinished]:
    """What is to be told of jobs that have just ended: those that a slot caused."""
    return [
        _said(job.id, job.type, job.cause, _ENDED_AS[job.state])
        for job in jobs
        if job.cause_type == SCHEDULED_CAUSE and job.state in _ENDED_AS
    ]


def _decided(slot: Slot, *, is_behind: bool) -> tuple[Literal["started", "queued", "skipped"], NewJob | None]:
    match slot.event.overlap:
        case "skip" if is_behind:
            return "skipped", None
        case "queue" if is_behind:
            return "queued", replace(slot.job, run_at=store.HELD)
        case _:
            return "started", slot.job


def _said(
    job_id: UUID,
    job_type: str,
    cause: UUID | None,
    outcome: Literal["started", "queued", "skipped", "completed", "failed", "cancelled"],
) -> JobFinished:
    assert cause is not None, "a slot's job has its event as cause"
    return JobFinished(job_id=job_id, job_type=job_type, cause_id=cause, outcome=outcome)
