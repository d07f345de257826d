"""The audit log: who decided what. Written in the transaction of the decision, never changed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from services.catalog.models import Actor
from shared.db.pool import Connection
from shared.ids import TOP, new_id
from shared.web.audit import Line

RECORD: Final = """
    -- Append one line.
    INSERT INTO catalog.audit (id, account_id, role, action, object_kind, object_id, detail, request_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
NEWEST: Final = """
    -- The lines below a position, newest first.
    SELECT id, at, account_id, role, action, object_kind, object_id, detail, request_id
    FROM catalog.audit WHERE id < $1 ORDER BY id DESC LIMIT $2
"""
OF_OBJECT: Final = """
    -- The lines about one object below a position, newest first.
    SELECT id, at, account_id, role, action, object_kind, object_id, detail, request_id
    FROM catalog.audit WHERE object_kind = $3 AND object_id = $4 AND id < $1 ORDER BY id DESC LIMIT $2
"""


async def record(
    conn: Connection, actor: Actor, action: str, *, kind: str, object_id: UUID | str, **detail: Any
) -> None:
    """Append a line to the caller's transaction: `record(conn, actor, "vendor.changed", kind="vendor", object_id=id)`.

    `detail` is JSON and holds no secret and no mail address.
    """
    values: Mapping[str, Any] = detail
    await conn.execute(
        RECORD, new_id(), actor.account_id, actor.role.value, action, kind, str(object_id), values, actor.request_id
    )


@dataclass(frozen=True, slots=True)
class Deed:
    """What was done to one object, and what there is to say of it (as `detail` of `record`)."""

    action: str
    detail: Mapping[str, Any] = field(default_factory=dict)


async def record_all(conn: Connection, actor: Actor, deeds: Sequence[Deed], *, kind: str, object_id: UUID) -> None:
    """Append a line for each deed to one object, in one go."""
    who, request_id = (actor.account_id, actor.role.value), actor.request_id
    await conn.executemany(
        RECORD, [(new_id(), *who, deed.action, kind, str(object_id), deed.detail, request_id) for deed in deeds]
    )


async def entries(
    conn: Connection, *, below: UUID = TOP, limit: int, about: tuple[str, str] | None = None
) -> Sequence[Line]:
    """Lines newest first, of everything or `about` one (kind, id)."""
    if about is None:
        rows = await conn.fetch(NEWEST, below, limit)
    else:
        rows = await conn.fetch(OF_OBJECT, below, limit, *about)
    return [Line(**row) for row in rows]
