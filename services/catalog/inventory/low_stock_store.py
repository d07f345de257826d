"""All SQL about telling of low stock. Rows of stock are taken with SKIP LOCKED only: nobody here waits for a sale."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from shared.db.pool import Connection

ONE_AT_A_TIME: Final = """
    -- Wait for the other check to end: two that tell at once would divide a vendor's digest.
    SELECT pg_advisory_xact_lock(hashtextextended('catalog low stock', 0))
"""
IS_ANY_UNTOLD: Final = """
    -- Whether there is an alert that no digest has named.
    SELECT EXISTS (
        SELECT FROM catalog.stock
        WHERE alert_opened_at IS NOT NULL AND (alert_told_at IS NULL OR alert_told_at < alert_opened_at)
    )
"""
HOLD_RECOVERED: Final = """
    -- Hold products that have an alert and recovered (by the rule of Level.crossing); one held right now is met next
    -- time.
    SELECT s.product_id FROM catalog.stock s
    JOIN catalog.products p ON p.id = s.product_id
    JOIN catalog.vendors v ON v.id = p.vendor_id
    CROSS JOIN catalog.marketplace m
    CROSS JOIN LATERAL (SELECT coalesce(s.threshold, v.low_stock_threshold, m.low_stock_threshold) AS low) t
    WHERE s.alert_opened_at IS NOT NULL AND s.on_hand > t.low + (t.low + 4) / 5
    ORDER BY s.product_id LIMIT $1 FOR UPDATE OF s SKIP LOCKED
"""
OPEN_MISSED: Final = """
    -- Open an alert for each product for sale that is low and has none. The bound lets the index leave out the rest.
    UPDATE catalog.stock s SET alert_opened_at = clock_timestamp()
    WHERE s.product_id IN (
        SELECT l.product_id FROM catalog.stock l
        JOIN catalog.products p ON p.id = l.product_id
        JOIN catalog.vendors v ON v.id = p.vendor_id
        CROSS JOIN catalog.marketplace m
        WHERE l.alert_opened_at IS NULL AND p.status = 'approved' AND v.status = 'active'
            AND l.on_hand <= coalesce(l.threshold, v.low_stock_threshold, m.low_stock_threshold)
            AND l.on_hand <= (
                SELECT greatest(
                    (SELECT low_stock_threshold FROM catalog.marketplace),
                    (SELECT max(low_stock_threshold) FROM catalog.vendors WHERE low_stock_threshold IS NOT NULL),
                    (SELECT max(threshold) FROM catalog.stock WHERE threshold IS NOT NULL)
                )
            )
        ORDER BY l.product_id LIMIT $1 FOR UPDATE OF l SKIP LOCKED
    )
    RETURNING s.product_id
"""
DUE_VENDORS: Final = """
    -- Vendors to be told now: at a check all with something untold ($4), else those for whom it has become quiet.
    SELECT p.vendor_id
    FROM catalog.stock s
    JOIN catalog.products p ON p.id = s.product_id
    JOIN catalog.vendors v ON v.id = p.vendor_id
    WHERE s.alert_opened_at IS NOT NULL AND (s.alert_told_at IS NULL OR s.alert_told_at < s.alert_opened_at)
        AND (s.alert_told_at IS NULL OR s.alert_told_at < now() - $1 * interval '1 second')
    GROUP BY p.vendor_id, v.low_stock_told_at
    HAVING $4 OR (
        (max(s.alert_opened_at) < now() - $2 * interval '1 second'
            OR min(s.alert_opened_at) < now() - 10 * $2 * interval '1 second')
        AND (v.low_stock_told_at IS NULL OR v.low_stock_told_at < now() - $3 * interval '1 second')
    )
"""
MARK_TOLD: Final = """
    -- These products are being told; one that is held right now is told next time.
    UPDATE catalog.stock t SET alert_told_at = clock_timestamp()
    WHERE t.product_id IN (
        SELECT s.product_id
        FROM catalog.stock s
        JOIN catalog.products p ON p.id = s.product_id
        WHERE p.vendor_id = ANY($1::uuid[])
            AND s.alert_opened_at IS NOT NULL AND (s.alert_told_at IS NULL OR s.alert_told_at < s.alert_opened_at)
            AND (s.alert_told_at IS NULL OR s.alert_told_at < now() - $2 * interval '1 second')
        ORDER BY p.vendor_id, s.product_id LIMIT $3 FOR UPDATE OF s SKIP LOCKED
    )
    RETURNING t.product_id
"""
MARK_VENDORS: Final = """
    -- These vendors are being told.
    UPDATE catalog.vendors SET low_stock_told_at = now() WHERE id = ANY($1::uuid[])
"""
COUNT_ALERTS: Final = """
    -- How many products of the catalogue have an alert.
    SELECT count(*) FROM catalog.stock s JOIN catalog.products p ON p.id = s.product_id
    WHERE s.alert_opened_at IS NOT NULL AND p.status = 'approved'
"""


async def one_at_a_time(conn: Connection) -> None:
    """Until the transaction ends."""
    await conn.execute(ONE_AT_A_TIME)


async def is_any_untold(conn: Connection) -> bool:
    """Whether some alert was named in no digest."""
    return bool(await conn.fetchval(IS_ANY_UNTOLD))


async def hold_recovered(conn: Connection, *, limit: int) -> list[UUID]:
    """Hold products that have an alert and recovered."""
    return [row["product_id"] for row in await conn.fetch(HOLD_RECOVERED, limit)]


async def open_missed(conn: Connection, *, limit: int) -> list[UUID]:
    """Open alerts for low products that have none."""
    return [row["product_id"] for row in await conn.fetch(OPEN_MISSED, limit)]


async def due_vendors(
    conn: Connection, *, quiet_seconds: float, settle_seconds: float, spacing_seconds: float, is_check: bool
) -> list[UUID]:
    """Vendors to be told now."""
    rows = await conn.fetch(DUE_VENDORS, quiet_seconds, settle_seconds, spacing_seconds, is_check)
    return [row["vendor_id"] for row in rows]


async def mark_told(conn: Connection, vendors: Sequence[UUID], *, quiet_seconds: float, limit: int) -> list[UUID]:
    """Mark what is being told; the products."""
    return [row["product_id"] for row in await conn.fetch(MARK_TOLD, vendors, quiet_seconds, limit)]


async def mark_vendors(conn: Connection, vendors: Sequence[UUID]) -> None:
    """Mark who is being told."""
    await conn.execute(MARK_VENDORS, vendors)


async def open_alerts(conn: Connection) -> int:
    """How many products of the catalogue have an alert."""
    return int(await conn.fetchval(COUNT_ALERTS))
