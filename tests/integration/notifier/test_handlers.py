"""The notifier's jobs over the real broker: from a message to a mail, and to the report of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from uuid import UUID

import pytest

from services.notifier.handlers import send_email, send_notification
from services.notifier.models import Reader
from services.notifier.pushes import Pushes, Subscriptions
from services.notifier.usecases import Inbox, Mailroom
from shared.clock import utc_now
from shared.contracts.base import Job
from shared.contracts.envelope import wrap
from shared.contracts.jobs import SendEmail, SendNotification
from shared.contracts.reports import AttemptReport, Outcome, ReportBatch
from shared.ids import new_id
from shared.messaging import topology
from shared.messaging.attempt import HandlerTable
from shared.messaging.broker import Broker, open_broker
from shared.messaging.declare import apply
from shared.messaging.reporter import REPORT_TYPE
from shared.messaging.work import JobMessage
from shared.messaging.working import working
from tests.eventually import eventually
from tests.integration.notifier.people import ADA, APPROVED, BEN, EVE, TO_ADMINS, VENDOR
from tests.integration.notifier.push_service import PushService
from tests.integration.notifier.smtp_sink import Sink
from tests.servers import Vhost

TIERS = topology.parse_tiers("1s,2s")
WORK = [topology.SEND_EMAIL, topology.SEND_NOTIFICATION]


class Ledger:
    """The broker as the ledger sees it: jobs go out, reports come back."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._reports: list[AttemptReport] = []

    async def publish(self, job: Job, *, job_id: UUID | None = None, max_attempts: int = 3, fence: int = 1) -> UUID:
        """Put a job into its queue."""
        identifier = job_id or new_id()
        envelope = wrap(
            job, identifier=identifier, kind=job.type, source="jobs", subject=None, time=utc_now(), cause=new_id()
        )
        message = JobMessage(envelope, priority=2, attempt=1, max_attempts=max_attempts, fence=fence, timeout_ms=10_000)
        await message.publish(self._broker.publisher)
        return identifier

    async def reports(self, job_id: UUID, count: int) -> list[AttemptReport]:
        """The first reports about a job that something came of, once there are as many."""

        async def enough() -> list[AttemptReport]:
            await self._collect()
            found = [report for report in self._reports if report.job_id == job_id]
            return found if len(found) >= count else []

        return await eventually(enough, every=0.05)

    async def _collect(self) -> None:
        channel, underlay = await self._broker.consuming.open_channel(confirms=False)
        while (message := await underlay.basic_get(topology.LEDGER_QUEUE, no_ack=True)).body:
            if message.header.properties.message_type == REPORT_TYPE:  # the queue hears of other things, too
                reports = ReportBatch.model_validate_json(message.body).reports
                self._reports += [report for report in reports if report.outcome is not Outcome.STARTED]
        await channel.close()


@pytest.fixture
async def ledger(vhost: Vhost, mailroom: Mailroom, inbox: Inbox, pushes: Pushes) -> AsyncIterator[Ledger]:
    """A notifier that consumes, and the ledger's end of its queues."""
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(open_broker(vhost.amqp_url, name="test"))
        await apply(broker.consuming, topology.build(TIERS, WORK))
        handlers: HandlerTable = {
            SendEmail: partial(send_email, mailroom=mailroom),
            SendNotification: partial(send_notification, inbox=inbox, pushes=pushes),
        }
        await stack.enter_async_context(working(broker, handlers, worker="test", tiers=TIERS, grace_seconds=5))
        yield Ledger(broker)


async def test_a_job_becomes_a_mail_and_a_report(ledger: Ledger, sink: Sink) -> None:
    job_id = await ledger.publish(TO_ADMINS)
    (report,) = await ledger.reports(job_id, 1)
    assert (report.outcome, report.attempt, report.error) == (Outcome.COMPLETED, 1, None)
    assert report.worker.startswith("test@")
    assert isinstance(report.result, dict)
    assert report.result["sent"] == [str(person.account_id) for person in (ADA, BEN, EVE)]
    assert "@" not in str(report.result)
    assert sink.recipients == [ADA.email, BEN.email, EVE.email]


async def test_the_mail_names_its_job(ledger: Ledger, sink: Sink) -> None:
    job_id = await ledger.publish(TO_ADMINS)
    await ledger.reports(job_id, 1)
    assert f"X-Souk-Job: {job_id}".encode() in sink.taken[0][1]


async def test_who_was_put_off_gets_the_mail_through_the_retry_tier_and_nobody_gets_it_twice(
    ledger: Ledger, sink: Sink
) -> None:
    sink.replies[BEN.email] = "451 4.7.1 greylisted"
    job_id = await ledger.publish(TO_ADMINS)
    (first,) = await ledger.reports(job_id, 1)
    assert first.outcome is Outcome.RETRYING
    assert first.error is not None
    assert first.error.error_class == "MailboxDeferred"
    assert first.retry_at is not None
    assert sink.recipients == [ADA.email, EVE.email]
    sink.replies.clear()
    _, second = await ledger.reports(job_id, 2)
    assert (second.outcome, second.attempt, second.fence) == (Outcome.COMPLETED, 2, first.fence)
    assert sink.recipients == [ADA.email, EVE.email, BEN.email]


async def test_the_same_job_delivered_twice_makes_one_mail_each(ledger: Ledger, sink: Sink) -> None:
    job_id = await ledger.publish(TO_ADMINS)
    await ledger.reports(job_id, 1)
    await ledger.publish(TO_ADMINS, job_id=job_id, fence=2)
    _, again = await ledger.reports(job_id, 2)
    assert again.outcome is Outcome.COMPLETED
    assert isinstance(again.result, dict)
    assert (again.result["sent"], len(sink.taken)) == ([], 3)


async def test_a_job_that_can_never_work_fails_at_once(ledger: Ledger, sink: Sink) -> None:
    job_id = await ledger.publish(TO_ADMINS.model_copy(update={"params": {}}))
    (report,) = await ledger.reports(job_id, 1)
    assert report.outcome is Outcome.FAILED
    assert report.error is not None
    assert (report.error.error_class, sink.connections) == ("BadLetterParams", 0)


async def test_out_of_attempts_it_fails(ledger: Ledger, sink: Sink) -> None:
    sink.replies[BEN.email] = "451 4.7.1 greylisted"
    job_id = await ledger.publish(TO_ADMINS, max_attempts=2)
    reports = await ledger.reports(job_id, 2)
    assert [report.outcome for report in reports] == [Outcome.RETRYING, Outcome.FAILED]


async def test_a_notification_lands_in_the_inbox_and_in_a_browser_once(
    ledger: Ledger, inbox: Inbox, subscriptions: Subscriptions, service: PushService
) -> None:
    browser = service.browser("eve")
    await subscriptions.add(Reader(EVE.account_id, VENDOR), endpoint=browser.endpoint, name="Eve's", **browser.keys)
    job_id = await ledger.publish(APPROVED)
    await ledger.reports(job_id, 1)
    await ledger.publish(APPROVED, job_id=job_id, fence=2)
    first, again = await ledger.reports(job_id, 2)
    assert [report.outcome for report in (first, again)] == [Outcome.COMPLETED] * 2
    assert [report.result for report in (first, again)] == [
        {"created": True, "skipped": [], "skipped_count": 0, "pushed": {"sent": 1}},
        {"created": False, "skipped": [], "skipped_count": 0, "pushed": {}},
    ]
    assert service.told() == ["eve"]
    assert len((await inbox.page(Reader(EVE.account_id, VENDOR), below=None, limit=9)).items) == 1
