"""Connections to the broker: one for publishing, one for consuming, each opened anew after it was lost.

A resource alarm stops everything on a connection that publishes, so the two never share one.
A link whose other end has silently gone looks well to TCP, and to AMQP's own heartbeat for some twenty seconds. So each
is asked something every now and then, and broken off when no answer comes: whoever uses it begins anew then.
Plain connections are used, not aio-pika's robust ones: what has to be declared and consumed again after a loss is
said once, by whoever consumes, in `subscription.py`.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.channel import Channel as Underlay
from prometheus_client import Counter, Gauge
from yarl import URL

from shared.errors import Unavailable
from shared.lifecycle import background
from shared.log import get_logger
from shared.messaging.publisher import Publisher
from shared.messaging.wire import Wire

log = get_logger(__name__)

CONNECT_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 5.0
HEARTBEAT_SECONDS: Final = 5
ASK_EVERY_SECONDS: Final = 1.5
ANSWER_SECONDS: Final = 2.5
"""A half-open link is found so long after it was asked: 4 s at most after it became so."""
LATE_SECONDS: Final = 0.5
"""A time limit that ends so much too late says that this process stood still, not the broker."""
BROKER_ERRORS: Final = (aio_pika.exceptions.AMQPError, OSError, TimeoutError, RuntimeError)
"""What aio-pika and aiormq raise when the broker, the link or the channel is gone."""


CONNECTED = Gauge(
    "souk_broker_connected", "1 while a link that was needed stands. Absent until it is needed.", ["link"]
)
SILENT = Counter("souk_broker_links_silent", "Links broken off, because the broker did not answer.", ["link"])


class _Connection(aio_pika.Connection):
    """A plain connection that knows its wire."""

    def __init__(self, url: URL, **kwargs: Any) -> None:
        super().__init__(url, **kwargs)
        self.wire = Wire()
        self.kwargs["transport_factory"] = self.wire
        self.asked: Underlay | None = None
        """The channel on which the broker is asked whether it is there."""

    @property
    def is_open(self) -> bool:
        """Whether the connection stands, as far as this end knows."""
        # `is_closed` of a plain connection tells of our own `close` only; `connected` of what became of the link.
        return self.connected.is_set()

    async def is_blocked(self) -> bool:
        """Whether the broker has said that it reads nothing here for now, because of a resource alarm."""
        if self.transport is None:
            return False
        try:
            async with asyncio.timeout(0.01):
                await self.transport.ready()
        except TimeoutError:
            return True
        return False

    async def ask(self) -> None:
        """Have the broker answer something that changes nothing."""
        if self.asked is None or self.asked.is_closed:
            channel = self.channel(publisher_confirms=False)
            await channel.initialize()
            underlay = await channel.get_underlay_channel()
            assert isinstance(underlay, Underlay)
            self.asked = underlay
        await self.asked.basic_qos(prefetch_count=1)


class Link:
    """One connection, opened when it is needed and again after it was lost."""

    def __init__(self, url: str, *, name: str) -> None:
        self._url = URL(url).update_query(heartbeat=str(HEARTBEAT_SECONDS))
        self._name = name
        self._opening = asyncio.Lock()
        self._connection: _Connection | None = None
        self.openings = 0
        """How often the connection was opened: who keeps something in the broker looks whether it was lost since."""

    async def open_channel(self, *, confirms: bool) -> tuple[AbstractChannel, Underlay]:
        """A fresh channel and the aiormq channel below it. Raises `Unavailable` when the broker does not answer."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                connection = await self._connected()
                channel = connection.channel(publisher_confirms=confirms, on_return_raises=confirms)
                await channel.initialize()
                underlay = await channel.get_underlay_channel()
                assert isinstance(underlay, Underlay)
                return channel, underlay
        except BROKER_ERRORS as exc:
            raise Unavailable(f"the broker did not answer: {exc!r}") from exc

    async def watch(self) -> None:
        """Break the connection off whenever the broker does not answer on it, until cancelled."""
        while True:
            await asyncio.sleep(ASK_EVERY_SECONDS)
            connection = self._connection
            if connection is not None and connection.is_open and await _is_silent(connection):
                log.warning("link_silent", link=self._name)
                SILENT.labels(self._name).inc()
                connection.wire.abort()

    async def close(self) -> None:
        """Close the connection if one is open; what was not acknowledged will be delivered again."""
        if self._connection is not None:
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._connection.close()
            except TimeoutError:
                self._connection.wire.abort()

    @property
    def is_open(self) -> bool:
        """Whether the connection stands, as far as this end knows."""
        return self._connection is not None and self._connection.is_open

    async def trouble(self) -> str | None:
        """Why nothing can be published on it now; None when something can."""
        if self._connection is None or not self._connection.is_open:
            return "there is no connection"
        if await self._connection.is_blocked():
            return "a memory or disk alarm: nothing that is published is read"
        return None

    async def _connected(self) -> AbstractConnection:
        async with self._opening:
            CONNECTED.labels(self._name).set_function(lambda: self.is_open)
            if self._connection is None or not self.is_open:
                connection = _Connection(self._url, client_properties={"connection_name": self._name})
                try:
                    await connection.connect()
                except BaseException:  # given up in time: the other end may still answer, to nobody
                    connection.wire.abort()
                    raise
                self._connection = connection
                self.openings += 1
            return self._connection


async def _is_silent(connection: _Connection) -> bool:
    """Whether the broker owes an answer. It owes none while an alarm keeps it from reading what is published."""
    if await connection.is_blocked():
        return False
    began = time.monotonic()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await connection.ask()
    except TimeoutError:
        connection.asked = None
        has_stood_still = time.monotonic() - began > ANSWER_SECONDS + LATE_SECONDS
        return not has_stood_still and not await connection.is_blocked()
    except Exception as exc:  # noqa: BLE001 - the link is going; aiormq ends who waits on it with a plain Exception
        log.info("link_not_asked", error=repr(exc))
        connection.asked = None
    return False


class Broker:
    """The broker as one process sees it."""

    def __init__(self, url: str, *, name: str) -> None:
        self.publishing = Link(url, name=f"{name} publishing")
        self.consuming = Link(url, name=f"{name} consuming")
        self.publisher = Publisher(self.publishing.open_channel)

    async def close(self) -> None:
        """Close both connections."""
        await self.consuming.close()
        await self.publishing.close()


@asynccontextmanager
async def open_broker(url: str, *, name: str) -> AsyncIterator[Broker]:
    """The broker for a process called `name`. It need not be there yet: connections open on first use."""
    broker = Broker(url, name=name)
    async with (
        background(broker.publishing.watch(), name="watch publishing"),
        background(broker.consuming.watch(), name="watch consuming"),
    ):
        try:
            yield broker
        finally:
            await broker.close()
