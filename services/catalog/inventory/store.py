"""All SQL about stock. Every function takes the caller's connection."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from services.catalog.inventory.models import Level, Moved, Movement, MovementKind
from shared.db.pool import Connection

OPEN: Final = """
    -- The level of a new product, with the movement that explains it.
    WITH opened AS (
        INSERT INTO catalog.stock (product_id, on_hand, threshold) VALUES ($1, $2, $3)
        RETURNING product_id, version, on_hand
    )
    INSERT INTO catalog.movements (product_id, version, kind, delta, on_hand, account_id)
    SELECT product_id, version, 'receive', on_hand, on_hand, $4 FROM opened WHERE on_hand > 0
"""

_LEVELS: Final = """
    SELECT s.product_id, p.vendor_id, p.sku, p.title, p.status, s.on_hand, s.threshold, s.version, s.updated_at,
           p.version AS product_version,
           s.alert_opened_at IS NOT NULL AS has_alert, p.status = 'approved' AND v.status = 'active' AS is_for_sale
    FROM catalog.stock s
    JOIN catalog.products p ON p.id = s.product_id
    JOIN catalog.vendors v ON v.id = p.vendor_id
"""
LOCK: Final = f"""
    -- Hold these levels until the transaction ends, always in the order of the ids, so that no two wait for each other.
    {_LEVELS} WHERE s.product_id = ANY($1::uuid[])
    ORDER BY s.product_id FOR UPDATE OF s
"""
OF_VENDOR: Final = f"""
    -- A vendor's levels below a position, newest product first; only those at or below their threshold if $4.
    {_LEVELS} WHERE p.vendor_id = $1 AND p.status <> 'archived' AND ($2::uuid IS NULL OR p.id < $2)
        AND (NOT $4 OR s.on_hand <= s.threshold)
    ORDER BY p.id DESC LIMIT $3
"""
MOVE: Final = """
    -- Move each level by its delta unless it would leave what a level can be; a row back for each that moved.
    UPDATE catalog.stock s SET on_hand = s.on_hand + w.delta, version = s.version + 1, updated_at = now()
    FROM unnest($1::uuid[], $2::int[]) AS w (product_id, delta)
    WHERE s.product_id = w.product_id AND s.on_hand::bigint + w.delta BETWEEN 0 AND 1000000000
    RETURNING s.product_id, s.on_hand, s.version
"""
ADD_MOVEMENTS: Final = """
    -- Note why.
    INSERT INTO catalog.movements (product_id, version, kind, delta, on_hand, reference, account_id)
    SELECT product_id, version, $5, delta, on_hand, $6, $7
    FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[]) AS m (product_id, version, delta, on_hand)
"""
MOVEMENTS: Final = """
    -- The movements of a level below a position, newest first.
    SELECT version, kind, delta, on_hand, reference, account_id, at FROM catalog.movements
    WHERE product_id = $1 AND ($2::int IS NULL OR version < $2)
    ORDER BY version DESC LIMIT $3
"""
IS_VENDORS: Final = """
    -- Whether a product is this vendor's.
    SELECT EXISTS (SELECT FROM catalog.products WHERE id = $1 AND vendor_id = $2)
"""
SET_THRESHOLD: Final = """
    -- Where low begins.
    UPDATE catalog.stock SET threshold = $2, version = version + 1, updated_at = now() WHERE product_id = $1
    RETURNING version
"""
CLOSE_ALERTS: Final = """
    -- These recovered; a row back for each that had an alert.
    UPDATE catalog.stock SET alert_opened_at = NULL
    WHERE product_id = ANY($1::uuid[]) AND alert_opened_at IS NOT NULL AND on_hand > threshold
    RETURNING product_id
