"""All SQL about stock. Every function takes the caller's connection."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final
from uuid import UUID

import asyncpg

from services.catalog.inventory.models import Adjusted, Level, Moved, Movement, MovementKind, SourceVersions
from shared.db.pool import Connection

OPEN: Final = """
    -- The level of a new product, with the movement that explains it.
    WITH opened AS (
        INSERT INTO catalog.stock (product_id, on_hand) VALUES ($1, $2)
        RETURNING product_id, version, on_hand
    ), moved AS (
        INSERT INTO catalog.movements (product_id, version, kind, delta, on_hand, account_id)
        SELECT product_id, version, 'receive', on_hand, on_hand, $3 FROM opened WHERE on_hand > 0
    )
    SELECT version FROM opened
"""

_THRESHOLD: Final = "coalesce(s.threshold, v.low_stock_threshold, m.low_stock_threshold)"
_LEVELS: Final = f"""
    SELECT s.product_id, p.vendor_id, p.sku, p.title, p.status, s.on_hand, {_THRESHOLD} AS threshold,
           s.threshold AS own_threshold, s.version, s.updated_at, p.version AS product_version,
           v.version AS vendor_version, s.alert_opened_at IS NOT NULL AS has_alert,
           p.status = 'approved' AND v.status = 'active' AS is_for_sale
    FROM catalog.stock s
    JOIN catalog.products p ON p.id = s.product_id
    JOIN catalog.vendors v ON v.id = p.vendor_id
    CROSS JOIN catalog.marketplace m
"""  # noqa: S608 - constants
LOCK: Final = f"""
    -- Hold these levels until the transaction ends, always in the order of the ids, so that no two wait for each other.
    {_LEVELS} WHERE s.product_id = ANY($1::uuid[])
    ORDER BY s.product_id FOR UPDATE OF s
"""
OF_VENDOR: Final = f"""
    -- A vendor's levels below a position, newest product first; only those at or below their threshold if $4.
    {_LEVELS} WHERE p.vendor_id = $1 AND p.status <> 'archived' AND ($2::uuid IS NULL OR p.id < $2)
        AND (NOT $4 OR s.on_hand <= {_THRESHOLD})
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
    INSERT INTO catalog.movements
        (product_id, version, kind, delta, on_hand, reference, account_id, source_id, source_version)
    SELECT product_id, version, $5, delta, on_hand, $6, $7, $8, source_version
    FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $9::bigint[])
        AS m (product_id, version, delta, on_hand, source_version)
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
    -- Where low begins for a product; null: where its vendor says.
    UPDATE catalog.stock SET threshold = $2, version = version + 1, updated_at = now() WHERE product_id = $1
    RETURNING version
"""
DEFAULTS: Final = """
    -- Where low begins for a vendor's products, and for those of vendors that say nothing.
    SELECT v.low_stock_threshold, m.low_stock_threshold AS marketplace
    FROM catalog.vendors v CROSS JOIN catalog.marketplace m WHERE v.id = $1
"""
SET_VENDOR_DEFAULT: Final = """
    -- Where low begins for a vendor's products. A level shows it: so the vendor's version rises.
    UPDATE catalog.vendors SET low_stock_threshold = $2, version = version + 1, updated_at = now() WHERE id = $1
    RETURNING version
"""
MARKETPLACE_DEFAULT: Final = """
    -- Where low begins for vendors that say nothing.
    SELECT low_stock_threshold FROM catalog.marketplace
"""
SET_MARKETPLACE_DEFAULT: Final = """
    -- The same, set. Levels show it: so the versions of the vendors rise for which it holds.
    WITH said AS (UPDATE catalog.marketplace SET low_stock_threshold = $1, updated_at = now())
    UPDATE catalog.vendors SET version = version + 1, updated_at = now() WHERE low_stock_threshold IS NULL
    RETURNING id, version
"""
OPEN_ALERTS_OF: Final = """
    -- These fell to their threshold. The caller holds them.
    UPDATE catalog.stock SET alert_opened_at = clock_timestamp()
    WHERE product_id = ANY($1::uuid[]) AND alert_opened_at IS NULL
"""
CLOSE_ALERTS_OF: Final = """
    -- These recovered. The caller holds them.
    UPDATE catalog.stock SET alert_opened_at = NULL WHERE product_id = ANY($1::uuid[])
