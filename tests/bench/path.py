"""How many events a second go the whole way: outbox, relay, dispatch, job, work, report, ledger."""

import asyncio
import sys
import time

from shared.contracts.events import ImageAdded
from shared.db.outbox import Outbox
from shared.db.pool import open_pool, transaction
from shared.ids import new_id
from tests.bench.drain import bare_rate
from tests.bench.figures import Figure
from tests.bench.stage import Stage

EVENTS = 10_000
PER_COMMIT = 100


async def measure(stage: Stage) -> list[Figure]:
    """Relay, ledger and worker are up before the first event is written; the last job recorded ends it."""
    raw = await bare_rate(stage)
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
    return [
        Figure(
            "whole path sustained: event, dispatch, work, report, ledger / raw aio-pika loop",
            f"{rate:,.0f}/s",
            f"{raw:,.0f}/s",
            rate / raw,
            must=MUST,
        )
    ]


MUST = 0.15
"""Three times what Celery with results in PostgreSQL once reached beside this loop (400 to 8,400 a second)."""


def _image_added() -> ImageAdded:
    return ImageAdded(vendor_id=new_id(), image_id=new_id(), product_id=new_id(), source="blob:bench")
