"""The figures of the ledger for Prometheus, read when they are scraped. Alert on the age of urgent jobs first."""

from typing import Final

from prometheus_client import Gauge

from services.jobs.health.store import HealthStore
from shared.db.pool import Pool, connection
from shared.messaging.topology import PRIORITIES, WORK_BY_TYPE

OLDEST_AGE: Final = Gauge(
    "souk_jobs_oldest_age_seconds",
    "How long the oldest due job of a type and priority has waited for its first attempt; 0 where none waits. "
    "A paused type waits on purpose. Absent while the database does not tell.",
    ["type", "priority"],
)
JOBS: Final = Gauge(
    "souk_jobs", "Jobs kept, by type and state. Absent while the database does not tell.", ["type", "state"]
)
WORKERS: Final = Gauge(
    "souk_workers",
    "Workers that read a type and were heard of lately; 0 for a type that nobody reads. Absent while the database "
    "does not tell.",
    ["type"],
)


class Figures:
    """Reads the gauges above from the database."""

    def __init__(self, pool: Pool, store: HealthStore) -> None:
        self._pool = pool
        self._store = store

    async def refresh(self) -> None:
        """Set every gauge anew. Raises `Unavailable` and leaves none: an old figure would hide what goes wrong."""
        OLDEST_AGE.clear()
        JOBS.clear()
        WORKERS.clear()
        types = list(WORK_BY_TYPE)
        async with connection(self._pool) as conn:
            waiting = await self._store.oldest_waiting(conn, types)
            counts = await self._store.counts(conn)
            workers = await self._store.active_by_type(conn)
        for kind in types:
            WORKERS.labels(kind).set(workers.get(kind, 0))
            for priority in PRIORITIES:
                OLDEST_AGE.labels(kind, priority).set(0)
        for one in waiting:
            OLDEST_AGE.labels(one.type, one.priority).set(round(one.seconds, 1))
        for kind, state, n in counts:
            JOBS.labels(kind, state).set(n)
