"""Overlap rules: what a slot does while the job of an earlier slot is open, and what the scheduler is told of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import pytest

from services.jobs.control.store import ControlStore
from services.jobs.control.usecases import ControlDesk
from services.jobs.models import JobState, Order, new_job
from services.jobs.partitions import Partitions
from services.jobs.parts import make_ledger, make_recorder
from services.jobs.schedules.overlap import Overlap, Slot
from services.jobs.store import in_ledger
from shared.clock import utc_now
from shared.contracts.events import ScheduleDue
from shared.contracts.jobs import CheckLowStock, CleanupJobs
from shared.contracts.reports import AttemptReport, Outcome
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool
from shared.ids import new_id
from shared.messaging.attempt import Attempt
from shared.web.identity import Identity, Role
from tests.eventually import eventually
from tests.integration.jobs.conftest import Marketplace
from tests.integration.jobs.recording import delivered

ADMIN = Identity(new_id(), Role.ADMIN)
START = utc_now().replace(microsecond=0)
Rule = Literal["skip", "queue", "allow"]


class Killed(Exception):
    """Stands for the end of the process."""


class Slots:
    """The dispatcher's and the recorder's parts of a ledger, in a test's hands."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.ledger = make_ledger()
        self.overlap = Overlap(pool, Outbox("jobs"))
        self.recorder = make_recorder(pool, self.ledger)

    def slot(self, minute: int, rule: Rule, entry: str = "nightly") -> Slot:
        due_at = START + timedelta(minutes=minute)
        event = ScheduleDue(entry=entry, job_type="cleanup-jobs", payload={}, due_at=due_at, overlap=rule)
        order = Order(CleanupJobs(due_at=due_at), target=entry)
        return Slot(event, new_job(order, cause=new_id(), cause_type="schedule.due", caused_at=due_at))

    async def admit(self, conn: Connection, *slots: Slot) -> list[UUID]:
        admitted = await self.overlap.admit(conn, slots)
        await self.ledger.insert(conn, admitted)
        return [job.id for job in admitted]

    async def come(self, *slots: Slot) -> list[UUID]:
        """Dispatch these in one transaction; the ids of the jobs made."""
        await Partitions(self.pool, utc_now).ensure_for(slot.job.id for slot in slots)
        return await in_ledger(self.pool, lambda conn: self.admit(conn, *slots))

    async def end(self, job_id: UUID, outcome: Outcome = Outcome.COMPLETED) -> None:
        report = AttemptReport(
            job_id=job_id,
            job_type="cleanup-jobs",
            attempt=1,
            fence=1,
            outcome=outcome,
            worker="w",
            started_at=utc_now(),
        )
        await self.recorder.handle([delivered([report])])

    async def waiting(self) -> dict[UUID, bool]:
        """Each open job and whether it may be published now."""
        rows = await self.pool.fetch(
            "SELECT id, coalesce(run_at, created_at) <= now() AS due FROM jobs.jobs WHERE finished_at IS NULL"
        )
        return {row["id"]: row["due"] for row in rows}

    async def told(self, job_id: UUID) -> list[str]:
        """What the scheduler was told of a job, in order."""
        rows = await self.pool.fetch(
            "SELECT body::jsonb->'data'->>'outcome' AS outcome FROM jobs.outbox "
            "WHERE type = 'job.finished' AND body::jsonb->'data'->>'job_id' = $1 ORDER BY seq",
            str(job_id),
        )
        return [row["outcome"] for row in rows]


@pytest.fixture
def slots(pool: Pool) -> Slots:
    return Slots(pool)


async def test_skip_makes_no_second_job_while_one_is_open(slots: Slots) -> None:
    first, second, third = (slots.slot(minute, "skip") for minute in range(3))
    assert await slots.come(first) == [first.job.id]
    assert await slots.come(second) == []
    await slots.end(first.job.id, Outcome.FAILED)
    assert await slots.come(third) == [third.job.id]
    assert [await slots.told(slot.job.id) for slot in (first, second, third)] == [
        ["started", "failed"],
        ["skipped"],
        ["started"],
    ]


async def test_allow_makes_every_job_at_once(slots: Slots) -> None:
    two = [slots.slot(minute, "allow") for minute in range(2)]
    await slots.come(*two)
    assert await slots.waiting() == {slot.job.id: True for slot in two}