"""
OPEN_ALERTS: Final = """
    -- Open an alert for each approved product that is low and has none; a level held right now is met next time.
    UPDATE catalog.stock s SET alert_opened_at = now()
    WHERE s.product_id IN (
        SELECT l.product_id FROM catalog.stock l
        JOIN catalog.products p ON p.id = l.product_id
        JOIN catalog.vendors v ON v.id = p.vendor_id
        WHERE l.on_hand <= l.threshold AND l.alert_opened_at IS NULL
            AND p.status = 'approved' AND v.status = 'active'
        ORDER BY l.product_id LIMIT $1 FOR UPDATE OF l SKIP LOCKED
    )
    RETURNING s.product_id
"""
LEVELS: Final = f"""
    -- These levels, as they are.
    {_LEVELS} WHERE s.product_id = ANY($1::uuid[]) ORDER BY p.vendor_id, s.product_id
"""


async def open_level(
    conn: Connection, product_id: UUID, *, on_hand: int, threshold: int, account_id: UUID | None
) -> None:
    """Write the level of a new product and, unless it is zero, its first movement."""
    await conn.execute(OPEN, product_id, on_hand, threshold, account_id)


async def lock(conn: Connection, product_ids: Sequence[UUID]) -> list[Level]:
    """Read levels and hold them until the transaction ends; those that do not exist are missing."""
    return [_level(row) for row in await conn.fetch(LOCK, product_ids)]


async def levels(conn: Connection, product_ids: Sequence[UUID]) -> list[Level]:
    """Read levels, by vendor."""
    return [_level(row) for row in await conn.fetch(LEVELS, product_ids)]


async def of_vendor(
    conn: Connection, vendor_id: UUID, *, below: UUID | None, limit: int, only_low: bool
) -> list[Level]:
    """A vendor's levels, newest product first."""
    return [_level(row) for row in await conn.fetch(OF_VENDOR, vendor_id, below, limit, only_low)]


async def move(conn: Connection, deltas: Mapping[UUID, int]) -> list[Moved]:
    """Move levels; what would fall below zero stays, and is missing in the answer."""
    return [Moved(**row) for row in await conn.fetch(MOVE, list(deltas), list(deltas.values()))]


async def add_movements(
    conn: Connection,
    moved: Sequence[Moved],
    deltas: Mapping[UUID, int],
    kind: MovementKind,
    *,
    reference: str,
    account_id: UUID | None,
) -> None:
    """Append one movement for each level that moved."""
    await conn.execute(
        ADD_MOVEMENTS,
        [one.product_id for one in moved],
        [one.version for one in moved],
        [deltas[one.product_id] for one in moved],
        [one.on_hand for one in moved],
        kind.value,
        reference,
        account_id,
    )


async def movements(conn: Connection, product_id: UUID, *, below: int | None, limit: int) -> list[Movement]:
    """A level's movements, newest first."""
    rows = await conn.fetch(MOVEMENTS, product_id, below, limit)
    return [Movement(**{**row, "kind": MovementKind(row["kind"])}) for row in rows]


async def is_vendors(conn: Connection, product_id: UUID, vendor_id: UUID) -> bool:
    """Whether a product is this vendor's."""
    return bool(await conn.fetchval(IS_VENDORS, product_id, vendor_id))


async def set_threshold(conn: Connection, product_id: UUID, threshold: int) -> int:
    """Say where low begins; the level's version then. The caller holds the level."""
    return int(await conn.fetchval(SET_THRESHOLD, product_id, threshold))


async def close_alerts(conn: Connection, product_ids: Sequence[UUID]) -> set[UUID]:
    """Close the alerts of levels that are above their threshold again."""
    return {row["product_id"] for row in await conn.fetch(CLOSE_ALERTS, product_ids)}


async def open_alerts(conn: Connection, *, limit: int) -> list[UUID]:
    """Open alerts for low products that have none."""
    return [row["product_id"] for row in await conn.fetch(OPEN_ALERTS, limit)]


def _level(row: asyncpg.Record) -> Level:
    return Level(**row)
