"""The SQL of monitoring."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.catalog.monitoring.models import Sample
from shared.contracts.events import Measure
from shared.db.measures import MOST_SECONDS
from shared.db.pool import Connection

OLDEST_UNSENT: Final = """
    -- Age in seconds of the oldest event that still waits for the relay, by the index of unsent rows.
    SELECT extract(epoch FROM clock_timestamp() - created_at)::float8
    FROM catalog.outbox WHERE sent_at IS NULL ORDER BY seq LIMIT 1
"""
ADD_SAMPLES: Final = """
    -- Add what a gateway saw to its hour, in the order of the keys: two gateways never wait for each other in a ring.
    INSERT INTO catalog.samples AS known (hour, name, label, count, total, least, most)
    SELECT $1, name, label, count, count * value, value, value
    FROM unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[]) AS s (name, label, count, value)
    ORDER BY name, label
    ON CONFLICT (hour, name, label) DO UPDATE
    SET count = known.count + excluded.count, total = known.total + excluded.total,
        least = least(known.least, excluded.least), most = greatest(known.most, excluded.most)
"""
SAMPLES: Final = """
    -- What gateways saw in a time span of whole hours.
    SELECT name, label, sum(count)::bigint AS count, sum(total)::bigint AS total, min(least) AS least, max(most) AS most
    FROM catalog.samples WHERE hour >= $1 AND hour < $2 GROUP BY name, label ORDER BY name, label
"""
PRUNE_SAMPLES: Final = """
    -- Forget hours that were told long ago: a telling is late by two days at most (shared.db.measures).
    DELETE FROM catalog.samples WHERE hour < now() - interval '3 days'
"""
PRODUCTS_BY_STATUS: Final = """
    -- How many products there are by status, as it stands.
    SELECT status, count(*) AS count FROM catalog.products GROUP BY status ORDER BY status
"""


async def oldest_unsent_seconds(conn: Connection) -> float:
    """How long the oldest unsent event of the catalog's outbox has waited; 0 when none does."""
    seconds: float | None = await conn.fetchval(OLDEST_UNSENT)
    return max(0.0, seconds or 0.0)


async def add_samples(conn: Connection, hour: datetime, samples: Sequence[Sample]) -> None:
    """Add what a gateway saw to an hour."""
    await conn.execute(
        ADD_SAMPLES,
        hour,
        [sample.name for sample in samples],
        [sample.label for sample in samples],
        [sample.count for sample in samples],
        [sample.value for sample in samples],
    )


async def samples(conn: Connection, *, since: datetime, until: datetime) -> list[Measure]:
    """What all gateways saw in a time span."""
    return [Measure(**row) for row in await conn.fetch(SAMPLES, since, until)]


async def prune_samples(conn: Connection) -> None:
    """Forget the samples of hours that were told long ago."""
    await conn.execute(PRUNE_SAMPLES)


async def products_by_status(conn: Connection) -> list[tuple[str, int]]:
    """How many products there are in each status that occurs."""
    return [(row["status"], row["count"]) for row in await conn.fetch(PRODUCTS_BY_STATUS, timeout=MOST_SECONDS)]
