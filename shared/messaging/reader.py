"""Reading events and reports in batches: what has arrived is handled together, in one transaction of the reader's.

A batch that fails is tried again, first whole, then one by one, so that an invalid message is parked alone. The
handler is safe to call twice with the same message (an inbox, a version, or an upsert makes it so): a crash between
its commit and the ack brings the message again.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from prometheus_client import Histogram
from pydantic import ValidationError

from shared import tracing
from shared.clock import utc_now
from shared.contracts.base import Event
from shared.contracts.envelope import Envelope
from shared.contracts.events import EVENT_BY_TYPE
from shared.errors import AppError, Unavailable, Unparsable
from shared.lifecycle import background
from shared.log import get_logger
from shared.messaging.broker import Broker
from shared.messaging.publisher import PERSISTENT
from shared.messaging.subscription import Session, Subscription
from shared.messaging.topology import Topology

log = get_logger(__name__)

BUG_ATTEMPTS: Final = 5
"""How often a message is tried that fails for no expected reason, before it is parked."""
SHORTEST_WAIT_SECONDS: Final = 0.1
LONGEST_WAIT_SECONDS: Final = 5.0

WAIT_SECONDS: Final = Histogram(
    "souk_event_wait_seconds",
    "How long events waited until they were handled: since the change that they tell of, by type.",
    ["type"],
    buckets=(0.05, 0.2, 1, 5, 30, 120, 600),
)

HandleBatch = Callable[[Sequence[DeliveredMessage]], Awaitable[None]]
OnParked = Callable[[DeliveredMessage], None]


class BatchReader:
    """Reads one queue. `handle` gets what has arrived, at most `max_batch`, oldest first, one call at a time."""

    def __init__(
        self,
        broker: Broker,
        queue: str,
        handle: HandleBatch,
        *,
        topology: Topology,
        max_batch: int,
        pace_seconds: float = 0,
        on_parked: OnParked | None = None,
        on_new_queue: Callable[[], None] | None = None,
    ) -> None:
        self._handle = handle
        self._pace_seconds = pace_seconds
        self._max_batch = max_batch
        self._publisher = broker.publisher
        self._arrived: deque[tuple[Session, DeliveredMessage]] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._queue = queue
        self._on_parked = on_parked
        self.subscription = Subscription(
            broker.consuming,
            queue,
            self._on_delivery,
            prefetch=max_batch * 2,
            topology=topology,
            on_new_queue=on_new_queue,
        )

    async def run(self) -> None:
        """Handle batches until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._arrived:
                self._idle.clear()
                batch = [self._arrived.popleft() for _ in range(min(self._max_batch, len(self._arrived)))]
                next_at = time.monotonic() + self._pace_seconds
                await self._settle([item for item in batch if item[0].is_open])
                if self._pace_seconds and len(self._arrived) < self._max_batch:
                    # The first of a burst is handled at once, the rest in few large batches.
                    await asyncio.sleep(next_at - time.monotonic())
            self._idle.set()

    async def drain(self, grace_seconds: float) -> None:
        """Stop reading and let the batch in hand finish; what is left is delivered again."""
        await self.subscription.stop()
        self._arrived.clear()
        try:
            async with asyncio.timeout(grace_seconds):
                await self._idle.wait()
        except TimeoutError:
            log.warning("batch_abandoned", queue=self._queue)
        await self.subscription.close()

    def _on_delivery(self, session: Session, message: DeliveredMessage) -> None:
        self._arrived.append((session, message))
        self._wake.set()

    async def _settle(self, batch: list[tuple[Session, DeliveredMessage]]) -> None:
        """Handle a batch whole; if it holds something that cannot be handled, each message alone."""
        wait_seconds = SHORTEST_WAIT_SECONDS
        while batch := [item for item in batch if item[0].is_open]:
            try:
                await self._handle([message for _, message in batch])
            except Unavailable as exc:
                log.warning("batch_waits", queue=self._queue, error=exc.detail, again_in_seconds=wait_seconds)
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(wait_seconds * 2, LONGEST_WAIT_SECONDS)
            except Exception as exc:  # noqa: BLE001 - whatever it was, the messages are still ours
                for item in batch:
                    await self._settle_alone(item, exc if len(batch) == 1 else None)
                return
            else:
                for session, message in batch:
                    _ack(session, message)
                return

    async def _settle_alone(self, item: tuple[Session, DeliveredMessage], error: Exception | None = None) -> None:
        """Handle one message until it is done, parked, or no longer ours. `error` is of the attempt just made."""
        session, message = item
        attempt, wait_seconds = 0, SHORTEST_WAIT_SECONDS
        while session.is_open:
            if error is None:
                try:
                    await self._handle([message])
                except Exception as exc:  # noqa: BLE001 - decided below
                    error = exc
                else:
                    break
            attempt += not isinstance(error, Unavailable)
            if (isinstance(error, AppError) and not error.retryable) or attempt >= BUG_ATTEMPTS:
                try:
                    await self._park(message, error)
                except Unavailable as exc:
                    log.warning("park_failed", queue=self._queue, error=exc.detail)
                else:
                    break
            else:
                log.warning(
                    "message_failed",
                    queue=self._queue,
                    type=message.header.properties.message_type,
                    message_id=message.header.properties.message_id,
                    error=repr(error),
                    again_in_seconds=wait_seconds,
                )
            error = None
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(wait_seconds * 2, LONGEST_WAIT_SECONDS)
        _ack(session, message)

    async def _park(self, message: DeliveredMessage, error: Exception) -> None:
        properties = message.header.properties
        log.error(
            "message_parked",
            queue=self._queue,
            type=properties.message_type,
            message_id=properties.message_id,
            error=repr(error),
        )
        await self._publisher.publish_body(
            message.body,
            exchange="",
            routing_key=f"{self._queue}.dead",
            properties=Basic.Properties(
                content_type=properties.content_type,
                message_id=properties.message_id,
                message_type=properties.message_type,
                delivery_mode=PERSISTENT,
                headers={"souk-reason": f"{type(error).__name__}: {error}".encode(errors="replace").decode()[:200]},
            ),
        )
        if self._on_parked is not None:
            self._on_parked(message)


