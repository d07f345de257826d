"""Reading the stream of events: every reader sees all of it, in order, and knows when it may have missed something.

A position is `epoch-offset`. The epoch is the message id of the stream's first message, offset 0: whoever publishes it,
it is the same for all readers and another one for another stream, and nobody has to agree on anything. Once retention
has dropped offset 0 a new reader asks its `EpochBook`, where the readers before it wrote the epoch down.

After a loss the reader asks for the last message it had *again*. Is it the same message, the stream is the same and
goes on right behind it; anything else is another stream, or a gap, and the listeners are told to drop what they
derived. aio-pika's robust queue is not used: it would repeat the first offset for ever.
"""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel as Underlay

from shared.clock import utc_now
from shared.contracts.base import Event
from shared.errors import AppError, Unparsable
from shared.log import get_logger
from shared.messaging.acks import Acks
from shared.messaging.broker import BROKER_ERRORS, Link
from shared.messaging.declare import declare_on
from shared.messaging.reader import Received, parse_event
from shared.messaging.topology import Topology
from shared.messaging.wire import take_deliveries

log = get_logger(__name__)

PREFETCH: Final = 500
LIVE_SECONDS: Final = 5.0
FIRST_MESSAGE_SECONDS: Final = 1.0
SHORTEST_WAIT_SECONDS: Final = 0.2
LONGEST_WAIT_SECONDS: Final = 3.0
OFFSET: Final = "x-stream-offset"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a stream; written `epoch-offset`."""

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Position | None":
        """Read what `str` wrote; None for anything else."""
        epoch, separator, offset = text.rpartition("-")
        if not separator or not epoch or not (offset.isascii() and offset.isdigit()) or len(offset) > 18:
            return None
        return cls(epoch, int(offset))


class StreamListener(Protocol):
    """What follows the stream. Neither call may block or raise."""

    def heard(self, received: Received, position: Position) -> None:
        """An event, in the order of the stream; after a loss the same one is not told twice."""

    def lost(self) -> None:
        """Events may have passed unheard: drop whatever was derived from them."""


class EpochBook(Protocol):
    """Where readers write down the epoch, for those that come when the first message is gone."""

    async def write(self, epoch: str) -> None:
        """The first message is there, and this is its id."""

    async def latest(self, otherwise: str) -> str:
        """The epoch written last; `otherwise`, written now, if there is none."""


class EventStream:
    """One reader of a stream queue for as long as the process lives.

    `heartbeat` is the type whose arrival says that what was written is here: who sends it sends it only while nothing
    waits behind it. Clocks of sender and reader are taken to agree within a second or two.
    """

    def __init__(
        self,
        link: Link,
        queue: str,
        *,
        topology: Topology,
        epochs: EpochBook,
        heartbeat: type[Event],
        live_seconds: float = LIVE_SECONDS,
    ) -> None:
        self.queue = queue
        self._link = link
        self._topology = topology.only([queue])
        self._epochs = epochs
        self._heartbeat = heartbeat
        self._live_seconds = live_seconds
        self._listeners: tuple[StreamListener, ...] = ()
        self._epoch: str | None = None
        self._last: tuple[int, str | None] | None = None
        self._is_reading = False
        self._live_until = 0.0

    @property
    def is_live(self) -> bool:
        """Whether everything written until a moment ago has been heard."""
        return self._is_reading and time.monotonic() < self._live_until

    @property
    def is_reading(self) -> bool:
        """Whether the broker has said that this reader stands and nothing has ended it since."""
        return self._is_reading

    @property
    def position(self) -> Position | None:
        """The last event heard; None before the first."""
        return None if self._last is None or self._epoch is None else Position(self._epoch, self._last[0])

    def tell(self, *listeners: StreamListener) -> None:
        """Add listeners, told in this order."""
        self._listeners += listeners

    async def run(self) -> None:
        """Read until cancelled, whatever becomes of link, channel or queue."""
        wait_seconds = SHORTEST_WAIT_SECONDS
        while True:
            try:
                if await self._read_until_lost():
                    wait_seconds = SHORTEST_WAIT_SECONDS
            except (AppError, *BROKER_ERRORS) as exc:
                log.warning("stream_failed", queue=self.queue, error=repr(exc), again_in_seconds=wait_seconds)
            finally:
                self._is_reading = False
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(wait_seconds * 2, LONGEST_WAIT_SECONDS)

    async def _read_until_lost(self) -> bool:
        """One channel's life; whether anything was heard in it."""
        offset: int | str = "first" if self._last is None and not await self._learn_epoch() else "next"
        if self._last is not None:
            offset = self._last[0]
        channel, underlay = await self._link.open_channel(confirms=False)
        session = _Session(self, underlay, is_resumed=self._last is not None)
        try:
            channel.close_callbacks.add(lambda *_: session.end())
            underlay.on_consumer_cancel_callbacks.add(lambda _: session.end())
            await declare_on(channel, self._topology)
            await underlay.basic_qos(prefetch_count=PREFETCH)
            take_deliveries(underlay, session.deliver)
            await underlay.basic_consume(self.queue, _unused, arguments={OFFSET: offset})
            self._is_reading = not session.ended.is_set()
            log.info("stream_reading", queue=self.queue, offset=offset)
            await session.ended.wait()
            log.warning("stream_lost", queue=self.queue)
            return session.has_heard
        finally:
            self._is_reading = False
            if not channel.is_closed:
                async with asyncio.timeout(2):
                    await channel.close()

    async def _learn_epoch(self) -> bool:
        """Look at the first message there is; False when the stream is empty: its first message is still to come."""
        self._epoch = None
        channel, underlay = await self._link.open_channel(confirms=False)
        try:
            await declare_on(channel, self._topology)
            arrived: asyncio.Future[DeliveredMessage] = asyncio.get_running_loop().create_future()

            async def deliver(message: DeliveredMessage) -> None:
                if not arrived.done():
                    arrived.set_result(message)

            await underlay.basic_qos(prefetch_count=1)
            await underlay.basic_consume(self.queue, deliver, arguments={OFFSET: "first"})
            try:
                async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
                    first = await arrived
            except TimeoutError:
                return False
        finally:
            if not channel.is_closed:
                async with asyncio.timeout(2):
                    await channel.close()
        candidate = _id_of(first)
        if _offset_of(first) == 0:
            await self._epochs.write(candidate)
            self._epoch = candidate
        else:
            self._epoch = await self._epochs.latest(candidate)
        return True

    def _take(self, message: DeliveredMessage, session: "_Session") -> None:
        """Put a message into its place, and tell of it."""
        offset, identifier = _offset_of(message), message.header.properties.message_id
        if self._last is None:
            if self._epoch is None:
                if offset != 0:  # the first message went while we looked: look again
                    session.end()
                    return
                self._epoch = _id_of(message)
                session.background(self._epochs.write(self._epoch))
            self._lose("joined")
        elif session.is_resumed and not session.has_heard:
            session.has_heard = True
            if (offset, identifier) == self._last:
                return  # the same stream goes on behind it
            self._forget(session, "another stream or a gap")
            return
        elif offset != self._last[0] + 1:
            self._forget(session, "gap")
            return
        session.has_heard = True
        self._last = offset, identifier
        self._tell(message, offset)

    def _tell(self, message: DeliveredMessage, offset: int) -> None:
        try:
            received = parse_event(message)
        except Unparsable as exc:
            log.warning("stream_unreadable", queue=self.queue, offset=offset, error=exc.detail)
            return
        if received is None:
            return
        if isinstance(received.event, self._heartbeat):
            age = max(0.0, (utc_now() - received.envelope.time).total_seconds())
            self._live_until = max(self._live_until, time.monotonic() + self._live_seconds - age)
            return
        assert self._epoch is not None, "learned with the first message"
        position = Position(self._epoch, offset)
        for listener in self._listeners:
            listener.heard(received, position)

    def _forget(self, session: "_Session", why: str) -> None:
        """Start anew at the end of whatever stream there is."""
        self._last = None
        self._lose(why)
        session.end()

    def _lose(self, why: str) -> None:
        self._live_until = 0.0
        log.info("stream_dropped", queue=self.queue, why=why)
        for listener in self._listeners:
            listener.lost()


