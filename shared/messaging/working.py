"""A process at work: a consumer for each of its job types, following the ledger's word and telling what it holds."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from shared.contracts.base import Job
from shared.contracts.reports import WorkerCrashed, WorkerSeen
from shared.errors import Unavailable
from shared.lifecycle import background
from shared.log import get_logger
from shared.messaging.attempt import Handler, HandlerTable
from shared.messaging.breaker import TELL_AGAIN_SECONDS, Breaker
from shared.messaging.broker import Broker
from shared.messaging.consumer import WorkConsumer
from shared.messaging.control import listening
from shared.messaging.journal import Journal, open_journal
from shared.messaging.quarantine import Quarantine
from shared.messaging.reporter import BREAKER_TYPE, CRASHED_TYPE, SEEN_TYPE, Reporter
from shared.messaging.subscription import Subscription
from shared.messaging.topology import WORK_BY_TYPE, Tier, build
from shared.version import VERSION

log = get_logger(__name__)

SEEN_SECONDS: Final = 5.0
"""A third of what the ledger waits for before it takes a job as lost."""
IDLE_SEEN_SECONDS: Final = 5.0
"""As often with empty hands: health misses a worker that died within 15 s."""
PROGRESS_SECONDS: Final = 1.0
"""At most as often, when a handler says how far it has come."""


@asynccontextmanager
async def working(
    broker: Broker,
    handlers: HandlerTable,
    *,
    worker: str,
    tiers: Sequence[Tier],
    grace_seconds: float,
    state_dir: Path | None = None,
    seen_seconds: float = SEEN_SECONDS,
) -> AsyncIterator[tuple[Subscription, ...]]:
    """Consume the jobs of every type in `handlers` while the block runs; yields the subscriptions, for readiness.

    At the end it stops consuming, gives running jobs `grace_seconds`, and hands the rest back to the broker.
    Killed with jobs in its hands, it leaves them to the broker, which delivers them again, and those that ran in the
    journal of its slot in `state_dir`: the next process of the slot tells the ledger before it takes any job.
    """
    reporter = Reporter(broker.publisher, worker=f"{worker}@{socket.gethostname()}:{os.getpid()}")
    async with AsyncExitStack() as stack:
        journal = stack.enter_context(open_journal(state_dir, worker=worker))
        controls = await stack.enter_async_context(listening(broker.consuming, build(tiers, ())))
        quarantine, changed, progressed = Quarantine(journal, controls), asyncio.Event(), asyncio.Event()

        def consumer_of(job: type[Job], handler: Handler) -> WorkConsumer:
            work = WORK_BY_TYPE[job.type]
            breaker = Breaker(
                work.type,
                worker=reporter.worker,
                probe_seconds=tiers[0].seconds,
                tell=partial(reporter.tell, BREAKER_TYPE),
                on_change=changed.set,
            )
            return WorkConsumer(
                broker,
                work,
                handler,
                reporter=reporter,
                tiers=tiers,
                controls=controls,
                quarantine=quarantine,
                breaker=breaker,
                progressed=progressed,
            )

        consumers = [consumer_of(job, handler) for job, handler in handlers.items()]
        controls.on_change(changed.set)
        await stack.enter_async_context(_following(changed, consumers))
        crash_told = asyncio.Event()
        await stack.enter_async_context(
            background(_tell_crash(reporter, journal, quarantine, crash_told), name="crash journal")
        )
        for consumer in consumers:
            await stack.enter_async_context(background(consumer.breaker.run(), name=f"breaker of {consumer.type}"))
            consuming = _after(crash_told, consumer.subscription.run)
            await stack.enter_async_context(background(consuming, name=consumer.subscription.queue))
        await stack.enter_async_context(
            background(_seen(reporter, consumers, progressed, seen_seconds), name="worker seen")
        )
        try:
            yield tuple(consumer.subscription for consumer in consumers)
        finally:
            await asyncio.gather(*(consumer.drain(grace_seconds) for consumer in consumers))


@asynccontextmanager
async def _following(changed: asyncio.Event, consumers: Sequence[WorkConsumer]) -> AsyncIterator[None]:
    """Have every consumer follow what the ledger says, from before it begins until the block ends."""

    async def follow() -> None:
        while True:
            await changed.wait()
            changed.clear()
            for consumer in consumers:
                await consumer.follow_controls()

    for consumer in consumers:
        await consumer.follow_controls()
    async with background(follow(), name="follow controls"):
        yield


async def _tell_crash(reporter: Reporter, journal: Journal, quarantine: Quarantine, told: asyncio.Event) -> None:
    """Tell the ledger, confirmed, what the process before left in this slot; until then nothing is consumed."""
    if journal.crash is not None:
        quarantine.suspect(journal.crash)  # before the ledger can answer
    while (crash := journal.crash) is not None:
        message = WorkerCrashed(crash_id=crash.id, worker=reporter.worker, attempts=crash.attempts)
        try:
            await reporter.tell(CRASHED_TYPE, message, message_id=crash.id)
        except Unavailable as exc:
            log.info("crash_not_told", error=exc.detail)
            await asyncio.sleep(TELL_AGAIN_SECONDS)
        else:
            log.warning("crash_told", jobs=[str(attempt.job_id) for attempt in crash.attempts])
            journal.forget_crash()
    told.set()


async def _after(event: asyncio.Event, run: Callable[[], Awaitable[None]]) -> None:
    await event.wait()
    await run()


async def _seen(
    reporter: Reporter, consumers: Sequence[WorkConsumer], progressed: asyncio.Event, every_seconds: float
) -> None:
    """Tell the ledger every few seconds that this worker lives and what it holds, sooner how far that has come."""
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
        await asyncio.sleep(min(every_seconds, PROGRESS_SECONDS))
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, every_seconds - PROGRESS_SECONDS)):
                await progressed.wait()
        progressed.clear()
