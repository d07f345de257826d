"""Acknowledging in few frames: one `multiple` ack for the finished prefix, single ones above the lowest unfinished."""

import asyncio
from collections import OrderedDict
from contextlib import suppress

from aiormq.channel import Channel as Underlay
from aiormq.exceptions import AMQPError


class Acks:
    """The unacknowledged deliveries of one channel. Acks that gather in one turn of the loop go out together.

    An ack that is lost with its channel is harmless: the delivery comes again and its effect is guarded.
    """

    def __init__(self, channel: Underlay) -> None:
        self._channel = channel
        self._finished: OrderedDict[int, bool] = OrderedDict()
        self._flush: asyncio.Task[None] | None = None

    def delivered(self, tag: int) -> None:
        """A delivery came in."""
        self._finished[tag] = False

    def finished(self, tag: int) -> None:
        """A delivery is done with; its ack goes out with the others of this turn."""
        self._finished[tag] = True
        if self._flush is None or self._flush.done():
            self._flush = asyncio.ensure_future(self._send())

    def forget(self, tag: int) -> None:
        """A delivery was handed back."""
        self._finished.pop(tag, None)

    async def flush(self) -> None:
        """Wait until what is finished is acknowledged."""
        while self._flush is not None and not self._flush.done():
            await self._flush

    async def _send(self) -> None:
        await asyncio.sleep(0)
        with suppress(AMQPError, OSError, RuntimeError):  # the channel is gone
            while not self._channel.is_closed:
                prefix, singles = self._take_finished()
                if prefix is None and not singles:
                    return
                if prefix is not None:
                    await self._channel.basic_ack(prefix, multiple=True, wait=False)
                for tag in singles:
                    await self._channel.basic_ack(tag, wait=False)

    def _take_finished(self) -> tuple[int | None, list[int]]:
        prefix: int | None = None
        while self._finished:
            tag, is_finished = next(iter(self._finished.items()))
            if not is_finished:
                break
            prefix = tag
            del self._finished[tag]
        singles = [tag for tag, is_finished in self._finished.items() if is_finished]
        for tag in singles:
            del self._finished[tag]
        return prefix, singles
