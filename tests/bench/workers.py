"""The two workers that `drain` compares, each a process of its own: `python -m tests.bench.workers souk|bare URL N`.

Each prints the time of its first delivery, and leaves when it has had N.
"""

import asyncio
import sys
import time

import aio_pika
import uvloop

from shared.contracts.jobs import SendNotification
from shared.log import configure_logging
from shared.messaging.attempt import Attempt
from shared.messaging.broker import open_broker
from shared.messaging.topology import SEND_NOTIFICATION, parse_tiers
from shared.messaging.working import working

BARE_PREFETCH = 100


async def souk(url: str, count: int) -> float:
    """Souk's consumer with a handler that does nothing: reports, acks and all. Returns CPU seconds."""
    done, seen = asyncio.Event(), 0

    async def nothing(_: SendNotification, __: Attempt) -> None:
        nonlocal seen
        if not seen:
            print(time.time(), flush=True)
        seen += 1
        if seen == count:
            done.set()

    async with (
        open_broker(url, name="bench") as broker,
        working(broker, {SendNotification: nothing}, worker="bench", tiers=parse_tiers("1s"), grace_seconds=10),
    ):
        await done.wait()
    return time.process_time()


async def bare(url: str, count: int) -> float:
    """The raw aio-pika loop: take, acknowledge, nothing else. Returns CPU seconds."""
    done, seen = asyncio.Event(), 0

    async def nothing(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        nonlocal seen
        seen += 1
        if seen == 1:
            print(time.time(), flush=True)
        await message.ack()
        if seen == count:
            done.set()

    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    await channel.set_qos(prefetch_count=BARE_PREFETCH)
    queue = await channel.get_queue(SEND_NOTIFICATION.name, ensure=False)
    await queue.consume(nothing)
    await done.wait()
    print(time.time(), flush=True)
    await connection.close()
    return time.process_time()


if __name__ == "__main__":
    which, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    configure_logging(service="bench", log_format="json", level="error")
    print(uvloop.run({"souk": souk, "bare": bare}[which](url, count)), flush=True)
