"""Dead letters on the real broker: stored, listed, replayed, and never lost between the broker and the table."""

import asyncio
from collections.abc import Sequence

import pytest
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from pamqp.common import FieldValue

from services.jobs.audit.store import lines
from services.jobs.dead_letters.collector import Collector
from services.jobs.dead_letters.models import Letter, LetterFilter
from services.jobs.dead_letters.store import LetterStore
from services.jobs.dead_letters.usecases import LetterDesk
from services.jobs.errors import LetterNotFound, LetterOfUnknownJob, LetterUnreadable, NotRetryable
from services.jobs.models import JobState
from services.jobs.parts import make_ledger
from services.jobs.settings import Settings
from services.jobs.usecases import JobsDesk
from shared.contracts import jobs
from shared.db.pool import Pool, connection
from shared.errors import InvalidInput
from shared.ids import TOP, new_id
from shared.messaging.attempt import Attempt
from shared.messaging.broker import Broker
from shared.messaging.declare import apply
from shared.messaging.reader import reading
from shared.messaging.topology import build
from shared.web.identity import Identity, Role
from tests.eventually import eventually
from tests.integration.jobs.conftest import Marketplace, StartLedger
from tests.integration.jobs.test_rescue import one_job, picture

OPS = Identity(new_id(), Role.OPS)
ANY = LetterFilter()
MESSAGE = new_id()


@pytest.fixture
def letters(pool: Pool) -> LetterDesk:
    return LetterDesk(pool, make_ledger(), LetterStore())


async def stored(letters: LetterDesk, where: LetterFilter = ANY, *, count: int = 1) -> list[Letter]:
    async def all_there() -> tuple[list[Letter]]:
        found = list((await letters.page(where, before=None, limit=100)).items)
        assert len(found) == count
        return (found,)  # an empty list would not do as an answer

    [found] = await eventually(all_there, 20)
    return found


async def put(marketplace: Marketplace, body: bytes, *, exchange: str, key: str, reason: str | None = None) -> None:
    headers: dict[str, FieldValue] = {} if reason is None else {"souk-reason": reason}
    await marketplace.broker.publisher.publish_body(
        body,
        exchange=exchange,
        routing_key=key,
        properties=Basic.Properties(delivery_mode=2, message_id=str(MESSAGE), headers=headers),
    )


async def test_a_failed_job_is_listed_with_its_payload_and_replayed_through_the_ledger(
    marketplace: Marketplace, letters: LetterDesk
) -> None:
    mended = False

    async def fail(job: jobs.ProcessImage, attempt: Attempt) -> None:
        if not mended:
            raise InvalidInput("no picture")

    async with marketplace.working({jobs.ProcessImage: fail}):
        cause = await marketplace.publish(picture())
        job = (await one_job(marketplace, cause, JobState.FAILED)).job
        [letter] = await stored(letters)
        assert (letter.job_id, letter.job_state, letter.kind, letter.type) == (job.id, "failed", "job", job.type)
        assert (letter.queue, letter.parked_by, letter.reason) == ("jobs.process-image", "consumer", "invalid_input")
        mended = True
        await letters.replay(letter.id, by=OPS, request_id="request-1")
        await one_job(marketplace, cause, JobState.COMPLETED)
    assert await stored(letters, count=0) == []
    with pytest.raises(LetterNotFound):
        await letters.replay(letter.id, by=OPS, request_id=None)
    async with connection(marketplace.pool) as conn:
        [line] = await lines(conn, below=TOP, limit=9)
    assert (line.action, line.account_id, line.request_id) == ("dead_letter.replay", OPS.account_id, "request-1")


async def test_a_job_retried_by_hand_takes_its_letter_with_it(marketplace: Marketplace, letters: LetterDesk) -> None:
    async def fail(job: jobs.ProcessImage, attempt: Attempt) -> None:
        raise InvalidInput("no picture")

    async with marketplace.working({jobs.ProcessImage: fail}):
        job = (await one_job(marketplace, await marketplace.publish(picture()), JobState.FAILED)).job
        await stored(letters)
    await marketplace.desk.retry(job.id, by=OPS, request_id=None)
    assert await stored(letters, count=0) == []


