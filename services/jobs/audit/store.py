"""The SQL of the audit log. Lines are written in the transaction of the deed and never taken back."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from shared.db.pool import Connection
from shared.ids import new_id
from shared.web.audit import Line
from shared.web.identity import Identity

RECORD: Final = """
    -- Append one line.
    INSERT INTO jobs.audit (id, account_id, role, action, object_kind, object_id, detail, request_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
ADD_UP: Final = """
    -- A long deed in several transactions counts in each what it did there.
    UPDATE jobs.audit
    SET detail = detail || jsonb_build_object($2::text, coalesce((detail ->> $2)::bigint, 0) + $3::bigint)
    WHERE id = $1
"""
NEWEST: Final = """
    -- The lines below a position, newest first; of one object when it is given.
    SELECT id, at, account_id, role, action, object_kind, object_id, detail, request_id FROM jobs.audit
    WHERE id < $1 ORDER BY id DESC LIMIT $2
"""
OF_OBJECT: Final = """
    -- The lines about one object below a position, newest first.
    SELECT id, at, account_id, role, action, object_kind, object_id, detail, request_id FROM jobs.audit
    WHERE object_kind = $3 AND object_id = $4 AND id < $1 ORDER BY id DESC LIMIT $2
"""


async def record(
    conn: Connection,
    by: Identity,
    action: str,
    *,
    about: tuple[str, object],
    request_id: str | None,
    detail: Mapping[str, Any] | None = None,
) -> UUID:
    """Append a line to the caller's transaction: `about` is kind and id of the object. Returns the line's id.

    Kinds are `job`, `job_type`, `dead_letter`, and `jobs` for many at once.
    """
    line_id, (kind, object_id) = new_id(), about
    await conn.execute(
        RECORD, line_id, by.account_id, by.role.value, action, kind, str(object_id), dict(detail or {}), request_id
    )
    return line_id


async def add_up(conn: Connection, line_id: UUID, name: str, more: int) -> None:
    """Raise a count in a line's detail, in the transaction of the part that it counts."""
    await conn.execute(ADD_UP, line_id, name, more)


async def lines(conn: Connection, *, below: UUID, limit: int, about: tuple[str, str] | None = None) -> Sequence[Line]:
    """Lines newest first, of everything or `about` one (kind, id)."""
    if about is None:
        rows = await conn.fetch(NEWEST, below, limit)
    else:
        rows = await conn.fetch(OF_OBJECT, below, limit, *about)
    return [Line(**row) for row in rows]