"""
KEEP_ADJUSTMENT: Final = """
    -- What became of each line, for whoever asks again with the same key.
    INSERT INTO catalog.adjustments (id, results) VALUES ($1, $2)
"""
ADJUSTMENT: Final = """
    -- The same, read.
    SELECT results FROM catalog.adjustments WHERE id = $1
"""
PRUNE_ADJUSTMENTS: Final = """
    -- Forget what no replay can ask for.
    DELETE FROM catalog.adjustments WHERE at < now() - interval '25 hours'
"""
LEVELS: Final = f"""
    -- These levels, as they are.
    {_LEVELS} WHERE s.product_id = ANY($1::uuid[]) ORDER BY p.vendor_id, s.product_id
"""


async def open_level(conn: Connection, product_id: UUID, *, on_hand: int, account_id: UUID | None) -> int:
    """Write the level of a new product and, unless it is zero, its first movement; the level's version."""
    return int(await conn.fetchval(OPEN, product_id, on_hand, account_id))


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
    source: SourceVersions | None,
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
        None if source is None else source.source_id,
        [None if source is None else source.versions[one.product_id] for one in moved],
    )


async def movements(conn: Connection, product_id: UUID, *, below: int | None, limit: int) -> list[Movement]:
    """A level's movements, newest first."""
    rows = await conn.fetch(MOVEMENTS, product_id, below, limit)
    return [Movement(**{**row, "kind": MovementKind(row["kind"])}) for row in rows]


async def is_vendors(conn: Connection, product_id: UUID, vendor_id: UUID) -> bool:
    """Whether a product is this vendor's."""
    return bool(await conn.fetchval(IS_VENDORS, product_id, vendor_id))


async def set_threshold(conn: Connection, product_id: UUID, threshold: int | None) -> int:
    """Say where low begins; the level's version then. The caller holds the level."""
    return int(await conn.fetchval(SET_THRESHOLD, product_id, threshold))


async def defaults(conn: Connection, vendor_id: UUID) -> tuple[int | None, int]:
    """A vendor's threshold, and the marketplace's."""
    row = await conn.fetchrow(DEFAULTS, vendor_id)
    assert row is not None, "an account's vendor exists by constraint"
    return row["low_stock_threshold"], row["marketplace"]


async def set_vendor_default(conn: Connection, vendor_id: UUID, threshold: int | None) -> int:
    """Set a vendor's threshold; the vendor's version then."""
    return int(await conn.fetchval(SET_VENDOR_DEFAULT, vendor_id, threshold))


async def marketplace_default(conn: Connection) -> int:
    """The marketplace's threshold."""
    return int(await conn.fetchval(MARKETPLACE_DEFAULT))


async def set_marketplace_default(conn: Connection, threshold: int) -> dict[UUID, int]:
    """Set it; the vendors for which it holds, with their versions then."""
    return {row["id"]: row["version"] for row in await conn.fetch(SET_MARKETPLACE_DEFAULT, threshold)}


async def open_alerts_of(conn: Connection, product_ids: Sequence[UUID]) -> None:
    """Open alerts of levels that the caller holds."""
    await conn.execute(OPEN_ALERTS_OF, product_ids)


async def close_alerts_of(conn: Connection, product_ids: Sequence[UUID]) -> None:
    """Close alerts of levels that the caller holds."""
    await conn.execute(CLOSE_ALERTS_OF, product_ids)


async def keep_adjustment(conn: Connection, identifier: UUID, results: Sequence[Adjusted]) -> None:
    """Keep what became of each line."""
    await conn.execute(KEEP_ADJUSTMENT, identifier, [asdict(one) for one in results])


async def adjustment(conn: Connection, identifier: UUID) -> list[Adjusted]:
    """What became of each line of an adjustment that was kept."""
    kept = await conn.fetchval(ADJUSTMENT, identifier)
    return [Adjusted(**{**one, "product_id": UUID(one["product_id"])}) for one in kept]


async def prune_adjustments(conn: Connection) -> None:
    """Forget adjustments that nobody can ask for again."""
    await conn.execute(PRUNE_ADJUSTMENTS)


def _level(row: asyncpg.Record) -> Level:
    return Level(**row)