async def test_what_cannot_be_replayed_says_why_and_can_be_purged(
    marketplace: Marketplace, letters: LetterDesk
) -> None:
    await put(marketplace, b"\xff\x00", exchange="jobs.dead", key="send-email.unparsable", reason="no \x01 envelope")
    [letter] = await stored(letters)
    assert (letter.kind, letter.job_id, letter.body) == ("job", None, b"\xff\x00")
    with pytest.raises(LetterUnreadable):
        await letters.replay(letter.id, by=OPS, request_id=None)
    envelope = f'{{"specversion":"1.0","id":"{new_id()}","source":"x","type":"send-email","data":{{}},'
    body = f'{envelope}"time":"2026-01-01T00:00:00Z"}}'.encode()
    await put(marketplace, body, exchange="", key="jobs.send-email.dead")
    [unknown, _] = await stored(letters, count=2)
    assert unknown.parked_by == "broker"
    with pytest.raises(LetterOfUnknownJob):
        await letters.replay(unknown.id, by=OPS, request_id=None)
    assert (await letters.purge(ANY, is_dry_run=True, by=OPS, request_id=None)).letters == 2
    assert (await letters.purge(ANY, is_dry_run=False, by=OPS, request_id=None)).letters == 2
    assert await stored(letters, count=0) == []


async def test_a_letter_whose_job_is_done_is_refused(marketplace: Marketplace, letters: LetterDesk) -> None:
    async def fail(job: jobs.ProcessImage, attempt: Attempt) -> None:
        raise InvalidInput("no picture")

    async with marketplace.working({jobs.ProcessImage: fail}):
        await one_job(marketplace, await marketplace.publish(picture()), JobState.FAILED)
        [letter] = await stored(letters)
    await marketplace.pool.execute("UPDATE jobs.jobs SET state = 'completed'")
    with pytest.raises(NotRetryable):
        await letters.replay(letter.id, by=OPS, request_id=None)


async def test_a_message_delivered_twice_is_one_letter_and_equal_ones_are_counted(
    marketplace: Marketplace, letters: LetterDesk
) -> None:
    await put(marketplace, b"{}", exchange="", key="events.catalog.dead", reason="Unparsable: event")
    [first] = await stored(letters)
    assert (first.kind, first.queue, first.copies) == ("event", "events.catalog", 1)
    await put(marketplace, b"{}", exchange="", key="events.catalog.dead", reason="Unparsable: event")

    async def is_counted() -> bool:
        return (await letters.get(first.id)).copies == 2

    await eventually(is_counted, 20)


async def test_a_reader_killed_between_the_table_and_its_ack_stores_a_letter_once(
    link: Broker, pool: Pool, letters: LetterDesk, start_ledger: StartLedger, desk: JobsDesk, settings: Settings
) -> None:
    topology = build(settings.tiers)
    await apply(link.publishing, topology)
    dead = "jobs.send-email.dead"
    collector = Collector(pool, LetterStore())

    async def store_and_die(messages: Sequence[DeliveredMessage]) -> None:
        await collector.handle("jobs.send-email", messages)
        await asyncio.Event().wait()

    async with reading(link, dead, store_and_die, topology=topology, grace_seconds=0):
        await put(Marketplace(link, desk, settings, pool), b"{}", exchange="", key=dead, reason="Unparsable: job")
        [first] = await stored(letters)
    async with start_ledger():
        again = await stored_again(letters, first)
    assert (again.id, again.copies) == (first.id, 1)


async def stored_again(letters: LetterDesk, first: Letter) -> Letter:
    """The letter once its message has come a second time."""

    async def seen() -> Letter | None:
        [letter] = (await letters.page(ANY, before=None, limit=9)).items
        return letter if letter.seen_at > first.seen_at else None

    found = await eventually(seen, 20)
    assert found is not None
    return found


async def test_an_event_goes_back_to_its_queue_and_is_kept_when_it_dies_again(
    marketplace: Marketplace, letters: LetterDesk
) -> None:
    await put(marketplace, b"no event", exchange="", key="events.dispatch")
    [letter] = await stored(letters)
    await letters.replay(letter.id, by=OPS, request_id=None)

    async def died_again() -> bool:
        again = (await letters.page(ANY, before=None, limit=9)).items
        return [each.replay_at is None and each.seen_at > letter.seen_at for each in again] == [True]

    await eventually(died_again, 30)
