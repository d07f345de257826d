"""What must hold of stock after anything that happened: call `check_stock` at the end of a run, however it went."""

from typing import Any, Final, TypeAlias

from shared.db.pool import Connection, Pool

Source: TypeAlias = "Connection | Pool"

DISAGREEMENTS: Final = """
    -- Products whose level is not the sum of its movements, or is or was negative; and movements with a gap.
    SELECT s.product_id, s.on_hand, coalesce(m.total, 0) AS moved, m.lowest, m.breaks
    FROM catalog.stock s
    LEFT JOIN (
        SELECT product_id, sum(delta) AS total, min(on_hand) AS lowest,
               count(*) FILTER (WHERE on_hand <> delta + before) AS breaks
        FROM (
            SELECT product_id, delta, on_hand,
                   coalesce(lag(on_hand) OVER (PARTITION BY product_id ORDER BY version), 0) AS before
            FROM catalog.movements
        ) AS steps
        GROUP BY product_id
    ) m ON m.product_id = s.product_id
    WHERE s.on_hand <> coalesce(m.total, 0) OR s.on_hand < 0 OR m.lowest < 0 OR m.breaks > 0
    ORDER BY s.product_id
"""
UNEXPLAINED_SALES: Final = """
    -- Orders whose lines and movements differ: each placed one sold its lines once, each cancelled one gave them back.
    SELECT o.id, o.status, l.quantity, coalesce(m.sold, 0) AS sold, coalesce(m.returned, 0) AS returned
    FROM catalog.orders o
    JOIN (
        SELECT order_id, product_id, sum(quantity) AS quantity FROM catalog.order_lines GROUP BY order_id, product_id
    ) l ON l.order_id = o.id
    LEFT JOIN (
        SELECT reference, product_id, -sum(delta) FILTER (WHERE kind = 'sale') AS sold,
               sum(delta) FILTER (WHERE kind = 'return') AS returned
        FROM catalog.movements GROUP BY reference, product_id
    ) m ON m.reference = 'order ' || o.id AND m.product_id = l.product_id
    WHERE coalesce(m.sold, 0) <> l.quantity
        OR coalesce(m.returned, 0) <> CASE o.status WHEN 'cancelled' THEN l.quantity ELSE 0 END
"""


async def disagreements(conn: Source) -> list[dict[str, Any]]:
    """Everything about stock that does not hold; empty when all does. `conn` may read the schema `catalog`."""
    wrong = [dict(row) for row in await conn.fetch(DISAGREEMENTS)]
    return wrong + [dict(row) for row in await conn.fetch(UNEXPLAINED_SALES)]


async def check_stock(conn: Source) -> None:
    """The sum of the movements is the level for every product, nothing is or was negative, orders are in them."""
    wrong = await disagreements(conn)
    assert wrong == [], f"{len(wrong)} products or orders disagree, such as {wrong[:3]}"
