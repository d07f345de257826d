"""The socket of one connection, and a short way for deliveries: from its bytes to the consumer.

aiormq awaits each of a frame's parts, has pamqp decode it, puts it into the channel's queue, has the channel's reader
take it out again, and starts a task for the callback; a delivery is three frames. A channel that consumes one queue
with a callback that does not block needs none of it: its deliveries are taken out of the bytes as they arrive, and
aiormq reads the rest as if they had never come.

What this takes for granted of aiormq (7.2.4; the lock file pins it, and every test that consumes fails should it
change): it opens its socket by the transport factory it was given, keeps that, and reads from the reader it returns.
aiormq also takes a link for dead on which it has seen nothing for some time: it sees the answers to `Link.watch`.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Any, Final

from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel
from aiormq.connection import TransportFactory
from aiormq.exceptions import AMQPConnectionError
from pamqp import constants
from pamqp.commands import Basic
from pamqp.commands import Channel as ChannelMethods
from pamqp.header import ContentHeader
from yarl import URL

from shared.messaging.frames import METHOD_ID, read_content_header, read_deliver

OnMessage = Callable[[DeliveredMessage], None]

_FRAME: Final = struct.Struct(">BHI")
"""Kind, channel, bytes of the payload; the payload and one closing byte follow."""
_KINDS: Final = {constants.FRAME_METHOD, constants.FRAME_HEADER, constants.FRAME_BODY, constants.FRAME_HEARTBEAT}
_DELIVER: Final = divmod(Basic.Deliver.index, 2**16)
_CHANNEL_ENDS: Final = {divmod(method.index, 2**16) for method in (ChannelMethods.Close, ChannelMethods.CloseOk)}


def take_deliveries(channel: Channel, on_message: OnMessage) -> None:
    """Have `on_message` called for each delivery on this channel, at once, until the channel ends.

    `on_message` must neither block nor raise. To be called before `basic_consume`, whose own callback is then unused.
    """
    wire = channel.connection._transport_factory  # type: ignore[attr-defined] # see above
    assert isinstance(wire, Wire)
    wire.reader.take(channel, on_message)


class Wire(TransportFactory):
    """Opens the socket of one connection, and can break it off without a good-bye."""

    def __init__(self) -> None:
        self._transport: asyncio.WriteTransport | None = None

    async def create(self, url: URL, **kwargs: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """As `asyncio.open_connection`, with a reader of our own."""
        context = kwargs.pop("ssl_context_provider")
        tls = await context.get_context() if url.scheme == "amqps" else None
        loop = asyncio.get_running_loop()
        self.reader = DeliveryReader()
        protocol = asyncio.StreamReaderProtocol(self.reader, loop=loop)
        host, port = url.host or "localhost", url.port or 5672
        try:
            self._transport, _ = await loop.create_connection(lambda: protocol, host, port, ssl=tls, **kwargs)
        except OSError as exc:
            raise AMQPConnectionError(*exc.args) from exc
        return self.reader, asyncio.StreamWriter(self._transport, protocol, self.reader, loop)

    def abort(self) -> None:
        """Whoever waits for the other end hears at once that it is gone."""
        if self._transport is not None:
            self._transport.abort()


class DeliveryReader(asyncio.StreamReader):
    """What the broker sends, but for the deliveries that somebody takes."""

    def __init__(self) -> None:
        super().__init__()
        self._takers: dict[int, _Taker] = {}
        self._incomplete = b""

    def take(self, channel: Channel, on_message: OnMessage) -> None:
        """Have the deliveries on a channel go to `on_message`."""
        self._takers[channel.number] = _Taker(channel, on_message)

    def feed_data(self, data: bytes) -> None:  # type: ignore[override] # a protocol feeds nothing else
        """Sort the frames that are complete; what is left waits for its end."""
        buffer = self._incomplete + data if self._incomplete else data
        begin = at = 0  # what is before `begin` is dealt with, what is between the two is aiormq's
        while len(buffer) - at >= _FRAME.size:
            kind, channel, size = _FRAME.unpack_from(buffer, at)
            if kind not in _KINDS:  # no frame, as when a server refuses this protocol's version
                at = len(buffer)
                break
            payload, following = at + _FRAME.size, at + _FRAME.size + size + 1
            if following > len(buffer):
                break
            if (taker := self._takers.get(channel)) is not None:
                if taker.takes(kind, buffer, payload, size):
                    self._pass_on(buffer[begin:at])
                    begin = following
                elif kind == constants.FRAME_METHOD and METHOD_ID.unpack_from(buffer, payload) in _CHANNEL_ENDS:
                    del self._takers[channel]  # its number may be another's soon
            at = following
        self._pass_on(buffer[begin:at])
        self._incomplete = buffer[at:]

    def _pass_on(self, data: bytes) -> None:
        if data:
            super().feed_data(data)


class _Taker:
    """Puts the deliveries of one channel together: each is a method, a header, and as many parts of a body."""

    def __init__(self, channel: Channel, on_message: OnMessage) -> None:
        self._channel = channel
        self._on_message = on_message
        self._deliver: Basic.Deliver | None = None
        self._header: ContentHeader | None = None
        self._body: list[bytes] = []
        self._missing_bytes = 0

    def takes(self, kind: int, buffer: bytes, at: int, size: int) -> bool:
        """Take a frame with its payload at `at`; False when it belongs to no delivery."""
        if kind == constants.FRAME_METHOD:
            self._deliver = self._header = None  # a channel that is closed in the middle of a delivery
            if METHOD_ID.unpack_from(buffer, at) != _DELIVER:
                return False
            self._deliver = read_deliver(buffer, at)
        elif self._deliver is None:  # the content of another method, as of a message that came back
            return False
        elif kind == constants.FRAME_HEADER:
            self._header = read_content_header(buffer, at)
            self._missing_bytes, self._body = self._header.body_size, []
        else:
            self._body.append(buffer[at : at + size])
            self._missing_bytes -= size
        if self._header is not None and self._missing_bytes <= 0:
            self._complete(self._deliver, self._header)
        return True

    def _complete(self, deliver: Basic.Deliver, header: ContentHeader) -> None:
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._deliver = self._header = None
        self._on_message(DeliveredMessage(delivery=deliver, header=header, body=body, channel=self._channel))
