"""Answers from a cache, or made once however many ask, and kept if nothing they show has changed meanwhile."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from services.catalog.cache.backend import BoundedCache, MonotonicClock
from services.catalog.cache.floors import Fill, Floors, Row, Rows
from services.catalog.cache.lru import Entry, Lru
from services.catalog.cache.models import Answer, CacheCounts, Loaded

SHORTEST_TTL_SECONDS: Final = 45.0
LONGEST_TTL_SECONDS: Final = 60.0
ABSENT_TTL_SECONDS: Final = 10.0

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
    fill: Fill
    task: "asyncio.Task[Answer | None]"


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
        self._jitter = random.Random()  # noqa: S311 - spreads expiry, guards nothing

    def known(self, key: str) -> Answer | None:
        """The answer if it is here and certain; counts a hit. None counts nothing: `read` follows."""
        if not self._liveness.is_live:
            return None
        entry = self._entries.find(key, self._clock())
        if entry is None:
            return None
        self._entries.counts.hits += 1
        return entry.value

    async def read(self, key: str, load: Load) -> Answer | None:
        """The answer, from here or by `load`; None is an absence. Raises what `load` raises."""
        is_live = self._liveness.is_live
        entry = self._find(key)
        if entry is not None and (is_live or await self._are_current(entry.rows)):
            self._entries.counts.hits += 1
            return entry.value
        self._entries.counts.misses += 1
        if not is_live:
            # Nobody tells of changes: who asks after one must not get what was read before it.
            return await self._fill(key, load, self._floors.begin(self._clock()))
        flight = self._flights.get(key)
        if flight is None or flight.fill.seen != self._floors.seen:
            fill = self._floors.begin(self._clock())
            flight = _Flight(fill, asyncio.ensure_future(self._fill(key, load, fill)))
            self._flights[key] = flight
            flight.task.add_done_callback(partial(self._landed, key, flight))
        return await asyncio.shield(flight.task)

    def drop_row(self, row: Row, version: int | None) -> None:
        """Forget what shows an older version of a row."""
        self._entries.drop_row(row, version)
        self._absences.drop_row(row, version)

    def clear(self) -> int:
        """Forget all; how many."""
        return self._entries.clear() + self._absences.clear()

    def expire(self) -> int:
        """Free what is past its time; how many."""
        return self.cache.sweep() + self._absences.sweep(self._clock())

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

    def _landed(self, key: str, flight: _Flight, _: object) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.task.cancelled():
            flight.task.exception()  # told to whoever waits; nobody may be left
