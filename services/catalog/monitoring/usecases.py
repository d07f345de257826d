"""Looking at the whole installation: everything at once, within two seconds, whatever does not answer."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, Protocol, TypeVar

from services.catalog.monitoring.models import (
    Asker,
    Health,
    HeardWork,
    Reading,
    Task,
    TermName,
    assess,
    breakers_reading,
    cache_reading,
    failures_reading,
    paused_reading,
    stream_reading,
    waiting_reading,
    workers_reading,
)
from services.catalog.monitoring.store import oldest_unsent_seconds
from shared.clock import Clock
from shared.db.pool import Pool, connection
from shared.errors import AppError
from shared.log import get_logger

log = get_logger(__name__)

LOOK_SECONDS: Final = 2.0
"""How long a look takes at most; what has not answered by then is not observed."""

T = TypeVar("T")


class Services(Protocol):
    """The services that are asked. Every call raises `Unavailable` and has its own limit."""

    async def stats(self, asker: Asker) -> dict[str, int]: ...
    async def work_health(self, asker: Asker) -> HeardWork: ...
    async def schedules(self, asker: Asker) -> tuple[Task, ...]: ...


class Stream(Protocol):
    """This gateway's reader of the event stream."""

    @property
    def is_live(self) -> bool: ...
    @property
    def is_reading(self) -> bool: ...


class CacheCount(Protocol):
    """What one cache of this gateway did and holds."""

    @property
    def hits(self) -> int: ...
    @property
    def misses(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def max(self) -> int: ...


Caches = Mapping[str, CacheCount]
"""The caches of this gateway by name."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look found. None is what could not be observed; `health` says why."""

    at: datetime
    health: Health
    caches: Caches
    stats: dict[str, int] | None
    work: HeardWork | None
    tasks: tuple[Task, ...] | None


@dataclass(frozen=True, slots=True)
class _Answer(Generic[T]):
    """An answer, or why there is none."""

    value: T | None
    took_ms: float | None = None
    why: str | None = None

    def timed(self) -> Reading:
        return Reading(self.took_ms, self.why)

    def read(self, reading: Callable[[T], Reading]) -> Reading:
        return Reading(None, self.why) if self.value is None else reading(self.value)


class Monitoring:
    """Looks at what this gateway can see."""

    def __init__(
        self,
        *,
        pool: Pool,
        services: Services,
        stream: Stream | None,
        caches: Callable[[], Caches],
        clock: Clock,
        saw: Callable[[Sight], None] = lambda _: None,
    ) -> None:
        """`saw` is told of each look."""
        self._pool = pool
        self._saw = saw
        self._services = services
        self._stream = stream
        self._caches = caches
        self._clock = clock
        self._late: set[asyncio.Task[Any]] = set()

    async def look(self, asker: Asker) -> Sight:
        """Observe everything side by side and judge it. Raises nothing for what is away."""
        at = self._clock()
        outbox = self._begin(self._oldest_unsent_seconds())
        stats = self._begin(self._services.stats(asker))
        work = self._begin(self._services.work_health(asker))
        tasks = self._begin(self._services.schedules(asker))
        # Not a `gather` in a timeout: that would wait for an asyncpg call on a dead link to notice that it is over.
        await asyncio.wait((outbox, stats, work, tasks), timeout=LOOK_SECONDS)
        answers = _answer(outbox), _answer(stats), _answer(work), _answer(tasks)
        caches = self._caches()
        sight = Sight(
            at=at,
            health=assess(self._readings(*answers, caches)),
            caches=caches,
            stats=answers[1].value,
            work=answers[2].value,
            tasks=answers[3].value,
        )
        self._saw(sight)
        return sight

    def _readings(
        self,
        outbox: _Answer[float],
        stats: _Answer[dict[str, int]],
        work: _Answer[HeardWork],
        tasks: _Answer[tuple[Task, ...]],
        caches: Caches,
    ) -> dict[TermName, Reading]:
        return {
            TermName.DATABASE: outbox.timed(),
            TermName.OUTBOX: outbox.read(lambda seconds: Reading(round(seconds, 1))),
            TermName.EVENT_STREAM: self._stream_reading(),
            TermName.JOBS_SERVICE: stats.timed(),
            TermName.WORKERS: work.read(lambda found: workers_reading(found.active_workers)),
            TermName.JOBS_OUTBOX: work.read(lambda found: Reading(found.outbox_seconds)),
            TermName.WAITING: work.read(lambda found: waiting_reading(found.oldest_waiting)),
            TermName.BREAKERS: work.read(lambda found: breakers_reading(found.open_breakers)),
            TermName.PAUSED: work.read(lambda found: paused_reading(found.paused)),
            TermName.FAILURES: work.read(
                lambda found: failures_reading(finished=found.finished_last_hour, failed=found.failed_last_hour)
            ),
            TermName.DEAD_LETTERS: work.read(lambda found: Reading(found.unowned_letters)),
            TermName.SCHEDULER: tasks.timed(),
            TermName.CACHE: cache_reading(
                hits=sum(cache.hits for cache in caches.values()), misses=sum(cache.misses for cache in caches.values())
            ),
        }

    def _stream_reading(self) -> Reading:
        if self._stream is None:
            return Reading(None, "this gateway reads no event stream")
        return stream_reading(is_live=self._stream.is_live, is_reading=self._stream.is_reading)

    def _begin(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[tuple[T, float]]":
        """Start a task that is kept until it ends, however late."""
        task = asyncio.create_task(_timed(work))
        self._late.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._late.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, AppError):
            log.error("look_failed", exc_info=error)

    async def _oldest_unsent_seconds(self) -> float:
        async with connection(self._pool) as conn:
            return await oldest_unsent_seconds(conn)


async def _timed(work: Coroutine[Any, Any, T]) -> tuple[T, float]:
    began = time.perf_counter()
    value = await work
    return value, round((time.perf_counter() - began) * 1000, 1)


def _answer(task: "asyncio.Task[tuple[T, float]]") -> _Answer[T]:
    """What came of a task; one that still runs is given up."""
    if not task.done():
        task.cancel()
        return _Answer(None, why=f"no answer within {LOOK_SECONDS:g} s")
    error = None if task.cancelled() else task.exception()
    if error is not None or task.cancelled():
        why = error.detail if isinstance(error, AppError) else "an error that is in this gateway's log"
        return _Answer(None, why=why.rstrip("."))
    value, took_ms = task.result()
    return _Answer(value, took_ms)
