"""Deliveries are taken out of what the broker sends, however it is cut; the rest is left as it was."""

from collections.abc import Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import cast

import pytest
from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pamqp import body, commands, frame, header
from pamqp.base import Frame
from pamqp.commands import Basic
from pamqp.heartbeat import Heartbeat

from shared.messaging.wire import DeliveryReader

TAKEN, OTHER = 1, 2
on_a_slow_machine = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def delivery(channel: int, tag: int, *parts: bytes) -> list[bytes]:
    """The frames of a delivery."""
    content = header.ContentHeader(body_size=sum(map(len, parts)), properties=Basic.Properties(message_id=str(tag)))
    frames: list[frame.FrameTypes] = [
        Basic.Deliver("ctag", tag, False, "jobs", "key"),
        content,
        *map(body.ContentBody, parts),
    ]
    return [frame.marshal(each, channel) for each in frames]


def other(value: Frame | Heartbeat, channel: int = TAKEN) -> bytes:
    """A frame that is no delivery's."""
    return frame.marshal(value, channel)


class Heard(list[tuple[int | None, bytes]]):
    """Tag and body of what was taken."""

    def __call__(self, message: DeliveredMessage) -> None:
        self.append((message.delivery_tag, message.body))


@pytest.fixture
async def reader() -> DeliveryReader:
    return DeliveryReader()


def take(reader: DeliveryReader, number: int = TAKEN) -> Heard:
    """Take the deliveries of a channel."""
    heard = Heard()
    reader.take(cast(Channel, SimpleNamespace(number=number)), heard)
    return heard


async def left(reader: DeliveryReader) -> bytes:
    """What aiormq gets to read."""
    reader.feed_eof()
    return await reader.read()


def cut(sent: bytes, at: list[int]) -> Iterator[bytes]:
    """The bytes in pieces."""
    return (sent[a:b] for a, b in pairwise([0, *sorted(place % len(sent) for place in at), len(sent)]))


@on_a_slow_machine
@given(st.lists(st.integers(0, 10_000), max_size=12))
async def test_deliveries_are_whole_wherever_the_bytes_are_cut(places: list[int]) -> None:
    reader = DeliveryReader()
    heard = take(reader)
    ok, ack, heartbeat = (
        other(Basic.ConsumeOk("ctag")),
        other(Basic.Ack(7), OTHER),
        other(Heartbeat(), 0),
    )
    [deliver, content, first, second], foreign = delivery(TAKEN, 2, b"ab", b"c" * 300), delivery(OTHER, 9, b"not ours")
    sent = [ok, *delivery(TAKEN, 1, b"whole"), ack, deliver, content, *foreign, first, heartbeat, second]
    for piece in cut(b"".join([*sent, *delivery(TAKEN, 3)]), places):
        reader.feed_data(piece)
    assert heard == [(1, b"whole"), (2, b"ab" + b"c" * 300), (3, b"")]
    assert await left(reader) == b"".join([ok, ack, *foreign, heartbeat])


@pytest.mark.parametrize("end", [commands.Channel.Close(404, "gone", 0, 0), commands.Channel.CloseOk()])
async def test_a_channel_that_ended_takes_nothing_for_the_next_of_its_number(
    reader: DeliveryReader, end: Frame
) -> None:
    heard = take(reader)
    half, following = delivery(TAKEN, 1, b"cut off")[:2], delivery(TAKEN, 1, b"of another")
    reader.feed_data(b"".join([*half, other(end), *following]))
    assert heard == []
    assert await left(reader) == b"".join([other(end), *following])


async def test_a_message_that_came_back_is_no_delivery(reader: DeliveryReader) -> None:
    heard = take(reader)
    returned = [other(Basic.Return(312, "NO_ROUTE", "jobs", "key")), *delivery(TAKEN, 0, b"back")[1:]]
    reader.feed_data(b"".join([*returned, *delivery(TAKEN, 1, b"ours")]))
    assert heard == [(1, b"ours")]
    assert await left(reader) == b"".join(returned)


async def test_what_is_no_frame_is_left_to_who_can_tell(reader: DeliveryReader) -> None:
    reader.feed_data(b"AMQP\0\0\x09\x01")
    assert await left(reader) == b"AMQP\0\0\x09\x01"
