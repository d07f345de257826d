"""The SQL of shares that all gateways count together."""

from datetime import timedelta
from typing import Final

from services.catalog.limits.models import WINDOW_SECONDS, Policy
from shared.db.pool import Connection

TAKE: Final = """
    -- Take up to $4 of a share: each moves the time at which it is whole again by $3, at most to the window's end ($5).
    INSERT INTO catalog.shares AS share (subject, cost, taken, whole_at)
    VALUES ($1, $2, $4::int, now() + $4::int * $3::interval)
    ON CONFLICT (subject, cost) DO UPDATE SET (taken, whole_at) = (
        SELECT n, base + n * $3::interval
        FROM (SELECT base, greatest(0, least($4::int, floor(
                  extract(epoch FROM now() + $5::interval - base) / extract(epoch FROM $3::interval) + 0.5)::int)) AS n
              FROM (SELECT greatest(share.whole_at, now()) AS base) AS held) AS wanted)
    RETURNING taken, extract(epoch FROM whole_at - now())::float8 AS behind
"""
PRUNE: Final = """
    -- A share that is whole is as good as none.
    DELETE FROM catalog.shares WHERE whole_at < now()
"""


async def take(conn: Connection, subject: str, policy: Policy, *, wanted: int) -> tuple[int, float]:
    """How many were to be had, and in how many seconds the share is whole then."""
    spacing, window = timedelta(seconds=policy.spacing_seconds), timedelta(seconds=WINDOW_SECONDS)
    row = await conn.fetchrow(TAKE, subject, policy.cost.value, spacing, wanted, window)
    assert row is not None, "it is made or changed"
    return row["taken"], row["behind"]


async def prune(conn: Connection) -> None:
    """Forget shares that are whole."""
    await conn.execute(PRUNE)
