"""Connections to the broker: one for publishing, one for consuming, each opened anew after it was lost.

A resource alarm stops everything on a connection that publishes, so the two never share one.
Plain connections are used, not aio-pika's robust ones: what has to be declared and consumed again after a loss is
said once, by whoever consumes, in `subscription.py`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.channel import Channel as Underlay
from yarl import URL

from shared.errors import Unavailable
from shared.log import get_logger
from shared.messaging.publisher import Publisher

log = get_logger(__name__)

CONNECT_SECONDS: Final = 5.0
HEARTBEAT_SECONDS: Final = 5
BROKER_ERRORS: Final = (aio_pika.exceptions.AMQPError, OSError, TimeoutError, RuntimeError)
"""What aio-pika and aiormq raise when the broker, the link or the channel is gone."""


class Link:
    """One connection, opened when it is needed and again after it was lost."""

    def __init__(self, url: str, *, name: str) -> None:
        self._url = URL(url).update_query(heartbeat=str(HEARTBEAT_SECONDS))
        self._name = name
        self._opening = asyncio.Lock()
        self._connection: AbstractConnection | None = None
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

    async def close(self) -> None:
        """Close the connection if one is open; what was not acknowledged will be delivered again."""
        if self._connection is not None:
            await self._connection.close()

    @property
    def is_open(self) -> bool:
        """Whether the connection stands, as far as this end knows."""
        # `is_closed` of a plain connection tells of our own `close` only; `connected` of what became of the link.
        return self._connection is not None and self._connection.connected.is_set()

    async def _connected(self) -> AbstractConnection:
        async with self._opening:
            if self._connection is None or not self.is_open:
                self._connection = await aio_pika.connect(self._url, client_properties={"connection_name": self._name})
                self.openings += 1
            return self._connection


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
    try:
        yield broker
    finally:
        await broker.close()
