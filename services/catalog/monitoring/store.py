"""The SQL of monitoring."""

from typing import Final

from shared.db.pool import Connection

OLDEST_UNSENT: Final = """
    -- Age in seconds of the oldest event that still waits for the relay, by the index of unsent rows.
    SELECT extract(epoch FROM clock_timestamp() - created_at)::float8
    FROM catalog.outbox WHERE sent_at IS NULL ORDER BY seq LIMIT 1
"""


async def oldest_unsent_seconds(conn: Connection) -> float:
    """How long the oldest unsent event of the catalog's outbox has waited; 0 when none does."""
    seconds: float | None = await conn.fetchval(OLDEST_UNSENT)
    return max(0.0, seconds or 0.0)
