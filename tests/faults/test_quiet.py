"""What is lost while nobody does anything is found too: no later message tells that it is missing."""

import signal
import time

import aiohttp
import pytest

from deploy.local.pictures import photo
from tests.e2e.marketplace import Shop
from tests.eventually import eventually
from tests.faults.conftest import Note
from tests.faults.stand import Stand
from tests.faults.table import RESCUE_SECONDS, TOLERANCE

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]
RENDERED = """
    SELECT count(*) FROM jobs.jobs
    WHERE type = 'process-image' AND payload ->> 'product_id' = $1 AND state = 'completed'
"""
READY = "SELECT count(*) FROM catalog.images WHERE product_id = $1::text::uuid AND status = 'ready' AND round = 2"


async def test_the_only_answer_that_is_lost_comes_again(stand: Stand, note: Note) -> None:
    """Imaging has no outbox: its answer about a picture waits in a queue that is deleted, and then all is quiet."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http:
        shop = Shop(stand, http)
        conn = await stand.database()
        try:
            with stand.held(stand.run.supervisor):  # else its reader is back before there is an answer
                stand.hurt("catalog-worker", signal.SIGKILL)
                product = await shop.submit(pictures=[photo(1, 200, 150)])
                await eventually(lambda: conn.fetchval(RENDERED, product["id"]), 30, every=0.1)
                await stand.delete_queue("events.catalog")
            lost_at = time.monotonic()
            await eventually(lambda: conn.fetchval(READY, product["id"]), TOLERANCE * RESCUE_SECONDS, every=0.2)
            note("answered_again_after_seconds", time.monotonic() - lost_at)
            print(f"answered again after {time.monotonic() - lost_at:.1f} s")
        finally:
            await conn.close()
        await shop.nothing_open()
