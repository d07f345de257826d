"""The SQL of lists. Each shape is its own statement, so that each has the one plan that fits it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from services.jobs.models import JobState
from services.jobs.store import COLUMNS, JobView
from shared.db.pool import Connection
from shared.ids import id_at

NEWEST: Final = f"""
    -- Newest first between two ids, by the primary key.
    SELECT {COLUMNS} FROM jobs.jobs j WHERE j.id < $1 AND j.id >= $2 ORDER BY j.id DESC LIMIT $3
"""  # noqa: S608 - constants
FILTERED: Final = f"""
    -- The newest of each type, state and priority that the filter lets in, then the newest of those. `uuid_send` orders
    -- as the id does, and only the index made for this knows it: by the id itself the planner walks the whole table.
    SELECT {COLUMNS} FROM (
        SELECT few.id
        FROM unnest(coalesce($4::text[], ARRAY(SELECT DISTINCT type FROM jobs.counters))) AS t(type)
        CROSS JOIN unnest($5::text[]) AS s(state) CROSS JOIN unnest($6::int[]) AS p(priority)
        CROSS JOIN LATERAL (
            SELECT i.id FROM jobs.jobs i
            WHERE i.type = t.type AND i.state = s.state AND i.priority = p.priority
              AND uuid_send(i.id) < uuid_send($1) AND uuid_send(i.id) >= uuid_send($2) AND i.id >= $2
            ORDER BY uuid_send(i.id) DESC LIMIT $3
        ) few
        ORDER BY few.id DESC LIMIT $3
    ) found JOIN jobs.jobs j ON j.id = found.id ORDER BY j.id DESC
"""  # noqa: S608
_FITS: Final = """($4::text IS NULL OR j.type = $4) AND ($5::text IS NULL OR j.state = $5)
      AND ($6::int IS NULL OR j.priority = $6) AND ($7::uuid IS NULL OR j.vendor_id = $7)"""
OF_VENDOR: Final = f"""
    -- Of one vendor, newest first.
    SELECT {COLUMNS} FROM jobs.jobs j WHERE j.id < $1 AND j.id >= $2 AND {_FITS} ORDER BY j.id DESC LIMIT $3
"""  # noqa: S608
OF_CAUSE: Final = f"""
    -- Of one cause. Materialised: the planner would rather walk the whole table in order than sort a handful.
    WITH caused AS MATERIALIZED (SELECT * FROM jobs.jobs WHERE cause = $8)
    SELECT {COLUMNS} FROM caused j WHERE j.id < $1 AND j.id >= $2 AND {_FITS} ORDER BY j.id DESC LIMIT $3
"""  # noqa: S608
OF_ID: Final = f"""
    -- The job of this id, and those that the event of this id caused.
    WITH meant AS MATERIALIZED (
        SELECT * FROM jobs.jobs WHERE id = $8 UNION SELECT * FROM jobs.jobs WHERE cause = $8
    )
    SELECT {COLUMNS} FROM meant j WHERE j.id < $1 AND j.id >= $2 AND {_FITS} ORDER BY j.id DESC LIMIT $3
"""  # noqa: S608
OF_ERROR: Final = f"""
    -- Those whose last error holds a text, whatever its case, by the trigram index.
    WITH meant AS MATERIALIZED (
        SELECT * FROM jobs.jobs
        WHERE error_class IS NOT NULL AND (error_class || ': ' || coalesce(error_message, '')) ILIKE $8
    )
    SELECT {COLUMNS} FROM meant j WHERE j.id < $1 AND j.id >= $2 AND {_FITS} ORDER BY j.id DESC LIMIT $3
"""  # noqa: S608
TOP: Final = UUID(int=(1 << 128) - 1)
BOTTOM: Final = UUID(int=0)
ALL_STATES: Final = [state.value for state in JobState]
ALL_PRIORITIES: Final = [1, 2, 3, 4, 5]


@dataclass(frozen=True, slots=True)
class ListFilter:
    """Which jobs a list shows; None means any.

    `q` is the id of a job or of its cause, or else a part of its last error (`class: message`), at least three
    characters. `since` and `until` are of the time in the id: when what caused the job happened.
    """

    type: str | None = None
    state: JobState | None = None
    priority: int | None = None
    cause: UUID | None = None
    vendor_id: UUID | None = None
    q: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def listed(conn: Connection, where: ListFilter, *, before: UUID | None, limit: int) -> list[JobView]:
    """A page of jobs that fit, newest first."""
    statement, values = _shape(where)
    return [_view(row) for row in await conn.fetch(statement, *_place(where, before), limit, *values)]


async def ids_of(conn: Connection, where: ListFilter, *, limit: int) -> list[UUID]:
    """The ids alone of jobs that fit, newest first."""
    statement, values = _shape(where)
    rows = await conn.fetch(statement.replace(COLUMNS, "j.id"), *_place(where, None), limit, *values)
    return [row["id"] for row in rows]


def _place(where: ListFilter, before: UUID | None) -> tuple[UUID, UUID]:
    """Between which ids a page lies."""
    top = TOP if before is None else before
    if where.until is not None:
        top = min(top, id_at(where.until))
    return top, BOTTOM if where.since is None else id_at(where.since)


def _shape(where: ListFilter) -> tuple[str, tuple[object, ...]]:
    """The statement that fits a filter, with its values behind those of the place."""
    state = None if where.state is None else where.state.value
    rest = (where.type, state, where.priority, where.vendor_id)
    if where.cause is not None and where.q is None:
        return OF_CAUSE, (*rest, where.cause)
    if where.q is not None:
        identifier = _uuid(where.q)
        if identifier is not None:
            return OF_ID, (*rest, identifier)
        return OF_ERROR, (*rest, f"%{_escaped(where.q)}%")
    if where.vendor_id is not None:
        return OF_VENDOR, rest
    if (where.type, state, where.priority) == (None, None, None):
        return NEWEST, ()
    return FILTERED, (
        None if where.type is None else [where.type],
        ALL_STATES if state is None else [state],
        ALL_PRIORITIES if where.priority is None else [where.priority],
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _view(row: asyncpg.Record) -> JobView:
    return JobView(**{**row, "state": JobState(row["state"])})
