"""The ledger's tables are cut by the day in a job's id, so that old days are dropped whole."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from shared.clock import Clock
from shared.db.pool import Connection, Pool, transaction
from shared.ids import id_at, time_of

_TABLES: Final = ("jobs", "history")
_LOCK_KEY: Final = 0x50B5
DAYS_AHEAD: Final = 3
DAYS: Final = """
    -- The partitions of jobs.
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'jobs.jobs'::regclass
"""


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
                    await _make(conn, table, day)
        self._known.update(missing)

    def forget(self, day: date) -> None:
        """A day was dropped by this process."""
        self._known.discard(day)


async def days(conn: Connection, *, before: date) -> list[date]:
    """The days there are, older than one, oldest first."""
    names = [row["relname"] for row in await conn.fetch(DAYS)]
    found = (datetime.strptime(name.removeprefix("jobs_"), "%Y%m%d").replace(tzinfo=UTC).date() for name in names)
    return sorted(day for day in found if day < before)


async def is_needed(conn: Connection, day: date, keep: Mapping[str, datetime]) -> bool:
    """Whether a day holds a job that is open, or that ended in a state at or after the time given for that state.

    A few looks into indexes, however many jobs there are.
    """
    table = f"jobs.jobs_{day:%Y%m%d}"
    needed: bool = await conn.fetchval(
        f"""
        SELECT EXISTS (SELECT FROM {table} WHERE finished_at IS NULL) OR EXISTS (
            SELECT FROM unnest($1::text[], $2::timestamptz[]) AS k (state, since)
            CROSS JOIN LATERAL (SELECT FROM {table} WHERE state = k.state AND finished_at >= k.since LIMIT 1) found
        )
        """,  # noqa: S608 - a date
        list(keep.keys()),
        list(keep.values()),
    )
    return needed


async def counted(conn: Connection, day: date) -> dict[tuple[str, str], int]:
    """The jobs of a day by type and state."""
    table = f"jobs.jobs_{day:%Y%m%d}"
    rows = await conn.fetch(f"SELECT type, state, count(*) AS n FROM {table} GROUP BY type, state")  # noqa: S608
    return {(row["type"], row["state"]): row["n"] for row in rows}


async def stop_all(conn: Connection, *, patience_ms: int) -> None:
    """Have the tables of jobs to oneself until the transaction ends: for moments only.

    While this waits everybody else waits behind it, so it waits no longer than `patience_ms` and raises
    `asyncpg.LockNotAvailableError` then: somebody has read or written jobs for all that time.
    """
    await conn.execute("SELECT set_config('lock_timeout', $1, true)", f"{patience_ms}ms")
    for table in _TABLES:
        await conn.execute(f"LOCK TABLE ONLY jobs.{table} IN ACCESS EXCLUSIVE MODE")


async def drop(conn: Connection, day: date) -> None:
    """Drop a day with its history. The caller has the tables to itself (`stop_all`)."""
    for table in _TABLES:
        await conn.execute(f"DROP TABLE jobs.{table}_{day:%Y%m%d}")


async def _make(conn: Connection, table: str, day: date) -> None:
    """Make a partition beside the table and attach it: unlike `PARTITION OF`, that lets everybody go on."""
    name = f"jobs.{table}_{day:%Y%m%d}"
    if await conn.fetchval("SELECT to_regclass($1)", name) is not None:
        return
    start = datetime.combine(day, time(), UTC)
    await conn.execute(f"CREATE TABLE {name} (LIKE jobs.{table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    await conn.execute(
        f"ALTER TABLE jobs.{table} ATTACH PARTITION {name} "
        f"FOR VALUES FROM ('{id_at(start)}') TO ('{id_at(start + timedelta(days=1))}')"
    )
