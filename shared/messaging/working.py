"""A process at work: a consumer for each of its job types, following the ledger's word and telling what it holds."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from shared.contracts.reports import WorkerSeen
from shared.errors import Unavailable
from shared.lifecycle import background
from shared.log import get_logger
from shared.messaging.attempt import HandlerTable
from shared.messaging.broker import Broker
from shared.messaging.consumer import WorkConsumer
from shared.messaging.control import Controls, listening
from shared.messaging.reporter import SEEN_TYPE, Reporter
from shared.messaging.subscription import Subscription
from shared.messaging.topology import WORK_BY_TYPE, Tier, build
from shared.version import VERSION

log = get_logger(__name__)

SEEN_SECONDS: Final = 5.0
"""A third of what the ledger waits for before it takes a job as lost."""
IDLE_SEEN_SECONDS: Final = 5.0
"""As often with empty hands: health misses a worker that died within 15 s."""


@asynccontextmanager
async def working(
    broker: Broker,
    handlers: HandlerTable,
    *,
    worker: str,
    tiers: Sequence[Tier],
    grace_seconds: float,
    seen_seconds: float = SEEN_SECONDS,
) -> AsyncIterator[tuple[Subscription, ...]]:
    """Consume the jobs of every type in `handlers` while the block runs; yields the subscriptions, for readiness.

    At the end it stops consuming, gives running jobs `grace_seconds`, and hands the rest back to the broker.
    """
    reporter = Reporter(broker.publisher, worker=f"{worker}@{socket.gethostname()}:{os.getpid()}")
    async with AsyncExitStack() as stack:
        controls = await stack.enter_async_context(listening(broker.consuming, build(tiers, ())))
        consumers = [
            WorkConsumer(broker, WORK_BY_TYPE[job.type], handler, reporter=reporter, tiers=tiers, controls=controls)
            for job, handler in handlers.items()
        ]
        await stack.enter_async_context(_following(controls, consumers))
        for consumer in consumers:
            await stack.enter_async_context(background(consumer.subscription.run(), name=consumer.subscription.queue))
        await stack.enter_async_context(background(_seen(reporter, consumers, seen_seconds), name="worker seen"))
        try:
            yield tuple(consumer.subscription for consumer in consumers)
        finally:
            await asyncio.gather(*(consumer.drain(grace_seconds) for consumer in consumers))


@asynccontextmanager
async def _following(controls: Controls, consumers: Sequence[WorkConsumer]) -> AsyncIterator[None]:
    """Have every consumer follow what the ledger says, from before it begins until the block ends."""
    changed = asyncio.Event()

    async def follow() -> None:
        while True:
            await changed.wait()
            changed.clear()
            for consumer in consumers:
                await consumer.follow_controls()

    for consumer in consumers:
        await consumer.follow_controls()
    controls.on_change(changed.set)
    async with background(follow(), name="follow controls"):
        yield


async def _seen(reporter: Reporter, consumers: Sequence[WorkConsumer], every_seconds: float) -> None:
    """Tell the ledger every few seconds that this worker lives and what it holds."""
    types = tuple(consumer.type for consumer in consumers)
    told_at = -IDLE_SEEN_SECONDS
    while True:
        held = tuple(attempt for consumer in consumers for attempt in consumer.held)
        if held or time.monotonic() - told_at >= IDLE_SEEN_SECONDS:
            seen = WorkerSeen(worker=reporter.worker, version=VERSION, types=types, held=held)
            try:
                await reporter.tell(SEEN_TYPE, seen)
                told_at = time.monotonic()
            except Unavailable as exc:  # as when a process starts before the ledger has declared the topology
                log.info("seen_not_told", error=exc.detail)
                await asyncio.sleep(min(every_seconds, 1.0))
                continue
        await asyncio.sleep(every_seconds)
