"""Answers from a cache, or made once however many ask, and kept if nothing they show has changed meanwhile."""

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Protocol

from services.catalog.cache.backend import BoundedCache, MonotonicClock
from services.catalog.cache.floors import Fill, Floors, Row, Rows
from services.catalog.cache.lru import Entry, Lru
from services.catalog.cache.models import Answer, CacheCounts, Loaded
from shared.errors import Unavailable

SHORTEST_TTL_SECONDS: Final = 45.0
LONGEST_TTL_SECONDS: Final = 60.0
ABSENT_TTL_SECONDS: Final = 10.0
AWAY_SECONDS: Final = 1.0
"""How long whoever could be given an old answer waits for a new one, and how long it then goes on without asking."""

Load = Callable[[], Awaitable[Loaded]]


class Liveness(Protocol):
    """Whether every change is heard of. While it is not, nothing that is kept is believed unchecked."""

    @property
    def is_live(self) -> bool:
        """Cheap: asked at every read."""


AreCurrent = Callable[[Rows], Awaitable[bool]]
"""Whether the rows are still at these versions, by primary key. A row without a version is never certain."""


@dataclass(slots=True)
class _Flight:
    """One loading, by whoever asked first; `landed` has its outcome for those that came later."""

    fill: Fill
    landed: "asyncio.Future[Answer | None]"


class ReadThrough:
    """One cache of answers. The floors are shared by all caches of a process."""

    def __init__(
        self,
        *,
        max_entries: int,
        max_bytes: int,
        floors: Floors,
        liveness: Liveness,
        are_current: AreCurrent,
        clock: MonotonicClock = time.monotonic,
    ) -> None:
        self.cache = BoundedCache(max_entries, max_bytes=max_bytes, clock=clock)
        self._entries: Lru[Answer] = self.cache.entries
        # Of their own, so that who asks for a thousand things that do not exist pushes nothing out.
        self._absences: Lru[None] = Lru(max(1, max_entries // 5), max_bytes)
        self._floors = floors
        self._liveness = liveness
        self._are_current = are_current
        self._clock = clock
        self._flights: dict[str, _Flight] = {}
        self._away_until = -math.inf
        self._jitter = random.Random()  # noqa: S311 - spreads expiry, guards nothing

    def known(self, key: str) -> Answer | None:
        """The answer if it is here and certain; counts a hit. None counts nothing: `read` follows."""
        if not self._liveness.is_live:
            return self.last(key) if self._clock() < self._away_until else None
        entry = self._entries.find(key, self._clock())
        if entry is None:
            return None
        self._entries.counts.hits += 1
        return entry.value

    def last(self, key: str) -> Answer | None:
        """The last answer there was, however old: better than none. Counts nothing."""
        kept = self._entries.last(key)
        return None if kept is None else kept.value

    async def read(self, key: str, load: Load) -> Answer | None:
        """The answer, from here or by `load`; None is an absence. Raises what `load` raises.

        While the database is away or silent, the last answer is given that has not been swept: nothing newer can be
        had, and a change that is heard of drops it all the same.
        """
        kept = self.last(key)
        if kept is None:
            return await self._read(key, load)
        if self._clock() >= self._away_until:
            try:
                return await _within(AWAY_SECONDS, self._read(key, load))
            except (Unavailable, TimeoutError):
                self._away_until = self._clock() + AWAY_SECONDS
        return kept

    async def _read(self, key: str, load: Load) -> Answer | None:
        is_live = self._liveness.is_live
        entry = self._find(key)
        if entry is not None and (is_live or await self._are_current(entry.rows)):
            self._entries.counts.hits += 1
            return entry.value
        self._entries.counts.misses += 1
        if not is_live:
            # Nobody tells of changes: who asks after one must not get what was read before it.
            return await self._fill(key, load, self._floors.begin(self._clock()))
        while (flight := self._flights.get(key)) is not None and flight.fill.seen == self._floors.seen:
            await asyncio.wait([flight.landed])  # which does not end with whoever waits
            if not flight.landed.cancelled():
                return flight.landed.result()
        return await self._fly(key, load)

    async def _fly(self, key: str, load: Load) -> Answer | None:
        """Load for all that ask meanwhile. Is this one given up, the next of them begins anew."""
        flight = _Flight(self._floors.begin(self._clock()), asyncio.get_running_loop().create_future())
        self._flights[key] = flight
        try:
            answer = await self._fill(key, load, flight.fill)
        except Exception as exc:
            flight.landed.set_exception(exc)
            flight.landed.exception()  # it is raised here, and perhaps nobody else waits
            raise
        else:
            flight.landed.set_result(answer)
            return answer
        finally:
            flight.landed.cancel()  # no effect on one that has landed
            if self._flights.get(key) is flight:
                del self._flights[key]

    def drop_row(self, row: Row, version: int | None) -> None:
        """Forget what shows an older version of a row."""
        self._entries.drop_row(row, version)
        self._absences.drop_row(row, version)

    def clear(self) -> int:
        """Forget all; how many."""
        return self._entries.clear() + self._absences.clear()

    def expire(self, *, spared_seconds: float = 0.0) -> int:
        """Free what is past its time, answers so much later; how many."""
        now = self._clock()
        return self._entries.sweep(now - spared_seconds) + self._absences.sweep(now)

    def counted(self) -> CacheCounts:
        """What it did and holds."""
        counts = self._entries.counts
        return CacheCounts(
            hits=counts.hits,
            misses=counts.misses,
            evictions=counts.evictions,
            invalidations=counts.invalidations,
            size=len(self._entries),
            max=self._entries.max_entries,
        )

    def _find(self, key: str) -> Entry[Answer] | Entry[None] | None:
        now = self._clock()
        return self._entries.find(key, now) or self._absences.find(key, now)

    async def _fill(self, key: str, load: Load, fill: Fill) -> Answer | None:
        loaded = await load()
        now = self._clock()
        if self._floors.admit(fill, loaded.rows, now):
            answer = loaded.answer
            if answer is None:
                self._entries.drop(key)
                self._absences.keep(key, Entry(None, loaded.rows, now + ABSENT_TTL_SECONDS))
            else:
                seconds = self._jitter.uniform(SHORTEST_TTL_SECONDS, LONGEST_TTL_SECONDS)
                self._absences.drop(key)
                self._entries.keep(key, Entry(answer, loaded.rows, now + seconds, answer.size_bytes))
        return loaded.answer


async def _within(seconds: float, reading: Coroutine[Any, Any, Answer | None]) -> Answer | None:
    """Raises TimeoutError; the reading then goes on by itself, for asyncpg may not notice that it is cancelled."""
    task = asyncio.create_task(reading)
    task.add_done_callback(_heard)
    async with asyncio.timeout(seconds):
        return await asyncio.shield(task)


def _heard(task: "asyncio.Task[Answer | None]") -> None:
    """Its error was told to whoever waited; nobody may be left."""
    if not task.cancelled():
        task.exception()
