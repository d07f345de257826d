"""The workers that rows compare, each a process of its own: `python -m tests.bench.workers WHICH URL N`.

Each prints the time and its CPU seconds at its first delivery, and both again when it has had N and left nothing
unacknowledged. Start-up is in neither: a worker starts once.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable

import aio_pika
import uvloop

from shared.contracts.jobs import ProcessImage, SendEmail, SendNotification
from shared.log import configure_logging
from shared.messaging.attempt import Attempt, HandlerTable
from shared.messaging.broker import open_broker
from shared.messaging.topology import SEND_NOTIFICATION, parse_tiers
from shared.messaging.working import working
from tests.eventually import eventually

BARE_PREFETCH = 100


async def souk(url: str, count: int) -> None:
    """Souk's consumer with handlers that do nothing: reports, acks and all."""
    done, seen = asyncio.Event(), _counter(count)

    async def nothing(_: SendNotification | ProcessImage, __: Attempt) -> None:
        if seen():
            done.set()

    handlers: HandlerTable = {SendNotification: nothing, ProcessImage: nothing}
    async with (
        open_broker(url, name="bench") as broker,
        working(broker, handlers, worker="bench", tiers=parse_tiers("1s"), grace_seconds=10),
    ):
        await done.wait()


async def bare(url: str, count: int) -> None:
    """The raw aio-pika loop: take, acknowledge, nothing else."""
    done, seen = asyncio.Event(), _counter(count)

    async def nothing(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        is_last = seen()
        await message.ack()
        if is_last:
            done.set()

    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=BARE_PREFETCH)
    queue = await channel.get_queue(SEND_NOTIFICATION.name, ensure=False)
    await queue.consume(nothing)
    await done.wait()
    _tell()
    await connection.close()


async def timed(url: str, count: int) -> None:
    """Souk's consumer, noting how long ago each job was published; prints the seconds of each at the end."""
    done, seen = asyncio.Event(), _counter(count)
    waits: list[float] = []

    async def note(job: SendNotification, _: Attempt) -> None:
        waits.append(time.time() - float(str(job.params["at"])))
        if seen():
            done.set()

    async with (
        open_broker(url, name="bench") as broker,
        working(broker, {SendNotification: note}, worker="bench", tiers=parse_tiers("1s"), grace_seconds=10) as [queue],
    ):
        await eventually(lambda: queue.is_consuming)
        print("ready", flush=True)
        await done.wait()
    print(*waits, flush=True)


async def waiting(url: str, _: int) -> None:
    """Souk's consumer of mails and pictures, noting how long after its cause each job is begun.

    Works until its standard input is closed, then prints the seconds of each as JSON, by type.
    """
    waits: dict[str, list[float]] = {SendEmail.type: [], ProcessImage.type: []}

    async def note(job: SendEmail | ProcessImage, attempt: Attempt) -> None:
        waits[job.type].append(time.time() - attempt.caused_at.timestamp())

    handlers: HandlerTable = {SendEmail: note, ProcessImage: note}
    async with (
        open_broker(url, name="bench") as broker,
        working(broker, handlers, worker="bench", tiers=parse_tiers("1s"), grace_seconds=10) as queues,
    ):
        await eventually(lambda: all(queue.is_consuming for queue in queues))
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
    print(json.dumps(waits), flush=True)


def _counter(count: int) -> Callable[[], bool]:
    """What a handler calls for each delivery: it tells of the first, and answers whether this is the last."""
    seen = 0

    def is_last() -> bool:
        nonlocal seen
        seen += 1
        if seen == 1:
            _tell()
        return seen == count

    return is_last


def _tell() -> None:
    print(time.time(), time.process_time(), flush=True)


if __name__ == "__main__":
    which, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    configure_logging(service="bench", log_format="json", level="error")
    uvloop.run({"souk": souk, "bare": bare, "timed": timed, "waiting": waiting}[which](url, count))
    if which == "souk":
        _tell()
