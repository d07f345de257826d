"""The SQL of activity: a row for each minute, type and shard; some thousands a day, however many jobs there are."""

from collections.abc import Mapping
from dataclasses import astuple, fields
from datetime import datetime, timedelta
from typing import Final

from services.jobs.activity.models import Tally
from shared.db.pool import Connection

_FIGURES: Final = [each.name for each in fields(Tally)]
_SUMMED: Final = ", ".join(
    f"greatest(a.{name}, excluded.{name})" if name.startswith("longest_") else f"a.{name} + excluded.{name}"
    for name in _FIGURES
)
ADD: Final = f"""
    -- Add to this minute's figures; the caller gives the types in order, so that two writers never wait in a ring.
    INSERT INTO jobs.activity AS a (minute, type, shard, {", ".join(_FIGURES)})
    SELECT date_trunc('minute', now()), type, $2, {", ".join(f"n.{name}" for name in _FIGURES)}
    FROM unnest($1::text[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[], $8::bigint[], $9::bigint[],
                $10::int[], $11::bigint[], $12::bigint[]) AS n(type, {", ".join(_FIGURES)})
    ORDER BY type
    ON CONFLICT (minute, type, shard) DO UPDATE SET ({", ".join(_FIGURES)}) = ROW({_SUMMED})
"""  # noqa: S608 - constants
_TOTALS: Final = ", ".join(
    f"max({name})::bigint AS {name}" if name.startswith("longest_") else f"sum({name})::bigint AS {name}"
    for name in _FIGURES
)
READ: Final = f"""
    -- The figures since a moment in steps of so many seconds, of one type or of all.
    SELECT to_timestamp(floor(extract(epoch FROM minute) / $3::int) * $3::int) AS at, {_TOTALS}
    FROM jobs.activity WHERE minute >= $1 AND ($2::text IS NULL OR type = $2) GROUP BY at
"""  # noqa: S608
BY_TYPE: Final = f"""
    -- The figures since a moment, by type.
    SELECT type, {_TOTALS} FROM jobs.activity WHERE minute >= $1 GROUP BY type ORDER BY type
"""  # noqa: S608
FORGET: Final = "DELETE FROM jobs.activity WHERE minute < now() - interval '2 days'"


async def add(conn: Connection, tallies: Mapping[str, Tally], *, shard: int) -> None:
    """Count what happened, in the transaction in which it does."""
    if not tallies:
        return
    types = sorted(tallies)
    columns = zip(*(astuple(tallies[each]) for each in types), strict=True)
    await conn.execute(ADD, types, shard, *map(list, columns))


async def read(conn: Connection, *, since: datetime, job_type: str | None, step: timedelta) -> dict[datetime, Tally]:
    """What happened in each step since a moment; steps without anything are left out."""
    rows = await conn.fetch(READ, since, job_type, int(step.total_seconds()))
    return {row["at"]: Tally(**{name: row[name] for name in _FIGURES}) for row in rows}


async def by_type(conn: Connection, *, since: datetime) -> dict[str, Tally]:
    """What happened since a moment, by type."""
    rows = await conn.fetch(BY_TYPE, since)
    return {row["type"]: Tally(**{name: row[name] for name in _FIGURES}) for row in rows}


async def forget(conn: Connection) -> None:
    """Drop what is older than two days."""
    await conn.execute(FORGET)
