"""No publish hangs, however many wait behind it."""

import asyncio
import time

import pytest

import shared.messaging.publisher
from shared.clock import utc_now
from shared.contracts.envelope import wrap
from shared.contracts.events import OutboxDrained
from shared.ids import new_id
from shared.messaging.broker import Broker, open_broker
from shared.messaging.declare import apply
from shared.messaging.publisher import MAX_UNCONFIRMED, NotConfirmed
from shared.messaging.topology import EVENT_STREAM, EVENTS, Topology, build
from tests.eventually import eventually
from tests.faults.proxy import CONFIRM, FaultProxy, Toward, fault_proxy
from tests.servers import Vhost

LIMIT_SECONDS = 3.0
"""Long enough for a busy machine to tell one limit from three, one after the other."""
WHOLE = build((), ())
PART = WHOLE.only([EVENT_STREAM])


async def publish(broker: Broker) -> None:
    """Something small."""
    event = OutboxDrained()
    envelope = wrap(event, identifier=new_id(), kind=event.type, source="test", subject=None, time=utc_now())
    await broker.publisher.publish(envelope, exchange=EVENTS, routing_key=event.type)


async def is_published(broker: Broker) -> bool:
    """Whether the broker takes something small."""
    try:
        await publish(broker)
    except NotConfirmed:
        return False
    return True


async def test_a_stall_ends_every_publish_in_time_and_the_next_ones_go(
    vhost: Vhost, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fault_proxy(vhost.amqp_url) as way, open_broker(way.url, name="test") as broker:
        await apply(broker.consuming, Topology(WHOLE.exchanges, PART.queues, PART.bindings))
        await publish(broker)
        monkeypatch.setattr(shared.messaging.publisher, "PUBLISH_SECONDS", LIMIT_SECONDS)
        way.stall()
        began = time.monotonic()
        outcomes = await asyncio.gather(*(publish(broker) for _ in range(3 * MAX_UNCONFIRMED)), return_exceptions=True)
        assert time.monotonic() - began < 2 * LIMIT_SECONDS
        assert all(isinstance(outcome, NotConfirmed) for outcome in outcomes)
        way.flow()
        monkeypatch.undo()
        await eventually(lambda: is_published(broker), 20)  # a long stall may have had the link given up meanwhile
        await asyncio.gather(*(publish(broker) for _ in range(10)))


async def test_a_lost_confirm_is_told_at_once(vhost: Vhost) -> None:
    async with fault_proxy(vhost.amqp_url) as way, open_broker(way.url, name="test") as broker:
        await apply(broker.consuming, Topology(WHOLE.exchanges, PART.queues, PART.bindings))
        trap = way.at(CONFIRM, Toward.CLIENT, FaultProxy.reset)
        with pytest.raises(NotConfirmed):
            await asyncio.wait_for(publish(broker), LIMIT_SECONDS)
        assert trap.sprung.is_set()
        await publish(broker)
