"""Acknowledging in few frames, on a channel that only notes them."""

from typing import cast

from aiormq.channel import Channel
from aiormq.exceptions import ChannelInvalidStateError
from hypothesis import given
from hypothesis import strategies as st

from shared.messaging.acks import Acks


class FakeChannel:
    """Notes acks as (tag, multiple); `breaks` makes the next one fail as on a lost link."""

    def __init__(self) -> None:
        self.is_closed = False
        self.breaks = False
        self.acked: list[tuple[int, bool]] = []

    async def basic_ack(self, delivery_tag: int, *, multiple: bool = False, wait: bool = True) -> None:
        if self.breaks:
            self.is_closed = True
            raise ChannelInvalidStateError("gone")
        self.acked.append((delivery_tag, multiple))


def acks_on(channel: FakeChannel, *tags: int) -> Acks:
    acks = Acks(cast(Channel, channel))
    for tag in tags:
        acks.delivered(tag)
    return acks


async def test_what_finishes_in_one_turn_goes_out_as_one_frame() -> None:
    channel = FakeChannel()
    acks = acks_on(channel, 1, 2, 3)
    for tag in (2, 1, 3):
        acks.finished(tag)
    await acks.flush()
    assert channel.acked == [(3, True)]


async def test_multiple_reaches_only_up_to_the_lowest_unfinished() -> None:
    channel = FakeChannel()
    acks = acks_on(channel, 1, 2, 3, 4, 5)
    for tag in (1, 3, 5):
        acks.finished(tag)
    await acks.flush()
    assert channel.acked == [(1, True), (3, False), (5, False)]
    acks.finished(2)
    acks.finished(4)
    await acks.flush()
    assert channel.acked[3:] == [(4, True)]


async def test_an_unfinished_first_delivery_holds_back_multiple() -> None:
    channel = FakeChannel()
    acks = acks_on(channel, 1, 2, 3)
    acks.finished(2)
    await acks.flush()
    assert channel.acked == [(2, False)]


async def test_on_a_closed_channel_nothing_is_sent() -> None:
    channel = FakeChannel()
    acks = acks_on(channel, 1)
    channel.is_closed = True
    acks.finished(1)
    await acks.flush()
    assert channel.acked == []


async def test_a_channel_that_breaks_under_an_ack_is_no_error() -> None:
    channel = FakeChannel()
    acks = acks_on(channel, 1)
    channel.breaks = True
    acks.finished(1)
    await acks.flush()
    assert channel.acked == []


@given(st.permutations(range(1, 9)), st.sets(st.integers(0, 7)))
async def test_every_finished_delivery_is_acknowledged_once_and_no_other(
    order: list[int], flush_after: set[int]
) -> None:
    channel = FakeChannel()
    acks = acks_on(channel, *range(1, 9))
    acknowledged: set[int] = set()
    seen = 0
    for index, tag in enumerate(order):
        acks.finished(tag)
        if index in flush_after:
            await acks.flush()
            finished = set(order[: index + 1])
            for acked, multiple in channel.acked[seen:]:
                covered = set(range(1, acked + 1)) - acknowledged if multiple else {acked}
                assert covered <= finished
                assert acked not in acknowledged
                acknowledged |= covered
            seen = len(channel.acked)
            assert acknowledged == finished
