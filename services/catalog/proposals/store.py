"""All SQL about proposals but reading them, which a product's own statements do. The caller holds the product."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from services.catalog.products.errors import UnknownCategory
from services.catalog.proposals.models import Content, ProposalStatus
from shared.db.pool import Connection

PUT: Final = """
    -- Put a proposal to the admins: a first one, or a rejected one that was mended.
    INSERT INTO catalog.proposals AS known (product_id, id, status, title, description, category, attributes)
    VALUES ($1, $2, 'pending', $3, $4, $5, $6)
    ON CONFLICT (product_id) DO UPDATE
    SET id = excluded.id, status = 'pending', title = excluded.title, description = excluded.description,
        category = excluded.category, attributes = excluded.attributes, reasons = '[]', revision = 1,
        proposed_at = now(), updated_at = now()
"""
REVISE: Final = """
    -- Change what the admins were asked about.
    UPDATE catalog.proposals
    SET title = $2, description = $3, category = $4, attributes = $5, revision = revision + 1, updated_at = now()
    WHERE product_id = $1
"""
ACCEPT: Final = """
    -- Make the proposed content the live one, if it is proposed still, and is what was looked at ($2) or announced.
    UPDATE catalog.products p
    SET title = coalesce(n.title, p.title), description = coalesce(n.description, p.description),
        category = coalesce(n.category, p.category), attributes = coalesce(n.attributes, p.attributes)
    FROM catalog.proposals n
    WHERE p.id = $1 AND p.status = 'approved'
      AND n.product_id = p.id AND n.status = 'pending' AND ($2 OR n.revision = 1)
    RETURNING p.id
"""
REJECT: Final = """
    -- Turn the proposal down, if it is proposed still, and is what was looked at ($3) or announced.
    UPDATE catalog.proposals SET status = 'rejected', reasons = $2, updated_at = now()
    WHERE product_id = $1 AND status = 'pending' AND ($3 OR revision = 1)
    RETURNING revision
"""
REMOVE: Final = """
    -- There is nothing proposed any more.
    DELETE FROM catalog.proposals WHERE product_id = $1 RETURNING status
"""
DELETE_PICTURES: Final = """
    -- Those that were proposed to go ('remove'), or will not come ('add').
    DELETE FROM catalog.images WHERE product_id = $1 AND proposed = $2
"""
SETTLE_PICTURES: Final = """
    -- What is left is live.
    UPDATE catalog.images SET proposed = NULL WHERE product_id = $1 AND proposed IS NOT NULL
"""


async def put(conn: Connection, product_id: UUID, proposal_id: UUID, content: Content) -> None:
    """Ask the admins, anew if they were asked before. Raises `UnknownCategory`."""
    await _write(conn, PUT, (product_id, proposal_id), content)


async def revise(conn: Connection, product_id: UUID, content: Content) -> None:
    """Change what they are asked about. Raises `UnknownCategory`."""
    await _write(conn, REVISE, (product_id,), content)


async def accept(conn: Connection, product_id: UUID, *, is_seen: bool) -> bool:
    """Make it the live product. False: the product is not approved, or the proposal not what was decided about."""
    if await conn.fetchval(ACCEPT, product_id, is_seen) is None:
        return False
    await conn.execute(DELETE_PICTURES, product_id, "remove")
    await conn.execute(SETTLE_PICTURES, product_id)
    await conn.execute(REMOVE, product_id)
    return True


async def reject(conn: Connection, product_id: UUID, reasons: Sequence[Mapping[str, str]], *, is_seen: bool) -> bool:
    """Turn it down; the vendor may mend it. False: it is not what was decided about."""
    return await conn.fetchval(REJECT, product_id, list(reasons), is_seen) is not None


async def discard(conn: Connection, product_id: UUID) -> ProposalStatus | None:
    """Forget what is proposed; in which status it was, None if there is nothing."""
    await conn.execute(DELETE_PICTURES, product_id, "add")
    await conn.execute(SETTLE_PICTURES, product_id)
    status = await conn.fetchval(REMOVE, product_id)
    return None if status is None else ProposalStatus(status)


async def _write(conn: Connection, statement: str, key: tuple[UUID, ...], content: Content) -> None:
    attributes = None if content.attributes is None else dict(content.attributes)
    try:
        await conn.execute(statement, *key, content.title, content.description, content.category, attributes)
    except asyncpg.ForeignKeyViolationError as exc:
        raise UnknownCategory.of(content.category or "") from exc
