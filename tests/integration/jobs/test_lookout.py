"""One look a second finds what waits in the ledger, and wakes whom it concerns."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from services.jobs.breakers.store import BreakerStore
from services.jobs.control.store import ControlStore
from services.jobs.lookout import Lookout, Part
from services.jobs.models import NewJob, Order, new_job
from services.jobs.partitions import Partitions
from services.jobs.parts import make_ledger
from services.jobs.schedules.store import HELD
from services.jobs.store import LOOK
from shared.clock import utc_now
from shared.contracts.control import Control
from shared.contracts.jobs import CleanupJobs
from shared.contracts.reports import AttemptError, BreakerMoved
from shared.db.pool import Pool, transaction
from shared.ids import new_id
from tests.eventually import eventually


async def nothing() -> None:
    """Nobody does anything about it here."""


def lookout_of(pool: Pool) -> Lookout:
    return Lookout(pool=pool, ledger=make_ledger(), due=Part(nothing), held=Part(nothing), untold=Part(nothing))


def woken(lookout: Lookout) -> set[str]:
    parts = {"due": lookout.due, "held": lookout.held, "untold": lookout.untold}
    return {name for name, part in parts.items() if part.wake.is_set()}


def a_job() -> NewJob:
    at = utc_now()
    return new_job(Order(CleanupJobs(due_at=at), target="all"), cause=new_id(), cause_type="test", caused_at=at)


async def write(pool: Pool, job: NewJob) -> None:
    await Partitions(pool, utc_now).ensure_for([job.id])
    async with transaction(pool) as conn:
        await make_ledger().insert(conn, [job])
        await make_ledger().release(conn, [job.id])  # whoever wrote it died before it was published


async def test_of_an_empty_ledger_nobody_is_woken(pool: Pool) -> None:
    lookout = lookout_of(pool)
    await lookout.run_once()
    assert woken(lookout) == set()


@pytest.mark.parametrize(
    ("seconds", "expected"), [(-1, {"due"}), (60, set())], ids=["whose time has come", "whose time is to come"]
)
async def test_a_job(pool: Pool, seconds: int, expected: set[str]) -> None:
    await write(pool, replace(a_job(), run_at=utc_now() + timedelta(seconds=seconds)))
    lookout = lookout_of(pool)
    await lookout.run_once()
    assert woken(lookout) == expected


async def test_a_job_that_is_being_published_wakes_nobody(pool: Pool) -> None:
    await write(pool, replace(a_job(), run_at=utc_now() - timedelta(seconds=1)))
    async with transaction(pool) as conn:
        assert len(await make_ledger().claim_due(conn, 10)) == 1
    lookout = lookout_of(pool)
    await lookout.run_once()
    assert woken(lookout) == set()


async def test_a_slot_that_waits_for_another(pool: Pool) -> None:
    await write(pool, replace(a_job(), run_at=HELD))
    lookout = lookout_of(pool)
    await lookout.run_once()
    assert woken(lookout) == {"held"}


async def test_an_instruction_that_no_worker_was_told(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await ControlStore().add(conn, Control(kind="cancel", issued_at=utc_now(), job_id=uuid4(), fence=1))
    lookout = lookout_of(pool)
    await lookout.run_once()
    assert woken(lookout) == {"untold"}


async def test_an_open_breaker_which_may_have_to_be_handed_over(pool: Pool) -> None:
    moved = BreakerMoved(
        job_type="send-email",
        worker="notifier@test",
        at=utc_now(),
        is_open=True,
        error=AttemptError(error_class="DependencyDown", message="away"),
    )
    async with transaction(pool) as conn:
        assert await BreakerStore().open(conn, moved)
    lookout = lookout_of(pool)
    await lookout.run_once()
    assert woken(lookout) == {"untold"}


async def test_a_look_reads_indices_of_what_waits(pool: Pool) -> None:
    await write(pool, a_job())
    async with transaction(pool) as conn:
        await conn.execute("SET LOCAL enable_seqscan = off")  # as it is with many jobs
        look = LOOK.replace("$1", "timestamptz '9999-01-01'")
        plan = "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN {look}"))
    assert "Seq Scan on jobs_" not in plan, plan
    assert plan.count("coalesce") >= 2, plan


async def test_what_only_a_part_knows_wakes_it_and_a_failure_is_not_its_end(pool: Pool) -> None:
    runs: list[str] = []

    async def fail() -> None:
        runs.append("failed")
        raise ConnectionError("away")

    async def work() -> None:
        runs.append("worked")

    lookout = Lookout(
        pool=pool,
        ledger=make_ledger(),
        due=Part(fail, is_wanted=lambda: True),
        held=Part(work, is_wanted=lambda: "worked" not in runs),
        untold=Part(nothing),
    )
    async with lookout.looking():
        await eventually(lambda: runs.count("failed") >= 2, 5)
    assert runs.count("worked") == 1
