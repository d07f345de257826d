"""How many events a second go the whole way: outbox, relay, dispatch, job, work, report, ledger; beside Celery."""

import asyncio
import os
import sys
import time
from statistics import median

from shared.contracts.events import ImageAdded
from shared.db.outbox import Outbox
from shared.db.pool import open_pool, transaction
from shared.ids import new_id
from tests.bench.celery_peer import CeleryPeer
from tests.bench.figures import Figure
from tests.bench.stage import Stage

EVENTS = 10_000
PER_COMMIT = 100
CELERY_TASKS = 2_000
ROUNDS = 3


async def measure(stage: Stage) -> list[Figure]:
    """Interleaved. Celery has a worker process a core; both have all processes up before the first message."""
    ours, celery = [], []
    for _ in range(ROUNDS):
        ours.append(await _sustained(stage))
        await stage.forget()
        celery.append(await CeleryPeer(stage).sustained(CELERY_TASKS, processes=os.cpu_count() or 1))
    rate, by_celery = median(ours), median(celery)
    return [
        Figure(
            "whole path sustained: event, dispatch, work, report, ledger / Celery with results in PostgreSQL",
            f"{rate:,.0f}/s",
            f"{by_celery:,.0f}/s",
            rate / by_celery,
            must=3,
        )
    ]


async def _sustained(stage: Stage) -> float:
    """Relay, ledger and worker are up before the first event is written; the last job recorded ends it."""
    async with (
        stage.service("services.catalog", "relay"),
        stage.service("services.jobs", "ledger"),
        open_pool(stage.database_urls["catalog"], name="bench") as pool,
    ):
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.workers", "souk", stage.amqp_url, str(EVENTS)),
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            begun = time.time()
            outbox = Outbox("catalog")
            for _ in range(EVENTS // PER_COMMIT):
                events = [_image_added() for _ in range(PER_COMMIT)]
                async with transaction(pool) as conn:
                    await outbox.add(conn, *events)
            rate = EVENTS / (await stage.completed(EVENTS) - begun)
            await worker.communicate()
        finally:
            if worker.returncode is None:
                worker.kill()
    return rate


def _image_added() -> ImageAdded:
    return ImageAdded(vendor_id=new_id(), image_id=new_id(), product_id=new_id(), source="blob:bench")
