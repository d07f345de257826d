"""One cache: what it keeps, what it refuses, and who waits for whom."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from services.catalog.cache import readthrough
from services.catalog.cache.floors import FLOOR_SECONDS, Floors, Rows
from services.catalog.cache.models import ABSENT, Answer, Loaded, product_row
from services.catalog.cache.readthrough import AWAY_SECONDS, LONGEST_TTL_SECONDS, SHORTEST_TTL_SECONDS, ReadThrough
from shared.errors import Unavailable

ROW = product_row(UUID(int=1))


@dataclass
class Bench:
    """A cache with a clock and a database of one version."""

    max_entries: int = 10
    max_bytes: int = 100_000
    now: float = 1000.0
    version: int = 1
    loads: int = 0
    is_live: bool = True
    is_away: bool = False
    is_silent: bool = False
    checks: int = 0
    floors: Floors = field(default_factory=Floors)

    def __post_init__(self) -> None:
        self.cache = ReadThrough(
            max_entries=self.max_entries,
            max_bytes=self.max_bytes,
            floors=self.floors,
            liveness=self,
            are_current=self.are_current,
            clock=lambda: self.now,
        )

    async def are_current(self, rows: Rows) -> bool:
        self.checks += 1
        await self.answer()
        return rows[ROW] == self.version

    async def load(self) -> Loaded:
        self.loads += 1
        await self.answer()
        return Loaded(Answer(f"v{self.version}".encode(), '"1"'), {ROW: self.version})

    async def answer(self) -> None:
        if self.is_silent:
            await asyncio.Event().wait()
        if self.is_away:
            raise Unavailable("away")

    async def read(self, key: str = "a") -> str | None:
        answer = await self.cache.read(key, self.load)
        return None if answer is None else answer.body.decode()

    def change(self) -> None:
        self.version += 1
        self.tell()

    def tell(self) -> None:
        self.floors.rise(ROW, self.version, self.now)
        self.cache.drop_row(ROW, self.version)


async def test_of_ten_reads_nine_are_hits() -> None:
    bench = Bench()
    assert [await bench.read() for _ in range(10)] == ["v1"] * 10
    counts = bench.cache.counted()
    assert (bench.loads, counts.hits, counts.misses, counts.size, counts.hit_rate) == (1, 9, 1, 1, 0.9)


async def test_a_change_drops_what_shows_the_older_version_only() -> None:
    bench = Bench()
    await bench.read()
    bench.change()
    assert await bench.read() == "v2"
    bench.tell()  # the same change by another way
    assert await bench.read() == "v2"
    assert bench.loads == 2


async def test_a_fill_that_began_before_the_change_is_not_kept() -> None:
    bench = Bench()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> Loaded:
        loaded = await bench.load()
        begun.set()
        await go_on.wait()
        return loaded

    reader = asyncio.create_task(bench.cache.read("a", slow))
    await begun.wait()
    bench.change()
    assert await bench.read() == "v2", "who comes after the change does not wait for what began before it"
    go_on.set()
    await reader
    assert await bench.read() == "v2"


async def test_a_floor_is_forgotten_after_a_minute_and_older_fills_are_refused_whole() -> None:
    bench = Bench()
    fill = bench.floors.begin(bench.now)
    bench.change()
    assert len(bench.floors) == 1
    bench.now += FLOOR_SECONDS + 1
    bench.floors.rise(product_row(UUID(int=2)), 1, bench.now)
    assert len(bench.floors) == 1
    assert not bench.floors.admit(fill, {ROW: 1}, bench.now)


async def test_many_who_ask_at_once_are_one_load() -> None:
    bench = Bench()
    assert await asyncio.gather(*(bench.read() for _ in range(50))) == ["v1"] * 50
    assert bench.loads == 1


async def test_a_failed_load_fails_all_who_wait_and_is_tried_again() -> None:
    bench = Bench()

    async def failing() -> Loaded:
        await asyncio.sleep(0)
        raise LookupError("gone")

    outcomes = await asyncio.gather(*(bench.cache.read("a", failing) for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [LookupError] * 3
    assert await bench.read() == "v1"


async def test_a_waiter_that_gives_up_leaves_the_load_to_the_others() -> None:
    bench = Bench()
    first = asyncio.create_task(bench.read())
    second = asyncio.create_task(bench.read())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "v1"
    assert bench.loads == 1


async def test_what_is_not_there_is_remembered_for_a_short_while_and_pushes_nothing_out() -> None:
    bench = Bench(max_entries=5)
    loads = 0

    async def absent() -> Loaded:
        nonlocal loads
        loads += 1
        return Loaded(None, {ABSENT: None})

    await bench.read()
    for number in range(100):
        await bench.cache.read(f"nothing-{number}", absent)
    assert await bench.cache.read("nothing-99", absent) is None
    assert (await bench.read(), bench.loads, loads) == ("v1", 1, 100)
    bench.floors.rise(ABSENT, None, bench.now)
    bench.cache.drop_row(ABSENT, None)
    await bench.cache.read("nothing-99", absent)
    assert loads == 101


async def test_not_live_each_hit_is_checked_and_counts() -> None:
    bench = Bench(is_live=False)
    assert [await bench.read(), await bench.read()] == ["v1", "v1"]
    assert (bench.loads, bench.checks) == (1, 1)
    bench.version = 2  # changed elsewhere, and nobody tells
    assert await bench.read() == "v2"
    assert bench.cache.known("a") is None
    assert bench.cache.counted().hits == 1


async def test_not_live_nobody_waits_for_what_another_began() -> None:
    bench = Bench(is_live=False)

    async def slow() -> Loaded:
        await asyncio.sleep(0)
        return await bench.load()

    await asyncio.gather(bench.cache.read("a", slow), bench.cache.read("a", slow))
    assert bench.loads == 2


async def test_entries_live_for_a_time_with_jitter_of_at_most_a_minute() -> None:
    bench = Bench(max_entries=200)
    for number in range(200):
        await bench.read(str(number))
    bench.now += SHORTEST_TTL_SECONDS - 0.1
    assert bench.cache.expire() == 0
    bench.now += (LONGEST_TTL_SECONDS - SHORTEST_TTL_SECONDS) / 2
    assert 20 < bench.cache.expire() < 180
    bench.now += LONGEST_TTL_SECONDS
    assert bench.cache.known("0") is None
    bench.cache.expire()
    assert bench.cache.counted().size == 0


@pytest.mark.parametrize("is_live", [True, False])
async def test_while_the_database_is_away_the_last_answer_is_given_until_it_is_swept(is_live: bool) -> None:
    bench = Bench(is_live=is_live)
    await bench.read()
    bench.is_away = True
    bench.now += LONGEST_TTL_SECONDS
    assert await bench.read() == "v1"
    with pytest.raises(Unavailable):
        await bench.read("never read before")
    bench.cache.expire(spared_seconds=LONGEST_TTL_SECONDS)
    assert await bench.read() == "v1"
    bench.tell()
    bench.version = 2
    bench.now += AWAY_SECONDS
    bench.is_away = False
    assert await bench.read() == "v2"
    bench.is_away = True
    bench.now += 2 * LONGEST_TTL_SECONDS
    bench.cache.expire(spared_seconds=LONGEST_TTL_SECONDS)
    with pytest.raises(Unavailable):
        await bench.read()


async def test_a_change_that_is_heard_of_drops_an_old_answer_too() -> None:
    bench = Bench()
    await bench.read()
    bench.now += LONGEST_TTL_SECONDS
    bench.change()
    bench.is_away = True
    with pytest.raises(Unavailable):
        await bench.read()


async def test_nobody_waits_long_for_a_silent_database_who_can_be_given_an_old_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readthrough, "AWAY_SECONDS", 0.01)
    bench = Bench(is_live=False)
    await bench.read()
    bench.is_silent = True
    assert [await bench.read() for _ in range(3)] == ["v1"] * 3
    assert bench.checks == 1, "who comes after the first does not even ask"


@pytest.mark.parametrize(("max_entries", "max_bytes"), [(3, 100_000), (10, 3 * 503)])
async def test_the_entry_unused_longest_makes_room(max_entries: int, max_bytes: int) -> None:
    bench = Bench(max_entries, max_bytes)
    for key in ("a", "b", "c", "a", "d"):
        await bench.read(key)
    assert list(bench.cache.cache.entries) == ["c", "a", "d"]
    assert bench.cache.counted().evictions == 1


@pytest.mark.parametrize("act", [lambda cache: cache.get("a"), lambda cache: cache.exists("a")])
async def test_it_is_an_aiocache(act: Callable[..., Awaitable[object]]) -> None:
    bench = Bench()
    cache = bench.cache.cache
    await cache.set("a", 1, ttl=5)
    assert await act(cache)
    bench.now += 5
    assert not await act(cache)
    await cache.multi_set([("n:a", 1), ("n:b", 2), ("c", 3)])
    await cache.clear(namespace="n:")
    assert await cache.multi_get(["n:a", "c"]) == [None, 3]
    assert await cache.increment("c", 2) == 5
    assert await cache.add("d", 4)
    with pytest.raises(ValueError, match="already exists"):
        await cache.add("d", 5)
    assert await cache.expire("d", 1)
    assert await cache.delete("d") == 1
    await cache.clear()
    assert len(cache.entries) == 0