async def test_queue_lets_one_go_after_the_other_in_the_order_of_the_slots(slots: Slots) -> None:
    first, second, third = (slots.slot(minute, "queue") for minute in range(3))
    other = slots.slot(0, "queue", entry="another")
    await slots.come(first, second, other)
    await slots.come(third)
    assert await slots.overlap.run_once() == 0
    assert await slots.waiting() == {
        first.job.id: True,
        second.job.id: False,
        third.job.id: False,
        other.job.id: True,
    }
    await slots.end(first.job.id, Outcome.FAILED)
    # Whatever number of ledgers look at once, one job goes.
    assert sum(await asyncio.gather(*(slots.overlap.run_once() for _ in range(3)))) == 1
    assert await slots.waiting() == {second.job.id: True, third.job.id: False, other.job.id: True}
    await slots.end(second.job.id)
    assert await slots.overlap.run_once() == 1
    assert await slots.told(second.job.id) == ["queued", "started", "completed"]
    assert await slots.told(third.job.id) == ["queued", "started"]


async def test_a_slot_that_comes_just_as_the_earlier_ends_is_not_held_for_ever(slots: Slots) -> None:
    first, second = (slots.slot(minute, "queue") for minute in range(2))
    await slots.come(first)

    async def decide_then_wait(conn: Connection) -> None:
        await slots.admit(conn, second)
        await slots.end(first.job.id)
        assert await slots.overlap.run_once() == 0  # it can't see what is not committed

    await in_ledger(slots.pool, decide_then_wait)
    assert await slots.overlap.run_once() == 1
    assert await slots.waiting() == {second.job.id: True}


async def test_killed_before_the_commit_nothing_happened(slots: Slots) -> None:
    first, second = (slots.slot(minute, "queue") for minute in range(2))
    await slots.come(first)

    async def killed(conn: Connection) -> None:
        await slots.admit(conn, second)
        raise Killed

    with pytest.raises(Killed):
        await in_ledger(slots.pool, killed)
    assert await slots.told(second.job.id) == []
    await slots.end(first.job.id)
    assert await slots.come(second) == [second.job.id]
    assert await slots.told(second.job.id) == ["started"]


async def test_two_ledgers_never_both_find_nothing_open(slots: Slots) -> None:
    several = [slots.slot(minute, "skip", entry) for minute in range(6) for entry in ("a", "b")]
    made = await asyncio.gather(*(slots.come(*pair) for pair in zip(several[::2], several[1::2], strict=True)))
    assert sorted(len(ids) for ids in made) == [0, 0, 0, 0, 0, 2]


async def test_a_cancelled_slot_is_told_and_the_next_one_goes(slots: Slots) -> None:
    first, second, third = (slots.slot(minute, "queue") for minute in range(3))
    await slots.come(first, second, third)
    desk = ControlDesk(slots.pool, slots.ledger, ControlStore(), utc_now)
    for slot in (second, first):  # one that is held, and one that waits in its queue
        assert await desk.cancel(slot.job.id, by=ADMIN, request_id=None) is JobState.CANCELLED
    assert await slots.overlap.run_once() == 1
    assert await slots.told(second.job.id) == ["queued", "cancelled"]
    assert await slots.told(third.job.id) == ["queued", "started"]


async def test_queued_slots_run_one_after_the_other(marketplace: Marketplace, pool: Pool) -> None:
    """Through the whole ledger: a held job is shown as scheduled, without a time."""
    let_go = asyncio.Event()
    running: list[datetime] = []
    most_at_once = 0

    async def check(job: CheckLowStock, _: Attempt) -> None:
        nonlocal most_at_once
        assert job.due_at is not None
        running.append(job.due_at)
        most_at_once = max(most_at_once, len(running))
        await let_go.wait()
        running.remove(job.due_at)

    causes = []
    for minute in range(2):
        due_at = datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
        due = ScheduleDue(entry="e", job_type="check-low-stock", payload={}, due_at=due_at, overlap="queue")
        causes.append(await marketplace.publish(due))
    async with marketplace.working({CheckLowStock: check}):
        await eventually(lambda: len(running) == 1)

        async def both_are_there() -> bool:
            return bool(await pool.fetchval("SELECT count(*) = 2 FROM jobs.jobs"))

        await eventually(both_are_there)
        states = sorted([shown.job.state for cause in causes for shown in await marketplace.jobs_of(cause)])
        assert states[-1] == "scheduled"
        let_go.set()

        async def all_done() -> bool:
            await Overlap(pool, Outbox("jobs")).run_once()
            return bool(await pool.fetchval("SELECT count(*) = 2 FROM jobs.jobs WHERE state = 'completed'"))

        await eventually(all_done, timeout=20)
    assert most_at_once == 1
