"""A short way for deliveries: from the connection's reader to the consumer, without a queue and a task for each.

aiormq puts three frames of each delivery into its channel's queue, has the channel's reader take them out again, and
starts a task for the callback: 15 of the 53 microseconds that a delivery costs a worker. A channel that consumes one
queue with a callback that does not block needs none of it.

The one assumption about aiormq is that its connection hands each frame to `await channel.frames.put((weight, frame))`,
in the order of the wire (7.2.4; the lock file pins it, and every test that consumes fails should it change).
"""

import asyncio
from collections.abc import Callable

from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel
from pamqp.base import Frame
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

OnMessage = Callable[[DeliveredMessage], None]
Weighed = tuple[int, Frame | ContentHeader | ContentBody]


def take_deliveries(channel: Channel, on_message: OnMessage) -> None:
    """Have `on_message` called for each delivery on this channel, at once; everything else goes its way as before.

    `on_message` must neither block nor raise. To be called before `basic_consume`, whose own callback is then unused.
    """
    channel.frames = _Deliveries(channel, on_message)  # type: ignore[assignment] # what aiormq uses of a queue


class _Deliveries:
    """Stands before a channel's queue of frames and keeps what belongs to deliveries."""

    def __init__(self, channel: Channel, on_message: OnMessage) -> None:
        self._channel = channel
        self._on_message = on_message
        self._others: asyncio.Queue[Weighed] = channel.frames
        self.get, self.task_done = self._others.get, self._others.task_done
        self._deliver: Basic.Deliver | None = None
        self._header: ContentHeader | None = None
        self._body: list[bytes] = []
        self._missing_bytes = 0

    async def put(self, item: Weighed) -> None:
        """Take the next frame of the channel. A delivery's frames follow each other: method, header, body parts."""
        frame = item[1]
        if self._deliver is None:
            if isinstance(frame, Basic.Deliver):
                self._deliver = frame
            else:
                await self._others.put(item)
        elif isinstance(frame, ContentHeader):
            self._header = frame
            self._missing_bytes = frame.body_size or 0
            if not self._missing_bytes:
                self._complete()
        elif isinstance(frame, ContentBody):
            self._body.append(frame.value)
            self._missing_bytes -= len(frame.value)
            if self._missing_bytes <= 0:
                self._complete()
        else:  # the broker closes the channel in the middle of a delivery
            self._forget()
            await self._others.put(item)

    def _complete(self) -> None:
        assert self._deliver is not None
        assert self._header is not None
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        message = DeliveredMessage(delivery=self._deliver, header=self._header, body=body, channel=self._channel)
        self._forget()
        self._on_message(message)

    def _forget(self) -> None:
        self._deliver = self._header = None
        self._body = []
