"""Consuming one queue for as long as the process lives, whatever happens to link, channel, consumer or queue."""

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from aio_pika.abc import AbstractChannel
from aiormq.abc import DeliveredMessage
from aiormq.channel import Channel as Underlay
from pamqp.common import FieldValue
from prometheus_client import Gauge

from shared.log import get_logger
from shared.messaging.acks import Acks
from shared.messaging.broker import BROKER_ERRORS, Link
from shared.messaging.declare import declare_on, is_there
from shared.messaging.topology import Topology
from shared.messaging.wire import take_deliveries

log = get_logger(__name__)

EXPECTED: Final = Gauge(
    "souk_consumers_expected", "Consumers that this process should have on a queue: 0 while it pauses.", ["queue"]
)
CONSUMERS: Final = Gauge("souk_consumers", "Consumers that the broker has confirmed and not lost since.", ["queue"])
SHORTEST_WAIT_SECONDS: Final = 0.2
LONGEST_WAIT_SECONDS: Final = 3.0


class Session:
    """One channel's life: from `basic.consume` until the channel or the consumer is gone."""

    def __init__(self, channel: AbstractChannel, underlay: Underlay) -> None:
        self.channel = channel
        self.underlay = underlay
        self.acks = Acks(underlay)
        self.ended = asyncio.Event()
        self._handing_back: set[asyncio.Future[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether an ack sent now can still reach the broker."""
        return not self.underlay.is_closed and not self.ended.is_set()

    def requeue(self, tag: int) -> asyncio.Future[None]:
        """Hand a delivery back, for whoever consumes next. Only when this one stops or pauses."""
        self.acks.forget(tag)
        handing_back = asyncio.ensure_future(self.underlay.basic_nack(tag, requeue=True))
        self._handing_back.add(handing_back)  # the loop itself keeps no strong reference to a task
        handing_back.add_done_callback(self._handed_back)
        return handing_back

    def _handed_back(self, done: asyncio.Future[None]) -> None:
        self._handing_back.discard(done)
        if not done.cancelled() and (error := done.exception()) is not None:
            log.info("not_handed_back", error=repr(error))  # the channel is gone: then it is delivered again anyway


OnDelivery = Callable[[Session, DeliveredMessage], None]


class Subscription:
    """Declares, consumes, and starts over when anything ends: lost link, closed channel, `basic.cancel`.

    `topology` is what this queue's reader declares each time. `on_delivery` must not block; it starts tasks.
    `on_new_queue` is called whenever the queue had to be made: what was in it before is lost.
    """

    def __init__(
        self,
        link: Link,
        queue: str,
        on_delivery: OnDelivery,
        *,
        prefetch: int,
        topology: Topology,
        arguments: Mapping[str, str | int] | None = None,
        on_new_queue: Callable[[], None] | None = None,
    ) -> None:
        self.queue = queue
        self._link = link
        self._on_delivery = on_delivery
        self._prefetch = prefetch
        self._topology = topology.only([queue])
        self._arguments: dict[str, FieldValue] = dict(arguments or {})
        self._on_new_queue = on_new_queue
        self._session: Session | None = None
        self._consumer_tag: str | None = None
        self._stopping = asyncio.Event()
        self._allowed = asyncio.Event()
        self._allowed.set()
        self.consuming_since: float | None = None
        """Monotonic seconds at which the broker last said that this consumer stands; None before the first time."""
        self.is_consuming = False
        """Whether the broker has said that this consumer stands and nothing has ended it since."""
        EXPECTED.labels(queue).set_function(lambda: not self.is_paused)
        CONSUMERS.labels(queue).set_function(lambda: self.is_consuming)

    @property
    def is_paused(self) -> bool:
        """Whether somebody wants nothing to be delivered for now."""
        return not self._allowed.is_set()

    async def pause(self) -> None:
        """Take no more deliveries until `resume`; those in hand can still be settled. Safe to call twice."""
        if self._allowed.is_set():
            self._allowed.clear()
            await self._cancel_consumer()

    async def resume(self) -> None:
        """Consume again after `pause`. Safe to call twice."""
        if not self._allowed.is_set():
            self._allowed.set()
            if self._session is not None and self._session.is_open:
                try:
                    await self._consume(self._session)
                except BROKER_ERRORS as exc:  # the channel is going: `run` begins a new one
                    log.info("resume_failed", queue=self.queue, error=repr(exc))
                    self._session.ended.set()

    async def run(self) -> None:
        """Consume until stopped or cancelled; end with `stop` and `close`."""
        wait_seconds = SHORTEST_WAIT_SECONDS
        while not self._stopping.is_set():
            try:
                session = await self._begin()
                wait_seconds = SHORTEST_WAIT_SECONDS
                await session.ended.wait()
                if self._stopping.is_set():
                    return
                log.warning("consumer_lost", queue=self.queue)
            except Exception as exc:  # noqa: BLE001 - a queue that nobody reads any more is worse than any error
                log.warning("consume_failed", queue=self.queue, error=repr(exc), again_in_seconds=wait_seconds)
            finally:
                self.is_consuming = False
            await self._drop_channel()
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(wait_seconds * 2, LONGEST_WAIT_SECONDS)

    async def set_prefetch(self, prefetch: int) -> None:
        """Take more or fewer deliveries ahead: the broker applies it to a consumer that begins anew."""
        if prefetch == self._prefetch:
            return
        self._prefetch = prefetch
        if self.is_consuming and self._session is not None and self._session.is_open:
            try:
                await self._cancel_consumer()
                if self._allowed.is_set() and not self._stopping.is_set():
                    await self._consume(self._session)
            except BROKER_ERRORS as exc:  # the channel is going: `run` begins a new one
                log.info("prefetch_failed", queue=self.queue, error=repr(exc))
                self._session.ended.set()

    async def stop(self) -> None:
        """Take no more deliveries; those in hand can still be acknowledged."""
        self._stopping.set()
        await self._cancel_consumer()

    async def close(self) -> None:
        """Send the acks that are due and close the channel: what is left unacknowledged is delivered again."""
        if self._session is not None and self._session.is_open:
            await self._session.acks.flush()
        await self._drop_channel()

    async def _cancel_consumer(self) -> None:
        self.is_consuming = False
        if self._session is not None and self._session.is_open and self._consumer_tag is not None:
            try:
                async with asyncio.timeout(2):
                    await self._session.underlay.basic_cancel(self._consumer_tag)
            except BROKER_ERRORS as exc:
                log.info("cancel_failed", queue=self.queue, error=repr(exc))

    async def _begin(self) -> Session:
        channel, underlay = await self._link.open_channel(confirms=False)
        session = Session(channel, underlay)
        self._session = session
        channel.close_callbacks.add(lambda *_: session.ended.set())
        underlay.on_consumer_cancel_callbacks.add(lambda _: session.ended.set())
        take_deliveries(underlay, partial(self._deliver, session))
        if self._on_new_queue is not None and not await is_there(self._link, self.queue):
            self._on_new_queue()
        await declare_on(channel, self._topology)
        if self._allowed.is_set():
            await self._consume(session)
        return session

    async def _consume(self, session: Session) -> None:
        prefetch = self._prefetch
        await session.underlay.basic_qos(prefetch_count=prefetch)
        answer = await session.underlay.basic_consume(self.queue, _unused, arguments=self._arguments)
        self._consumer_tag = answer.consumer_tag
        self.consuming_since = time.monotonic()
        self.is_consuming = True
        log.info("consuming", queue=self.queue, prefetch=prefetch)
        if prefetch != self._prefetch:  # the first deliveries came before the broker's answer, and called for another
            await self._cancel_consumer()
            await self._consume(session)

    def _deliver(self, session: Session, message: DeliveredMessage) -> None:
        tag = message.delivery_tag
        assert tag is not None
        if self._stopping.is_set() or not self._allowed.is_set():
            # Delivered before the broker heard of the cancel. Left unacknowledged at the end: another gets it.
            if not self._stopping.is_set():
                session.requeue(tag)
            return
        session.acks.delivered(tag)
        self._on_delivery(session, message)

    async def _drop_channel(self) -> None:
        session, self._session = self._session, None
        if session is None or session.channel.is_closed:
            return
        try:
            async with asyncio.timeout(2):
                await session.channel.close()
        except BROKER_ERRORS as exc:
            log.info("close_failed", queue=self.queue, error=repr(exc))


async def _unused(_: DeliveredMessage) -> None:
    """aiormq asks for a callback; deliveries are taken from the wire."""
