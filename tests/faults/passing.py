"""One fault under load, from the first request to the verdict."""

import asyncio
import math
import time
from dataclasses import dataclass
from random import Random

import aiohttp
import asyncpg

from tests.eventually import eventually
from tests.faults.stand import Stand
from tests.faults.table import RESCUE_SECONDS, TOLERANCE, Fault
from tests.faults.verdict import Verdict, settled
from tests.faults.workload import ANSWER_SECONDS, Book, Offered, Workload

BEFORE_SECONDS = (0.8, 2.0)
"""When the fault comes: so long after the load began, by chance."""
DONE = """
    SELECT count(*) FROM jobs.jobs
    WHERE state = 'completed' AND coalesce(payload ->> 'product_id', payload -> 'params' ->> 'product_id') = $1
"""
JOBS_OF_A_PRODUCT = 3


@dataclass(frozen=True, slots=True)
class Passed:
    """What came of it. `recovery_seconds` is from the fault's end until a new product with its picture was done."""

    fault: Fault
    book: Book
    verdict: Verdict
    recovery_seconds: float
    restarts: int

    def complaints(self) -> list[str]:
        """What is not as promised."""
        found = list(self.verdict.complaints)
        if self.recovery_seconds > self.fault.recovery_seconds * TOLERANCE:
            found.append(f"slow: it took {self.recovery_seconds:.1f} s to recover")
        if self.restarts not in self.fault.restarts:
            found.append(f"deaths: {self.restarts} processes were started anew, not one of {[*self.fault.restarts]}")
        if self.fault.is_answered:
            found += [f"ill answer: {each}" for each in self.book.answered_ill]
        return found


async def passed(
    stand: Stand, fault: Fault, random: Random, *, patience_seconds: float = RESCUE_SECONDS * TOLERANCE
) -> Passed:
    """Begin a load, inject the fault in the midst of it, heal it, measure, stop, and judge.

    Whatever is not final `patience_seconds` later is lost.
    """
    before = stand.restarts()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)) as http:
        # With a chance of its own: what the fault draws must not depend on how fast requests are answered.
        async with Workload(stand, http, Random(random.getrandbits(64))) as workload:
            await asyncio.sleep(random.uniform(*BEFORE_SECONDS))
            recovery_seconds = await struck(stand, fault, random, workload, patience_seconds=patience_seconds)
        verdict = await settled(stand, workload.book, allowed=fault.allowed, patience_seconds=patience_seconds)
    return Passed(fault, workload.book, verdict, recovery_seconds, stand.restarts() - before)


async def struck(stand: Stand, fault: Fault, random: Random, workload: Workload, *, patience_seconds: float) -> float:
    """Inject, hold, heal; the seconds from then until all processes are ready and a new product is done.

    Infinite when that did not come about in `patience_seconds`.
    """
    await fault.inject(stand, random)
    await asyncio.sleep(random.uniform(*fault.held_seconds))
    await fault.heal(stand, random)
    ended = time.monotonic()
    try:
        async with asyncio.timeout(patience_seconds):
            await asyncio.gather(stand.all_ready(), _is_done(stand, workload))
    except TimeoutError:
        return math.inf
    return time.monotonic() - ended


async def _is_done(stand: Stand, workload: Workload) -> None:
    """A product that is offered now, with a picture, has all of its jobs done."""
    offered: Offered = await workload.offer(pictures=1)

    async def done() -> bool:
        conn = await stand.database()
        try:
            return bool(await conn.fetchval(DONE, offered.id) >= JOBS_OF_A_PRODUCT)
        except asyncpg.PostgresConnectionError:  # the database has only just been killed
            return False
        finally:
            await conn.close(timeout=5)

    await eventually(done, math.inf, every=0.1)
