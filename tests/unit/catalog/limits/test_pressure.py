"""How far behind: by what is waited for, not by how fast the machine is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from services.catalog.limits.pressure import SAMPLE_SECONDS, Watch
from shared.db.pool import Pool
from tests.eventually import eventually


class FakePool:
    """A pool of one connection."""

    def __init__(self) -> None:
        self.one = asyncio.Lock()

    def get_idle_size(self) -> int:
        return 0 if self.one.locked() else 1

    def get_size(self) -> int:
        return 1

    def get_max_size(self) -> int:
        return 1

    @asynccontextmanager
    async def acquire(self, *, timeout: float) -> AsyncIterator[None]:
        async with self.one:
            yield


class Bench:
    """A watch with a clock, and a pool that can be blocked."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pool = FakePool()
        self.watch = Watch(cast(Pool, self.pool), clock=lambda: self.now)

    async def look(self, *, late_seconds: float = 0.0) -> float:
        self.now += SAMPLE_SECONDS + late_seconds
        await self.watch.run_once()
        await asyncio.sleep(0)
        return self.watch.behind_seconds


async def test_in_time_it_is_not_behind() -> None:
    bench = Bench()
    assert [await bench.look() for _ in range(5)] == [0.0] * 5


async def test_a_loop_that_stays_late_is_behind_and_one_hitch_counts_half() -> None:
    bench = Bench()
    await bench.look()
    assert await bench.look(late_seconds=4.0) == 2.0
    assert [await bench.look(late_seconds=4.0) for _ in range(8)][-1] > 3.9
    assert [await bench.look() for _ in range(6)][-1] < 0.1


async def test_a_blocked_pool_counts_from_the_first_look_and_its_end_is_seen() -> None:
    bench = Bench()
    async with bench.pool.one:
        assert await bench.look() == 0.0
        bench.now += 3.0
        assert bench.watch.behind_seconds == 3.0
        assert await bench.look() > 3.0
    await eventually(lambda: not bench.pool.one.locked())
    assert [await bench.look() for _ in range(8)][-1] < 0.1


async def test_whoever_stops_leaves_the_line() -> None:
    bench = Bench()
    async with bench.pool.one:
        await bench.look()
        await bench.watch.stop()
    assert not bench.pool.one.locked()
    assert len(asyncio.all_tasks()) == 1
