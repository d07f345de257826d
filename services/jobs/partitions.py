"""The ledger's tables are cut by the day in a job's id, so that old days are dropped whole."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from shared.clock import Clock
from shared.db.pool import Connection, Pool, transaction
from shared.ids import id_at, time_of

_TABLES: Final = ("jobs", "history")
_LOCK_KEY: Final = 0x50B5
DAYS_AHEAD: Final = 3


class Partitions:
    """Makes days before they are needed, and remembers which are there."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._known: set[date] = set()

    async def run_once(self) -> None:
        """Make today, yesterday and the next days."""
        today = self._clock().date()
        await self.ensure(today + timedelta(days=offset) for offset in range(-1, DAYS_AHEAD + 1))

    async def ensure_for(self, ids: Iterable[UUID]) -> None:
        """Make the days that these jobs fall into; an event may have waited in an outbox for days."""
        await self.ensure({time_of(id_).date() for id_ in ids})

    async def ensure(self, days: Iterable[date]) -> None:
        """Make partitions that are missing. Safe to run twice and by several at once."""
        # An older day may have been dropped by another process since; those from yesterday on never are.
        yesterday = self._clock().date() - timedelta(days=1)
        missing = sorted(day for day in set(days) if day not in self._known or day < yesterday)
        if not missing:
            return
        async with transaction(self._pool) as conn:
            await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK_KEY)
            for day in missing:
                for table in _TABLES:
                    await self._create(conn, table, day)
        self._known.update(missing)

    async def drop_empty(self, *, before: date) -> int:
        """Drop days that are past and hold no job any more; returns how many."""
        dropped = 0
        async with transaction(self._pool) as conn:
            await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK_KEY)
            rows = await conn.fetch(
                "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
                "WHERE i.inhparent = 'jobs.jobs'::regclass"
            )
            for name in (row["relname"] for row in rows):
                day = datetime.strptime(name.removeprefix("jobs_"), "%Y%m%d").replace(tzinfo=UTC).date()
                if day < before and not await conn.fetchval(f"SELECT EXISTS (SELECT 1 FROM jobs.{name})"):  # noqa: S608
                    for table in _TABLES:
                        await conn.execute(f"DROP TABLE jobs.{table}_{day:%Y%m%d}")
                    self._known.discard(day)
                    dropped += 1
        return dropped

    async def _create(self, conn: Connection, table: str, day: date) -> None:
        start = datetime.combine(day, time(), UTC)
        await conn.execute(
            f"CREATE TABLE IF NOT EXISTS jobs.{table}_{day:%Y%m%d} PARTITION OF jobs.{table} "
            f"FOR VALUES FROM ('{id_at(start)}') TO ('{id_at(start + timedelta(days=1))}')"
        )
