"""What must hold of sales after anything that happened: reporting's daily figures are those of the catalog's orders."""

from collections.abc import Mapping
from datetime import date
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from services.reporting import store
from services.reporting.models import Period
from shared.db.pool import Connection

UTC: Final = ZoneInfo("UTC")
ORDERED: Final = """
    -- What channels ordered and took back, by vendor, day and currency.
    SELECT l.vendor_id, (o.placed_at AT TIME ZONE 'UTC')::date AS day, l.currency,
           sum(l.quantity * l.unit_price_minor)::bigint AS gross,
           coalesce(sum(l.quantity * l.unit_price_minor) FILTER (WHERE o.status = 'cancelled'), 0)::bigint AS cancelled
    FROM catalog.orders o JOIN catalog.order_lines l ON l.order_id = o.id
    GROUP BY 1, 2, 3
"""
Amounts = Mapping[tuple[date, str], tuple[int, int]]
"""Gross and cancelled by day and currency."""


async def sales_disagreements(conn: Connection) -> list[str]:
    """Where the two differ, of each vendor and of all; empty where nowhere. `conn` may read both schemas."""
    ordered: dict[UUID | None, dict[tuple[date, str], tuple[int, int]]] = {None: {}}
    for row in await conn.fetch(ORDERED):
        key, amounts = (row["day"], row["currency"]), (row["gross"], row["cancelled"])
        ordered.setdefault(row["vendor_id"], {})[key] = amounts
        gross, cancelled = ordered[None].get(key, (0, 0))
        ordered[None][key] = (gross + amounts[0], cancelled + amounts[1])
    if not ordered[None]:
        return []
    days = [day for day, _ in ordered[None]]
    period = Period(min(days), max(days), UTC)
    found = {vendor_id: await _counted(conn, period, vendor_id) for vendor_id in ordered}
    return [
        f"{vendor_id or 'the marketplace'} sold {ordered[vendor_id]}, reported are {found[vendor_id]}"
        for vendor_id in ordered
        if found[vendor_id] != ordered[vendor_id]
    ]


async def _counted(conn: Connection, period: Period, vendor_id: UUID | None) -> Amounts:
    """As `daily_sales` has them."""
    return {
        (row.day, row.currency): (row.gross, row.cancelled)
        for row in await store.sales(conn, period, vendor_id)
        if row.day is not None and row.currency is not None
    }
