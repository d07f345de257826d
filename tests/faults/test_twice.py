"""All nine processes publish everything twice, the second copy up to two seconds later: no effect happens twice.

So events, announcements, jobs, retries, probes, reports, words of workers and instructions to them come doubled, and in
another order than they were sent in.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random

import aiohttp
import pytest

from tests.faults.stand import PROCESSES, Stand
from tests.faults.verdict import Allowed, settled
from tests.faults.workload import ANSWER_SECONDS, Workload

pytestmark = [pytest.mark.long, pytest.mark.timeout(400)]
LOAD_SECONDS = 15.0
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
ENTERED: tuple[tuple[str, dict[str, str]], ...] = (
    ("generate-report", {"report_type": "daily_sales", "period_from": YESTERDAY, "period_to": YESTERDAY}),
    ("check-low-stock", {}),
    ("cleanup-cache", {"mode": "clear"}),
    ("cleanup-jobs", {}),
)
"""The types of which the load itself makes no jobs; `sync-inventory` is proven where its sources are."""


@pytest.fixture
async def doubling(stand: Stand) -> AsyncIterator[Stand]:
    """The stack, publishing twice until the test is over."""
    await stand.without("once", *PROCESSES)
    try:
        yield stand
    finally:
        stand.disarm()
        await stand.restarted(*PROCESSES)


async def test_whatever_is_told_twice_and_in_another_order_happens_once(doubling: Stand, chance: Random) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)) as http:
        async with Workload(doubling, http, chance) as workload:
            for kind, payload in ENTERED * 2:
                await workload.enter(type=kind, payload=payload)
            await asyncio.sleep(LOAD_SECONDS)
        # Two copies of a mail's job may run at once: then the mail is sent twice, with one Message-ID.
        verdict = await settled(doubling, workload.book, allowed=Allowed(live_mail=True), patience_seconds=120)
    assert verdict.complaints == []
    assert verdict.accepted > 0
