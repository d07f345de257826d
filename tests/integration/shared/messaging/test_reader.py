"""Reading events in batches on a real broker: one bad item costs its neighbours nothing."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic

from shared.contracts import events
from shared.contracts.envelope import Envelope
from shared.errors import InvalidInput, Unavailable
from shared.ids import new_id
from shared.messaging.reader import one_by_one, parse_event
from tests.eventually import eventually
from tests.integration.shared.messaging.conftest import READER, Bench


def failed(message: str = "") -> events.JobFailed:
    return events.JobFailed(
        job_id=new_id(), job_type="x", cause_id=None, target="t", error_class="E", error_message=message
    )


def id_of(message: DeliveredMessage) -> UUID:
    received = parse_event(message)
    assert received is not None
    return received.envelope.id


async def test_what_has_arrived_is_handled_together_in_order(bench: Bench) -> None:
    told = [await bench.tell(failed()) for _ in range(7)]
    batches: list[list[UUID]] = []

    async def handle(messages: Sequence[DeliveredMessage]) -> None:
        batches.append([id_of(message) for message in messages])
        await asyncio.sleep(0.1)  # the rest arrives meanwhile

    async with bench.reading(handle, max_batch=5):
        await eventually(lambda: sum(map(len, batches)) == 7)
    assert [id_ for batch in batches for id_ in batch] == told
    assert max(map(len, batches)) <= 5
    assert bench.taken(READER) == []


async def test_an_unreadable_event_is_parked_and_its_neighbours_are_handled(bench: Bench) -> None:
    handled: list[UUID] = []

    async def job_failed(event: events.JobFailed, envelope: Envelope) -> None:
        handled.append(envelope.id)

    first = await bench.tell(failed())
    bad = (
        b"\xff",
        b'{"type": "job.failed"}',
        b'{"specversion":"1.0","id":"019b7600-0000-7000-8000-000000000001","source":"x","type":"job.failed",'
        b'"time":"2026-01-01T00:00:00Z","data":{"job_id":1267650600228229401496703205376}}',
    )
    for body in bad:
        await bench.broker.publisher.publish_body(
            body, exchange="events", routing_key="job.failed", properties=Basic.Properties(message_id="m1")
        )
    last = await bench.tell(failed())
    async with bench.reading(one_by_one({events.JobFailed: job_failed})):
        parked = []

        def all_parked() -> bool:
            parked.extend(bench.taken(f"{READER}.dead"))
            return len(parked) == len(bad)

        await eventually(all_parked)
        await eventually(lambda: {first, last} <= set(handled))
    assert bench.taken(READER) == []
    assert all(message["properties"]["headers"]["souk-reason"].startswith("Unparsable: ") for message in parked)
    assert {message["properties"]["message_id"] for message in parked} == {"m1"}


async def test_an_event_the_handler_refuses_is_parked_alone(bench: Bench) -> None:
    handled: list[str] = []

    async def job_failed(event: events.JobFailed, envelope: Envelope) -> None:
        if event.error_message == "bad":
            raise InvalidInput("never")
        handled.append(event.error_message)

    for message in ("a", "bad", "b"):
        await bench.tell(failed(message))
    async with bench.reading(one_by_one({events.JobFailed: job_failed})):
        [parked] = await eventually(lambda: bench.taken(f"{READER}.dead"))
        await eventually(lambda: "b" in handled)
    assert parked["properties"]["headers"]["souk-reason"] == "InvalidInput: never"
    assert set(handled) == {"a", "b"}


async def test_a_bug_is_tried_some_times_before_its_event_is_parked(bench: Bench) -> None:
    tries = 0

    async def job_failed(event: events.JobFailed, envelope: Envelope) -> None:
        nonlocal tries
        tries += 1
        raise ZeroDivisionError

    await bench.tell(failed())
    async with bench.reading(one_by_one({events.JobFailed: job_failed})):
        await eventually(lambda: bench.taken(f"{READER}.dead"), 15)
    assert tries == 5


async def test_what_is_away_parks_nothing_however_long_it_takes(bench: Bench) -> None:
    tries = 0
    handled: list[UUID] = []

    async def handle(messages: Sequence[DeliveredMessage]) -> None:
        nonlocal tries
        tries += 1
        if tries < 5:
            raise Unavailable("database away")
        handled.extend(id_of(message) for message in messages)

    told = [await bench.tell(failed()) for _ in range(3)]
    async with bench.reading(handle):
        await eventually(lambda: set(handled) == set(told), 15)
    assert bench.taken(f"{READER}.dead") == []
    assert bench.taken(READER) == []


async def test_an_event_of_a_later_version_is_of_no_interest(bench: Bench) -> None:
    body = (
        b'{"specversion":"1.0","id":"019b7600-0000-7000-8000-000000000001","source":"x","type":"job.pondered",'
        b'"time":"2026-01-01T00:00:00Z","data":{}}'
    )
    await bench.broker.publisher.publish_body(
        body, exchange="events", routing_key="job.failed", properties=Basic.Properties()
    )
    handled: list[UUID] = []

    async def job_failed(event: events.JobFailed, envelope: Envelope) -> None:
        handled.append(envelope.id)

    async with bench.reading(one_by_one({events.JobFailed: job_failed})):
        told = await bench.tell(failed())
        await eventually(lambda: handled == [told])
    assert bench.taken(READER) == bench.taken(f"{READER}.dead") == []


async def test_a_lost_connection_loses_no_event(bench: Bench) -> None:
    handled: set[UUID] = set()

    async def handle(messages: Sequence[DeliveredMessage]) -> None:
        await asyncio.sleep(0.02)
        handled.update(id_of(message) for message in messages)

    told = {await bench.tell(failed()) for _ in range(60)}
    async with bench.reading(handle, max_batch=3) as subscription:
        await eventually(lambda: len(handled) > 3)
        assert await bench.lose_connections() >= 1
        await eventually(lambda: handled == told, 30)
        assert subscription.is_consuming
    assert bench.taken(READER) == []


async def test_a_batch_in_hand_finishes_when_the_reader_stops(bench: Bench) -> None:
    begun, done = asyncio.Event(), asyncio.Event()

    async def handle(messages: Sequence[DeliveredMessage]) -> None:
        begun.set()
        await asyncio.sleep(0.3)
        done.set()

    for _ in range(3):
        await bench.tell(failed())
    async with bench.reading(handle, max_batch=1):
        await begun.wait()
    assert done.is_set()
    assert len(bench.taken(READER)) == 2
