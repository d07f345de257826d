"""All SQL about orders. Every function takes the caller's connection."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from services.catalog.orders.models import Line, Order, OrderStatus
from shared.contracts.base import Money
from shared.db.pool import Connection

INSERT: Final = """
    -- Write the order unless the channel's number is known; waits for one of that number that is being written.
    INSERT INTO catalog.orders (id, account_id, external_id, body_hash, status, placed_at)
    VALUES ($1, $2, $3, $4, 'placed', $5)
    ON CONFLICT (account_id, external_id) DO NOTHING
    RETURNING id
"""
INSERT_LINES: Final = """
    -- What was sold, in the order given.
    INSERT INTO catalog.order_lines
        (order_id, line, product_id, vendor_id, title, quantity, unit_price_minor, currency)
    SELECT $1, line, product_id, vendor_id, title, quantity, unit_price_minor, currency
    FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::int[], $6::bigint[], $7::text[]) WITH ORDINALITY
        AS l (product_id, vendor_id, title, quantity, unit_price_minor, currency, line)
"""

_ORDERS: Final = """
    SELECT id, account_id, external_id, body_hash, status, placed_at, cancelled_at FROM catalog.orders
"""
BY_NUMBER: Final = f"""
    -- A channel's order by the channel's number.
    {_ORDERS} WHERE account_id = $1 AND external_id = $2
"""
ONE: Final = f"""
    -- A channel's order.
    {_ORDERS} WHERE id = $2 AND account_id = $1
"""
LINES: Final = """
    -- The lines of an order.
    SELECT product_id, vendor_id, title, quantity, unit_price_minor, currency FROM catalog.order_lines
    WHERE order_id = $1 ORDER BY line
"""
CANCEL: Final = """
    -- Cancel if it is not; no row back if it was, or is not the channel's.
    UPDATE catalog.orders SET status = 'cancelled', cancelled_at = now()
    WHERE id = $1 AND account_id = $2 AND status = 'placed'
    RETURNING cancelled_at
"""


async def insert(
    conn: Connection, order_id: UUID, *, account_id: UUID, external_id: str, fingerprint: bytes, placed_at: datetime
) -> bool:
    """Write an order; False when the channel has one of this number."""
    return await conn.fetchval(INSERT, order_id, account_id, external_id, fingerprint, placed_at) is not None


async def insert_lines(conn: Connection, order_id: UUID, lines: Sequence[Line]) -> None:
    """Write what was sold."""
    await conn.execute(
        INSERT_LINES,
        order_id,
        [line.product_id for line in lines],
        [line.vendor_id for line in lines],
        [line.title for line in lines],
        [line.quantity for line in lines],
        [line.unit_price.amount_minor for line in lines],
        [line.unit_price.currency for line in lines],
    )


async def by_number(conn: Connection, account_id: UUID, external_id: str) -> Order | None:
    """A channel's order by its number there."""
    return await _order(conn, BY_NUMBER, account_id, external_id)


async def one(conn: Connection, account_id: UUID, order_id: UUID) -> Order | None:
    """A channel's order."""
    return await _order(conn, ONE, account_id, order_id)


async def cancel(conn: Connection, order_id: UUID, *, account_id: UUID) -> bool:
    """Cancel an order; False when it is not this channel's or was cancelled before."""
    return await conn.fetchval(CANCEL, order_id, account_id) is not None


async def _order(conn: Connection, statement: str, *arguments: object) -> Order | None:
    row = await conn.fetchrow(statement, *arguments)
    if row is None:
        return None
    return Order(
        id=row["id"],
        account_id=row["account_id"],
        external_id=row["external_id"],
        fingerprint=row["body_hash"],
        status=OrderStatus(row["status"]),
        placed_at=row["placed_at"],
        cancelled_at=row["cancelled_at"],
        lines=tuple(
            Line(
                product_id=line["product_id"],
                vendor_id=line["vendor_id"],
                title=line["title"],
                quantity=line["quantity"],
                unit_price=Money(amount_minor=line["unit_price_minor"], currency=line["currency"]),
            )
            for line in await conn.fetch(LINES, row["id"])
        ),
    )
