"""What monitoring and operators ask about the work as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from services.jobs.activity import store as activity
from services.jobs.activity.models import Tally
from services.jobs.breakers.store import BreakerStore, OpenBreaker
from services.jobs.control.store import ControlStore, PausedType
from services.jobs.health.store import HealthStore, OldestWaiting, WorkerView
from services.jobs.models import JobState
from shared.clock import utc_now
from shared.db.pool import Pool, connection
from shared.messaging.topology import WORK_BY_TYPE


@dataclass(frozen=True, slots=True)
class WorkHealth:
    """How the work goes: what monitoring judges. Every known type has its number."""

    active_workers: dict[str, int]
    """Workers seen lately, by type they read."""
    oldest_waiting_seconds: dict[str, float]
    """How long the oldest due job of a type has waited for its first attempt; 0 where none waits."""
    oldest_waiting: Sequence[OldestWaiting]
    """The same of each type and priority of which a job waits."""
    finished_last_hour: int
    """Jobs done or failed; at most the last 2,000 of them."""
    failed_last_hour: int
    paused: Sequence[str]
    """Types that operators paused."""
    open_breakers: Sequence[OpenBreaker]
    """Types whose dependency is away."""
    unowned_letters: int
    """Dead letters that belong to no job; 1,000 at most."""
    outbox_seconds: float
    """Age of the oldest event of the ledger's outbox that is not sent."""


@dataclass(frozen=True, slots=True)
class TypeOverview:
    """A type of jobs at a glance: its jobs by state, who works on it, what waits, what stops it, its last hour."""

    type: str
    counts: Mapping[str, int]
    workers: int
    oldest_waiting_seconds: float
    paused: PausedType | None
    breaker: OpenBreaker | None
    last_hour: Tally


class HealthDesk:
    """How the work goes; reads only."""

    def __init__(self, pool: Pool, store: HealthStore) -> None:
        self._pool = pool
        self._store = store
        self._breakers = BreakerStore()
        self._control = ControlStore()

    async def health(self) -> WorkHealth:
        """Who works, what waits and what failed, read from indexes whatever the number of jobs."""
        types = list(WORK_BY_TYPE)
        async with connection(self._pool) as conn:
            active = await self._store.active_by_type(conn)
            waiting = await self._store.oldest_waiting(conn, types)
            finished, failed = await self._store.finished_lately(conn)
            paused = await self._store.paused(conn)
            breakers = await self._breakers.all_open(conn)
            letters = await self._store.unowned_letters(conn)
            outbox_seconds = await self._store.oldest_unsent(conn)
        oldest = {kind: max((one.seconds for one in waiting if one.type == kind), default=0.0) for kind in types}
        return WorkHealth(
            active_workers={kind: active.get(kind, 0) for kind in types},
            oldest_waiting_seconds={kind: round(seconds, 1) for kind, seconds in oldest.items()},
            oldest_waiting=[replace(one, seconds=round(one.seconds, 1)) for one in waiting],
            finished_last_hour=finished,
            failed_last_hour=failed,
            paused=paused,
            open_breakers=breakers,
            unowned_letters=letters,
            outbox_seconds=round(outbox_seconds, 1),
        )

    async def overview(self) -> Sequence[TypeOverview]:
        """Every type at a glance, from counters and indexes whatever the number of jobs."""
        types = list(WORK_BY_TYPE)
        async with connection(self._pool) as conn:
            counts = await self._store.counts(conn)
            active = await self._store.active_by_type(conn)
            waiting = await self._store.oldest_waiting(conn, types)
            paused = {each.type: each for each in await self._control.paused(conn)}
            broken = {each.type: each for each in await self._breakers.all_open(conn)}
            lately = await activity.by_type(conn, since=utc_now() - timedelta(hours=1))
        by_type: dict[str, dict[str, int]] = {kind: dict.fromkeys(map(str, JobState), 0) for kind in types}
        for kind, state, n in counts:
            if kind in by_type:
                by_type[kind][state] = n
        oldest = {kind: max((one.seconds for one in waiting if one.type == kind), default=0.0) for kind in types}
        return [
            TypeOverview(
                type=kind,
                counts=by_type[kind],
                workers=active.get(kind, 0),
                oldest_waiting_seconds=round(oldest[kind], 1),
                paused=paused.get(kind),
                breaker=broken.get(kind),
                last_hour=lately.get(kind, Tally()),
            )
            for kind in types
        ]

    async def workers(self) -> Sequence[WorkerView]:
        """Every worker that told of itself in the last ten minutes, by name."""
        async with connection(self._pool) as conn:
            return await self._store.workers(conn)
