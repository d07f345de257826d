"""Events that the broker had confirmed and nobody had read come back, whatever became of them there."""

from contextlib import AsyncExitStack
from uuid import UUID

from shared.clock import utc_now
from shared.contracts import events
from shared.contracts.envelope import wrap
from shared.db.outbox import Outbox
from shared.db.pool import transaction
from shared.ids import new_id
from shared.messaging.topology import EVENTS, replay_routing_key
from tests.eventually import eventually
from tests.integration.replay.conftest import DISPATCH, World, order, picture


async def test_a_purged_queue_gets_its_events_again(world: World) -> None:
    await world.declare()
    async with world.relay():
        ids = await world.write(*(picture() for _ in range(3)))
        await world.sent(ids)
        world.purge(DISPATCH)
        async with world.ledger():
            await world.dispatched(ids)


async def test_a_deleted_queue_gets_back_what_was_sent_long_before(world: World) -> None:
    """Longer ago than any regular announcement reaches: whoever finds its queue missing asks for all."""
    await world.declare()
    async with world.relay():
        ids = await world.write(*(picture() for _ in range(3)))
        await world.sent(ids)
        await world.catalog.execute("UPDATE catalog.outbox SET sent_at = sent_at - interval '20 hours'")
        world.delete(DISPATCH)
        async with world.ledger():
            await world.dispatched(ids)


async def test_a_queue_deleted_under_its_reader_gets_back_what_was_in_it(world: World) -> None:
    async with world.ledger(), world.relay():
        first = await world.write(picture())
        await world.dispatched(first)
        async with transaction(world.jobs) as conn:
            await conn.execute("LOCK TABLE jobs.inbox IN EXCLUSIVE MODE")  # what was delivered waits
            ids = await world.write(*(picture() for _ in range(300)))  # more than a reader takes ahead
            await world.sent(ids)
            world.delete(DISPATCH)
        await world.dispatched(ids, 30)


async def test_a_binding_that_is_restored_brings_what_went_by_in_the_meantime(world: World) -> None:
    async with world.ledger(), world.relay():
        first = await world.write(picture())
        await world.dispatched(first)
        world.unbind(DISPATCH, "image.added")
        ids = await world.write(*(picture() for _ in range(3)))
        await world.sent(ids)
        assert await world.jobs_of(ids) == 0
        await world.declare()
        await world.dispatched(ids)


async def test_a_wiped_broker_gets_back_what_nobody_had_read(world: World) -> None:
    await world.declare()
    async with world.relay():
        ids = await world.write(*(picture() for _ in range(3)), *(order() for _ in range(3)))
        await world.sent(ids)
        await world.catalog.execute("UPDATE catalog.outbox SET sent_at = sent_at - interval '20 hours'")
        world.wipe()
        async with world.ledger(), world.reporter():
            await world.dispatched(ids[:3], 30)

            async def all_sold() -> bool:
                return await world.sold() == 3

            await eventually(all_sold, 15)


async def test_events_of_the_ledger_itself_come_back_to_another_reader(world: World) -> None:
    failed = events.JobFailed(
        job_id=new_id(), job_type="send-email", cause_id=None, target="t", error_class="E", error_message="no"
    )
    async with world.ledger():
        async with transaction(world.jobs) as conn:
            [event_id] = await Outbox("jobs").add(conn, failed)

        async def is_sent() -> bool:
            query = "SELECT sent_at IS NOT NULL FROM jobs.outbox WHERE id = $1"
            return bool(await world.jobs.fetchval(query, event_id))

        await eventually(is_sent, 15)
        world.purge("events.reporting")
        async with world.reporter():

            async def is_counted() -> bool:
                query = "SELECT count(*) FROM reporting.facts WHERE event_id = $1"
                return bool(await world.reporting.fetchval(query, event_id))

            await eventually(is_counted, 15)


async def test_what_is_sent_again_has_no_second_effect(world: World) -> None:
    async with world.ledger(), world.reporter(), world.relay():
        ids = await world.write(picture(), order())
        await world.dispatched(ids[:1])
        for _ in range(3):
            before = await _sendings(world)

            async def sent_again(before: list[object] = before) -> bool:
                await _ask(world, ids)
                now = await _sendings(world)
                return None not in now and all(a != b for a, b in zip(now, before, strict=True))

            await eventually(sent_again, 15, every=0.2)
        last = await world.write(picture(), order())  # behind every copy
        await world.dispatched(last[:1])

        async def all_sold() -> bool:
            return await world.sold() >= 2

        await eventually(all_sold, 15)
    assert await world.jobs_of(ids) == 1
    assert await world.sold() == 2


async def test_two_relays_and_two_readers_lose_nothing_and_do_nothing_twice(world: World) -> None:
    await world.declare()
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(world.relay())
        ids = await world.write(*(picture() for _ in range(700)))
        await world.sent(ids)
        world.purge(DISPATCH)
        for _ in range(2):
            await stack.enter_async_context(world.ledger())
        await world.dispatched(ids, 40)
        more = await world.write(*(picture() for _ in range(50)))
        await world.dispatched(more, 20)
    assert await world.jobs.fetchval("SELECT count(*) FROM jobs.jobs") == 750


async def test_an_event_of_no_interest_is_noted_and_so_never_asked_for(world: World) -> None:
    changed = events.ProductChanged(vendor_id=new_id(), product_id=new_id(), version=1, slug="s", status="approved")
    async with world.ledger(), world.reporter(), world.relay():
        ids = await world.write(changed, order())

        async def are_noted() -> bool:
            query = "SELECT count(*) FROM reporting.inbox WHERE message_id = ANY($1)"
            return bool(await world.reporting.fetchval(query, ids) == 2)

        await eventually(are_noted, 15)


async def _sendings(world: World) -> list[object]:
    rows = await world.catalog.fetch("SELECT sent_at FROM catalog.outbox ORDER BY seq")
    return [row["sent_at"] for row in rows]


async def _ask(world: World, ids: list[UUID]) -> None:
    """Ask the catalog's relays to send again, as a reader does."""
    event = events.EventsReplayRequested(publisher="catalog", ids=tuple(ids))
    envelope = wrap(event, identifier=new_id(), kind=event.type, source="test", subject=event.subject, time=utc_now())
    await world.broker.publisher.publish(envelope, exchange=EVENTS, routing_key=replay_routing_key("catalog"))
