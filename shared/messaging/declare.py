"""Making the broker's exchanges, queues and bindings be what the topology says, without changing what is there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import aio_pika
from aio_pika.abc import AbstractChannel, ExchangeType

from shared.errors import AppError, Conflict, Unavailable
from shared.lifecycle import background
from shared.log import get_logger
from shared.messaging.broker import BROKER_ERRORS, Link
from shared.messaging.topology import Topology

log = get_logger(__name__)

OnFoundMissing = Callable[[], Awaitable[None]]

_PRECONDITION_FAILED: Final = aio_pika.exceptions.ChannelPreconditionFailed


class TopologyDiffers(Conflict):
    """Something of that name exists with other arguments. Souk never redefines it: migrate it under a new name."""

    code = "topology_differs"


async def apply(link: Link, topology: Topology) -> None:
    """Declare everything, idempotently. Raises `TopologyDiffers` naming what differs, `Unavailable` when away.

    A crash half way leaves a part declared; the next call declares the rest.
    """
    channel, _ = await link.open_channel(confirms=False)
    try:
        await declare_on(channel, topology)
    finally:
        if not channel.is_closed:
            await channel.close()


async def declare_on(channel: AbstractChannel, topology: Topology) -> None:
    """`apply` on a channel of the caller's; the broker closes it when something differs."""
    for exchange in topology.exchanges:
        try:
            await channel.declare_exchange(exchange.name, ExchangeType(exchange.type), durable=True)
        except _PRECONDITION_FAILED as exc:
            raise TopologyDiffers(f"exchange {exchange.name!r} exists as something else: {exc}") from exc
    for queue in topology.queues:
        try:
            await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))
        except _PRECONDITION_FAILED as exc:
            raise TopologyDiffers(f"queue {queue.name!r} exists with other arguments: {exc}") from exc
    for binding in topology.bindings:
        queue_there = await channel.get_queue(binding.queue, ensure=False)
        await queue_there.bind(binding.exchange, binding.routing_key)


async def is_there(link: Link, queue: str) -> bool:
    """Whether a queue exists. Raises `Unavailable` when the broker is away."""
    channel, _ = await link.open_channel(confirms=False)
    try:
        await channel.declare_queue(queue, passive=True)
    except aio_pika.exceptions.ChannelNotFoundEntity:
        return False
    finally:
        if not channel.is_closed:
            await channel.close()
    return True


@asynccontextmanager
async def keeping_topology(
    link: Link,
    topology: Topology,
    *,
    returned: asyncio.Event | None = None,
    on_found_missing: OnFoundMissing | None = None,
    check_seconds: float = 20.0,
) -> AsyncIterator[None]:
    """Apply the whole topology now, after every loss of the link, and every `check_seconds`, while the block runs.

    Bindings that are gone come back by the check, and at once when `returned` says that a message found no queue. When
    it meets a queue that is gone it makes all anew and then awaits `on_found_missing`: nobody may have been reading,
    so nobody else has noticed.
    A difference from what exists is told and stops the process: nothing is ever redefined by a service.
    """
    bindings = Topology((), (), topology.bindings)
    bound = {binding.queue for binding in topology.bindings}
    others = Topology(topology.exchanges, tuple(queue for queue in topology.queues if queue.name not in bound), ())
    sooner = () if returned is None else (returned,)
    is_missing = False
    try:
        is_missing = await _lacks(link, bindings)
        await apply(link, topology)
    except Unavailable as exc:
        log.warning("topology_waits", error=exc.detail)

    async def keep() -> None:
        """Declare, bind anew from time to time until the channel is gone, and begin again."""
        nonlocal is_missing
        while True:
            try:
                is_missing = await _lacks(link, bindings) or is_missing
                channel, _ = await link.open_channel(confirms=False)
                gone = asyncio.Event()
                channel.close_callbacks.add(partial(_set, gone))
                await declare_on(channel, topology)
                log.info("topology_applied", queues=len(topology.queues))
                if is_missing and on_found_missing is not None:
                    await on_found_missing()
                is_missing = False
                while not gone.is_set():
                    await _wait_for_any((gone, *sooner), check_seconds)
                    for event in sooner:
                        event.clear()
                    await declare_on(channel, bindings)
                    await declare_on(channel, others)
            except aio_pika.exceptions.ChannelNotFoundEntity as exc:
                log.warning("topology_missing", error=str(exc))
                is_missing = True
            except (AppError, *BROKER_ERRORS) as exc:
                log.warning("topology_failed", error=str(exc))
            await asyncio.sleep(1)

    async with background(keep(), name="topology"):
        yield


async def _lacks(link: Link, bindings: Topology) -> bool:
    """Whether something is missing that the bindings join."""
    try:
        await apply(link, bindings)
    except aio_pika.exceptions.ChannelNotFoundEntity:
        return True
    return False


async def _wait_for_any(events: Sequence[asyncio.Event], seconds: float) -> None:
    """Return when one of the events is set, or after `seconds`."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


def _set(event: asyncio.Event, *_: object) -> None:
    event.set()