def _ack(session: Session, message: DeliveredMessage) -> None:
    if session.is_open and message.delivery_tag is not None:
        session.acks.finished(message.delivery_tag)


@dataclass(frozen=True, slots=True)
class Received:
    """One event as a reader gets it. `traceparent` is its publish where that was recorded, else what caused it."""

    envelope: Envelope
    event: Event
    traceparent: str | None = None


EventHandler = Callable[[Any, Envelope], Awaitable[None]]
EventTable = Mapping[type[Event], EventHandler]


def parse_event(message: DeliveredMessage) -> Received | None:
    """Read an event; None for a type this version does not know. Raises `Unparsable`."""
    try:
        envelope = Envelope.model_validate_json(message.body)
        contract = EVENT_BY_TYPE.get(envelope.type)
        if contract is None:
            return None
        carried = (message.header.properties.headers or {}).get(tracing.HEADER)
        traceparent = carried if isinstance(carried, str) else envelope.traceparent
        return Received(envelope, contract.model_validate_json(orjson.dumps(envelope.data)), traceparent)
    except ValidationError as exc:
        first = exc.errors()[0]
        raise Unparsable(f"event: {first['loc']}: {first['msg']}") from exc
    except TypeError as exc:  # an integer over 64 bits
        raise Unparsable(f"event: {exc}") from exc


def one_by_one(table: EventTable) -> HandleBatch:
    """Handle each event by the coroutine of its class; an event without one is of no interest."""

    async def handle(messages: Sequence[DeliveredMessage]) -> None:
        for message in messages:
            received = parse_event(message)
            if received is not None and (handler := table.get(type(received.event))) is not None:
                await _handle_in_trace(handler, received)

    return handle


async def _handle_in_trace(handler: EventHandler, received: Received) -> None:
    """Handle one event as a part of its trace, and say so in one line."""
    began_ns = time.time_ns()
    with _span_of(received):
        await handler(received.event, received.envelope)
        _tell_handled(received.envelope, began_ns)


def tell_handled(received: Received, *, since_ns: int) -> None:
    """Say of an event that was handled with others what `one_by_one` says of each."""
    with _span_of(received, since_ns):
        _tell_handled(received.envelope, since_ns)


def _span_of(received: Received, since_ns: int | None = None) -> tracing.Span:
    name = f"handle {received.envelope.type}"
    return tracing.span(name, parent=received.traceparent, kind=tracing.Kind.CONSUMER, since_ns=since_ns)


def _tell_handled(envelope: Envelope, since_ns: int) -> None:
    ms = round((time.time_ns() - since_ns) / 1e6, 1)
    observe_wait(envelope)
    log.info("event_handled", type=envelope.type, message_id=str(envelope.id), ms=ms)


def observe_wait(envelope: Envelope) -> None:
    """Count an event that is handled now; for who handles events other than by a table, too."""
    WAIT_SECONDS.labels(envelope.type).observe(max(0.0, (utc_now() - envelope.time).total_seconds()))


@asynccontextmanager
async def reading(
    broker: Broker,
    queue: str,
    handle: HandleBatch,
    *,
    topology: Topology,
    grace_seconds: float,
    max_batch: int = 100,
    pace_seconds: float = 0,
    on_parked: OnParked | None = None,
    on_new_queue: Callable[[], None] | None = None,
) -> AsyncIterator[Subscription]:
    """Read `queue` while the block runs; yields the subscription, for readiness.

    `pace_seconds` is how far apart batches begin that are not full: what a transaction costs is then shared by more.
    `on_parked` hears of each message that is with the dead, `on_new_queue` each time the queue had to be made.
    """
    reader = BatchReader(
        broker,
        queue,
        handle,
        topology=topology,
        max_batch=max_batch,
        pace_seconds=pace_seconds,
        on_parked=on_parked,
        on_new_queue=on_new_queue,
    )
    async with background(reader.subscription.run(), name=queue), background(reader.run(), name=f"{queue} batches"):
        try:
            yield reader.subscription
        finally:
            await reader.drain(grace_seconds)
