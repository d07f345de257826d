"""The reader of the event stream on a real broker: nothing missed, nothing twice, and it knows when it cannot know."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from shared.clock import utc_now
from shared.contracts.base import Event
from shared.contracts.envelope import wrap
from shared.contracts.events import OutboxDrained, StockRecovered
from shared.ids import new_id
from shared.lifecycle import background
from shared.messaging.broker import Broker, open_broker
from shared.messaging.declare import apply
from shared.messaging.publisher import NotConfirmed
from shared.messaging.reader import Received
from shared.messaging.stream import EventStream, MemoryEpochs, Position
from shared.messaging.topology import EVENT_STREAM, EVENTS, Topology, build
from tests.eventually import eventually
from tests.faults.proxy import FaultProxy, fault_proxy
from tests.servers import Vhost

WHOLE = build((), ())
PART = WHOLE.only([EVENT_STREAM])
TOPOLOGY = Topology(WHOLE.exchanges, PART.queues, PART.bindings)


@dataclass
class Notes:
    """A listener that writes down what it is told."""

    heard_pieces: list[int] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    losses: int = 0

    def heard(self, received: Received, position: Position) -> None:
        assert isinstance(received.event, StockRecovered)
        self.heard_pieces.append(received.event.on_hand)
        self.positions.append(position)

    def lost(self) -> None:
        self.losses += 1


@pytest.fixture
async def way(vhost: Vhost) -> AsyncIterator[FaultProxy]:
    """How the reader reaches the broker."""
    async with fault_proxy(vhost.amqp_url) as opened:
        yield opened


@pytest.fixture
async def writer(vhost: Vhost) -> AsyncIterator[Broker]:
    """Publishes past the proxy; the exchange and the stream are there."""
    async with open_broker(vhost.amqp_url, name="writer") as opened:
        await apply(opened.publishing, TOPOLOGY)
        yield opened


@dataclass
class Reading:
    """A reader with its notes."""

    stream: EventStream
    notes: Notes


@asynccontextmanager
async def reading(vhost: Vhost, way: FaultProxy, epochs: MemoryEpochs | None = None) -> AsyncIterator[Reading]:
    async with open_broker(way.url, name="reader") as broker:
        stream = EventStream(
            broker.consuming,
            EVENT_STREAM,
            topology=TOPOLOGY,
            epochs=epochs or MemoryEpochs(),
            heartbeat=OutboxDrained,
            live_seconds=2,
        )
        notes = Notes()
        stream.tell(notes)
        async with background(stream.run(), name="stream"):
            await eventually(lambda: stream.is_reading)
            yield Reading(stream, notes)


async def tell(broker: Broker, *events: Event) -> list[str]:
    """Publish as a relay does; the ids without dashes."""
    ids = []
    for event in events:
        envelope = wrap(event, identifier=new_id(), kind=event.type, source="catalog", subject=None, time=utc_now())
        await broker.publisher.publish(envelope, exchange=EVENTS, routing_key=event.type)
        ids.append(envelope.id.hex)
    return ids


def pieces(*numbers: int) -> list[StockRecovered]:
    return [StockRecovered(product_id=new_id(), on_hand=number) for number in numbers]


async def test_a_new_stream_is_read_from_its_first_message_which_is_its_epoch(
    vhost: Vhost, way: FaultProxy, writer: Broker
) -> None:
    async with reading(vhost, way) as reader:
        first, *_ = await tell(writer, *pieces(0, 1, 2))
        await eventually(lambda: reader.notes.heard_pieces == [0, 1, 2])
        assert [str(position) for position in reader.notes.positions] == [f"{first}-{number}" for number in range(3)]
        assert reader.stream.position == Position(first, 2)


async def test_who_joins_later_hears_what_comes_and_agrees_about_the_epoch(
    vhost: Vhost, way: FaultProxy, writer: Broker
) -> None:
    first, *_ = await tell(writer, *pieces(0, 1, 2))
    async with reading(vhost, way) as reader:
        await tell(writer, *pieces(3))
        await eventually(lambda: reader.notes.heard_pieces == [3])
        assert reader.notes.positions == [Position(first, 3)]
        assert reader.notes.losses == 1, "whatever was derived before the first message is uncertain"


async def test_a_lost_link_costs_no_event_and_repeats_none(vhost: Vhost, way: FaultProxy, writer: Broker) -> None:
    async with reading(vhost, way) as reader:
        await tell(writer, *pieces(0, 1), OutboxDrained())
        await eventually(lambda: reader.notes.heard_pieces == [0, 1] and reader.stream.is_live)
        way.cut()
        await eventually(lambda: not reader.stream.is_live)
        await tell(writer, *pieces(2, 3))
        await way.join()
        await tell(writer, *pieces(4))
        await eventually(lambda: reader.notes.heard_pieces == [0, 1, 2, 3, 4])
        assert [position.offset for position in reader.notes.positions] == [0, 1, 3, 4, 5]
        assert reader.notes.losses == 1


async def test_a_stream_made_anew_is_told_as_a_loss_and_has_another_epoch(
    vhost: Vhost, way: FaultProxy, writer: Broker
) -> None:
    async with reading(vhost, way) as reader:
        [first, *_] = await tell(writer, *pieces(*range(5)))
        await eventually(lambda: len(reader.notes.heard_pieces) == 5)
        way.cut()
        vhost.management.call("DELETE", "queues", vhost.name, EVENT_STREAM)
        await apply(writer.publishing, TOPOLOGY)
        [second, *_] = await tell(writer, *pieces(*range(10, 20)))
        await way.join()
        await eventually(lambda: reader.notes.losses == 2)

        async def is_heard_again() -> bool:
            await tell(writer, *pieces(99))
            return reader.notes.heard_pieces[-1] == 99

        await eventually(is_heard_again, every=0.2)
        position = reader.stream.position
        assert position is not None
        assert position.epoch == second != first


async def test_a_stream_deleted_under_the_reader_is_declared_and_read_again(
    vhost: Vhost, way: FaultProxy, writer: Broker
) -> None:
    async with reading(vhost, way) as reader:
        await tell(writer, *pieces(*range(5)))
        await eventually(lambda: len(reader.notes.heard_pieces) == 5)
        vhost.management.call("DELETE", "queues", vhost.name, EVENT_STREAM)
        await eventually(lambda: not reader.stream.is_reading)

        async def is_heard_again() -> bool:
            with suppress(NotConfirmed):  # nothing is bound yet
                await tell(writer, *pieces(99))
            return reader.notes.heard_pieces[-1] == 99

        await eventually(is_heard_again, 15, every=0.2)
        assert reader.notes.losses >= 2


async def test_it_is_live_for_a_while_after_a_heartbeat_only(vhost: Vhost, way: FaultProxy, writer: Broker) -> None:
    async with reading(vhost, way) as reader:
        await tell(writer, *pieces(0))
        await eventually(lambda: reader.notes.heard_pieces == [0])
        assert not reader.stream.is_live
        await tell(writer, OutboxDrained())
        await eventually(lambda: reader.stream.is_live)
        await eventually(lambda: not reader.stream.is_live, 4)
        assert reader.stream.is_reading


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("0a1b-0", Position("0a1b", 0)),
        ("a-b-17", Position("a-b", 17)),
        ("17", None),
        ("-17", None),
        ("a-", None),
        ("a-1x", None),
        ("a-٣", None),
        ("a-" + "9" * 30, None),
    ],
)
def test_a_position_is_read_as_it_is_written(text: str, position: Position | None) -> None:
    assert Position.parse(text) == position
    assert position is None or str(position) == text
