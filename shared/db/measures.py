"""What a service did in an hour, told once: `measures.recorded`, for the daily metrics.

A service with measures has the table of `SCHEMA_SQL` in one of its migrations.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from shared.clock import Clock, utc_now
from shared.contracts.events import Measure, MeasuresRecorded
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool, connection, transaction
from shared.ids import derived_id
from shared.lifecycle import background, every

SCHEMA_SQL: Final = """
CREATE TABLE {schema}.measured (
    hour timestamptz PRIMARY KEY
);
"""
LOOK_SECONDS: Final = 5.0
SETTLE: Final = timedelta(seconds=5)
"""What was done in the last moments of an hour is committed by then."""
MOST_SECONDS: Final = 300.0
"""For a statement over an hour of millions of rows: nobody waits for it, and given up it would only begin anew."""
HOUR: Final = timedelta(hours=1)
LOOKS_BACK: Final = timedelta(days=2)
"""Hours during which nothing of the service ran are told later, as far back as this."""

Take = Callable[[Connection, datetime, datetime], Awaitable[Sequence[Measure]]]
"""Measures the time from one moment up to another, in the caller's transaction."""


class Measuring:
    """Tells of each hour that is over, in the transaction that notes it as told. Any number may run.

    Killed before the commit, the hour is told by whoever looks next; its event has an id that follows from the hour.
    """

    def __init__(self, pool: Pool, take: Take, *, schema: str, clock: Clock = utc_now) -> None:
        self._pool = pool
        self._take = take
        self._schema = schema
        self._outbox = Outbox(schema)
        self._clock = clock
        self._last = f"SELECT max(hour) FROM {schema}.measured"  # noqa: S608 - the schema is a constant of the service
        self._note = f"INSERT INTO {schema}.measured (hour) VALUES ($1) ON CONFLICT DO NOTHING RETURNING 1"  # noqa: S608
        self._told_until: datetime | None = None

    async def run_once(self) -> int:
        """Tell what was not told yet; returns of how many hours. Asks the database for nothing within an hour."""
        now = self._clock() - SETTLE
        ended = now.replace(minute=0, second=0, microsecond=0)
        if self._told_until == ended:
            return 0
        async with connection(self._pool) as conn:
            last: datetime | None = await conn.fetchval(self._last)
        begun = max(ended - HOUR if last is None else last + HOUR, ended - LOOKS_BACK)
        told = 0
        while begun < ended:
            told += await self._tell(begun)
            begun += HOUR
        self._told_until = ended
        return told

    async def _tell(self, hour: datetime) -> bool:
        async with transaction(self._pool) as conn:
            if await conn.fetchval(self._note, hour) is None:
                return False
            measures = await self._take(conn, hour, hour + HOUR)
            event = MeasuresRecorded(service=self._schema, hour=hour, measures=tuple(measures))
            await self._outbox.add(conn, event, identifier=derived_id(hour, "measures", self._schema))
            return True


@asynccontextmanager
async def measuring(pool: Pool, take: Take, *, schema: str) -> AsyncIterator[None]:
    """Tell of the schema's hours while the block runs."""
    part = Measuring(pool, take, schema=schema)
    async with background(every(LOOK_SECONDS, part.run_once), name=f"{schema} measures"):
        yield
