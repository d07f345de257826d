"""Publishing that tells the truth: persistent, mandatory, confirmed, and limited in time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import aio_pika
from aio_pika.abc import AbstractChannel
from aiormq.channel import Channel as Underlay
from pamqp.commands import Basic

from shared.contracts.envelope import CONTENT_TYPE, Envelope
from shared.errors import Unavailable

PUBLISH_SECONDS: Final = 10.0
MAX_UNCONFIRMED: Final = 500
"""A `multiple` confirm walks every outstanding one, so more than this only costs time."""
PERSISTENT: Final = 2

OpenChannel = Callable[..., Awaitable[tuple[AbstractChannel, Underlay]]]


class NotConfirmed(Unavailable):
    """The broker did not take the message, or did not say so: it may arrive all the same. Publish it again."""

    code = "not_confirmed"


class Publisher:
    """One confirming channel, opened when needed and again after it was lost. Safe to share between tasks."""

    def __init__(self, open_channel: OpenChannel) -> None:
        self._open_channel = open_channel
        self._opening = asyncio.Lock()
        self._room = asyncio.Semaphore(MAX_UNCONFIRMED)
        self._channel: AbstractChannel | None = None
        self._underlay: Underlay | None = None
        self.returned = asyncio.Event()
        """Set when a message came back because no queue would have it. Whoever keeps the topology clears it."""

    async def publish(
        self,
        envelope: Envelope,
        *,
        exchange: str,
        routing_key: str,
        priority: int = 0,
        headers: Mapping[str, int | str] | None = None,
        expiration_ms: int | None = None,
        body: bytes | None = None,
    ) -> None:
        """Publish an event or a job; returns once the broker has it in every queue it belongs to, on disk.

        `priority` is the wire's (5 is the highest); `body` is the envelope's JSON where the caller has it already.
        Raises `NotConfirmed` otherwise.
        """
        await self.publish_body(
            envelope.model_dump_json(exclude_none=True).encode() if body is None else body,
            exchange=exchange,
            routing_key=routing_key,
            properties=Basic.Properties(
                content_type=CONTENT_TYPE,
                delivery_mode=PERSISTENT,
                message_id=str(envelope.id),
                message_type=envelope.type,
                app_id=envelope.source,
                correlation_id=None if envelope.causationid is None else str(envelope.causationid),
                timestamp=datetime.now(UTC),
                priority=priority,
                headers=dict(headers or {}),
                expiration=None if expiration_ms is None else str(expiration_ms),
            ),
        )

    async def publish_body(self, body: bytes, *, exchange: str, routing_key: str, properties: Basic.Properties) -> None:
        """Publish bytes with properties of the caller's; same promise as `publish`."""
        try:
            async with asyncio.timeout(PUBLISH_SECONDS), self._room:
                channel = await self._ready()
                # wait=False leaves draining to the connection's writer; the confirm is what is waited for.
                await channel.basic_publish(
                    body,
                    exchange=exchange,
                    routing_key=routing_key,
                    properties=properties,
                    mandatory=True,
                    wait=False,
                )
        except aio_pika.exceptions.PublishError as exc:
            self.returned.set()
            raise NotConfirmed(f"{routing_key!r} to {exchange!r} reaches no queue") from exc
        except (aio_pika.exceptions.AMQPError, OSError, TimeoutError, RuntimeError) as exc:
            raise NotConfirmed(f"{routing_key!r} to {exchange!r} was not confirmed: {exc!r}") from exc

    async def _ready(self) -> Underlay:
        async with self._opening:
            if self._underlay is None or self._underlay.is_closed:
                self._channel, self._underlay = await self._open_channel(confirms=True)
            return self._underlay
