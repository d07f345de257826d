"""How fast one process brings jobs from committed rows into their work queue, to aio-pika's gathered publish."""

import asyncio
import time
from statistics import median

import aio_pika

from services.jobs.publishing import due_now
from shared.messaging.topology import JOBS as EXCHANGE
from shared.messaging.topology import SEND_NOTIFICATION, job_routing_key
from tests.bench.figures import Figure
from tests.bench.stage import Stage, some_jobs

COUNT = 10_000
BATCH = 100
ROUNDS = 3


async def measure(stage: Stage) -> list[Figure]:
    """Interleaved; both publish persistent, mandatory and confirmed, a hundred at a time, to the same queue."""
    await stage.enqueue(BATCH, chunk=BATCH)  # makes the day's partition and opens the connections
    ours, bare = [], []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        await stage.enqueue(COUNT, chunk=BATCH)
        ours.append(COUNT / (time.perf_counter() - begun))
        await _purge(stage)
        bare.append(await _gathered(stage))
        await _purge(stage)
    rate, raw = median(ours), median(bare)
    return [
        Figure(
            "durable enqueue: rows committed, published, confirmed, marked / aio-pika publish, gathered by 100",
            f"{rate:,.0f}/s",
            f"{raw:,.0f}/s",
            rate / raw,
            must=0.5,
        )
    ]


async def _gathered(stage: Stage) -> float:
    body = b"x" * 900
    [sample] = some_jobs(1)
    key = job_routing_key(SEND_NOTIFICATION.type, due_now(sample).priority)
    connection = await aio_pika.connect(stage.amqp_url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        exchange = await channel.get_exchange(EXCHANGE, ensure=False)

        async def publish() -> None:
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, priority=3)
            await exchange.publish(message, key, mandatory=True)

        begun = time.perf_counter()
        for _ in range(COUNT // BATCH):
            await asyncio.gather(*(publish() for _ in range(BATCH)))
        return COUNT / (time.perf_counter() - begun)


async def _purge(stage: Stage) -> None:
    connection = await aio_pika.connect(stage.amqp_url)
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue(SEND_NOTIFICATION.name, ensure=False)
        await queue.purge()
    await stage.forget()
