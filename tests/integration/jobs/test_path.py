"""From an event to a finished job, through the real broker and the real ledger."""

from datetime import UTC, datetime
from uuid import UUID

from services.jobs.models import JobState
from services.jobs.usecases import ShownJob
from shared.contracts import events, jobs
from shared.contracts.base import Money
from shared.errors import InvalidInput, Unavailable
from shared.ids import new_id
from shared.messaging.attempt import Attempt
from shared.web.identity import Identity, Role
from tests.eventually import eventually
from tests.integration.jobs.conftest import Marketplace

ADMIN = Identity(new_id(), Role.ADMIN)


def submitted() -> events.ProductSubmitted:
    return events.ProductSubmitted(
        vendor_id=new_id(),
        product_id=new_id(),
        version=1,
        sku="S-1",
        title="Walnut bowl",
        vendor_name="Atelier North",
        price=Money(amount_minor=1999, currency="EUR"),
    )


async def in_state(marketplace: Marketplace, cause: UUID, *states: JobState) -> list[ShownJob]:
    """The jobs of a cause once all are in one of the states."""

    async def reached() -> list[ShownJob]:
        found = await marketplace.jobs_of(cause)
        return found if found and all(shown.job.state in states for shown in found) else []

    return await eventually(reached, 15)


async def test_an_event_makes_the_jobs_of_the_policy_and_they_run_to_completion(marketplace: Marketplace) -> None:
    mailed: list[jobs.SendEmail] = []

    async def send_email(job: jobs.SendEmail, attempt: Attempt) -> dict[str, object]:
        mailed.append(job)
        return {"sent": 1}

    async def send_notification(job: jobs.SendNotification, attempt: Attempt) -> None:
        return None

    async with marketplace.working({jobs.SendEmail: send_email, jobs.SendNotification: send_notification}):
        cause = await marketplace.publish(submitted())
        found = await in_state(marketplace, cause, JobState.COMPLETED)

    assert sorted((shown.job.type, shown.job.priority) for shown in found) == [
        ("send-email", 2),
        ("send-notification", 3),
    ]
    assert [job.letter for job in mailed] == ["product_submitted"]
    email = next(shown for shown in found if shown.job.type == "send-email")
    assert email.job.result == {"sent": 1}
    assert [line.entry.outcome for line in email.history] == ["completed"]
    stats = await marketplace.desk.stats()
    assert stats["total"] == stats["completed"] == 2
    assert await eventually(marketplace.told_changes) >= {"send-email", "send-notification"}


async def test_the_same_event_delivered_twice_makes_its_jobs_once(marketplace: Marketplace) -> None:
    event, event_id = submitted(), new_id()
    await marketplace.publish(event, event_id=event_id)
    await in_state(marketplace, event_id, JobState.PENDING)
    await marketplace.publish(event, event_id=event_id)
    other = await marketplace.publish(submitted())
    await in_state(marketplace, other, JobState.PENDING)  # read behind the repeated one
    assert len(await marketplace.jobs_of(event_id)) == 2
    assert (await marketplace.desk.stats())["total"] == 4


async def test_a_job_that_fails_climbs_the_retry_tiers_and_is_kept_as_failed_with_every_error(
    marketplace: Marketplace,
) -> None:
    async def refuse(job: jobs.ProcessImage, attempt: Attempt) -> None:
        raise Unavailable(f"store away, attempt {attempt.number}")

    async with marketplace.working({jobs.ProcessImage: refuse}):
        cause = await marketplace.publish(
            events.ImageAdded(vendor_id=new_id(), image_id=new_id(), product_id=new_id(), source="blob:x")
        )
        [shown] = await in_state(marketplace, cause, JobState.FAILED)

    assert [(line.entry.attempt, line.entry.outcome, line.entry.error_message) for line in shown.history] == [
        (1, "retrying", "store away, attempt 1"),
        (2, "retrying", "store away, attempt 2"),
        (3, "failed", "store away, attempt 3"),
    ]
    assert shown.job.error_class == "Unavailable"
    assert (await marketplace.desk.stats())["failed"] == 1


async def test_an_error_that_no_retry_mends_fails_at_once_and_a_hand_brings_it_to_completion(
    marketplace: Marketplace,
) -> None:
    mended = False

    async def process(job: jobs.ProcessImage, attempt: Attempt) -> dict[str, int]:
        if not mended:
            raise InvalidInput("this is no image")
        return {"attempt": attempt.number}

    async with marketplace.working({jobs.ProcessImage: process}):
        cause = await marketplace.publish(
            events.ImageAdded(vendor_id=new_id(), image_id=new_id(), product_id=new_id(), source="blob:x")
        )
        [failed] = await in_state(marketplace, cause, JobState.FAILED)
        assert failed.job.attempt == 1
        mended = True
        await marketplace.desk.retry(failed.job.id, by=ADMIN, request_id=None)
        [shown] = await in_state(marketplace, cause, JobState.COMPLETED)

    assert shown.job.result == {"attempt": 2}
    assert [line.entry.outcome for line in shown.history] == ["failed", "retried_by_hand", "completed"]
    stats = await marketplace.desk.stats()
    assert (stats["total"], stats["completed"], stats["failed"]) == (1, 1, 0)


async def test_retry_after_longer_than_the_last_tier_waits_in_the_ledger(marketplace: Marketplace) -> None:
    async def later(job: jobs.ProcessImage, attempt: Attempt) -> None:
        if attempt.number == 1:
            raise Unavailable("come back", retry_after_seconds=4)

    async with marketplace.working({jobs.ProcessImage: later}):
        cause = await marketplace.publish(
            events.ImageAdded(vendor_id=new_id(), image_id=new_id(), product_id=new_id(), source="blob:x")
        )
        [waiting] = await in_state(marketplace, cause, JobState.RETRYING)
        assert waiting.job.retry_at is not None
        [shown] = await in_state(marketplace, cause, JobState.COMPLETED)
    assert shown.job.attempt == 2


async def test_a_scheduled_slot_is_skipped_while_the_one_before_runs(marketplace: Marketplace) -> None:
    def due(minute: int) -> events.ScheduleDue:
        return events.ScheduleDue(
            entry="check-low-stock",
            job_type="check-low-stock",
            payload={},
            due_at=datetime(2026, 1, 1, 0, minute, tzinfo=UTC),
        )

    first = await marketplace.publish(due(0))
    [open_job] = await in_state(marketplace, first, JobState.PENDING)
    assert open_job.job.payload["due_at"] == "2026-01-01T00:00:00Z"
    second = await marketplace.publish(due(30))
    marker = await marketplace.publish(submitted())
    await in_state(marketplace, marker, JobState.PENDING)
    assert await marketplace.jobs_of(second) == []