class _Session:
    """One consumer's life."""

    def __init__(self, stream: EventStream, underlay: Underlay, *, is_resumed: bool) -> None:
        self._stream = stream
        self._acks = Acks(underlay)
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_resumed = is_resumed
        self.has_heard = False
        self.ended = asyncio.Event()

    def end(self) -> None:
        """No message of this session counts any more."""
        self.ended.set()
        self._stream._is_reading = False

    def background(self, work: Coroutine[Any, Any, None]) -> None:
        """Let a coroutine run beside the reading; what it meets is logged."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def deliver(self, message: DeliveredMessage) -> None:
        if self.ended.is_set():
            return
        assert message.delivery_tag is not None
        self._acks.delivered(message.delivery_tag)
        self._stream._take(message, self)
        self._acks.finished(message.delivery_tag)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("epoch_not_kept", error=repr(error))


async def _unused(_: DeliveredMessage) -> None:
    """What aiormq wants for a callback: deliveries are taken before they come to it."""


def _offset_of(message: DeliveredMessage) -> int:
    headers = message.header.properties.headers or {}
    offset = headers.get(OFFSET)
    assert isinstance(offset, int), "a stream names the offset of every message"
    return offset


def _id_of(message: DeliveredMessage) -> str:
    """The message's id without dashes; its offset where a foreign publisher gave none."""
    return (message.header.properties.message_id or f"first{_offset_of(message)}").replace("-", "")


class MemoryEpochs:
    """An epoch book of one process."""

    def __init__(self) -> None:
        self._written: list[str] = []

    async def write(self, epoch: str) -> None:
        """Keep it."""
        if epoch not in self._written:
            self._written.append(epoch)

    async def latest(self, otherwise: str) -> str:
        """The last one kept."""
        if not self._written:
            self._written.append(otherwise)
        return self._written[-1]
