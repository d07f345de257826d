"""All SQL of the caches. Every function takes the caller's connection."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.catalog.cache.floors import Row, Rows
from services.catalog.cache.models import CacheCounts, Mode, Replica, product_row, stock_row, vendor_row
from shared.db.pool import Connection

LIVE_SECONDS: Final = 15
"""A replica that was not seen for longer is not waited for."""

PRODUCT_VERSIONS: Final = """
    -- The versions of all rows a product is shown from.
    SELECT p.version AS product, s.version AS stock, p.vendor_id, v.version AS vendor
    FROM catalog.products p
    JOIN catalog.stock s ON s.product_id = p.id
    JOIN catalog.vendors v ON v.id = p.vendor_id
    WHERE p.id = $1
"""
VENDOR_VERSION: Final = """
    -- The version of a vendor.
    SELECT version FROM catalog.vendors WHERE id = $1
"""
SEEN: Final = """
    -- A replica says that it lives and what its caches did; back come the requests it has not answered.
    WITH seen AS (
        INSERT INTO catalog.cache_replicas (id, name, is_live, caches) VALUES ($1, $2, $3, $4)
        ON CONFLICT (id) DO UPDATE SET seen_at = now(), is_live = excluded.is_live, caches = excluded.caches
    )
    SELECT r.id, r.mode FROM catalog.cache_clear_requests r
    WHERE r.requested_at > now() - interval '1 minute'
        AND NOT EXISTS (SELECT FROM catalog.cache_clear_answers a WHERE a.request_id = r.id AND a.replica_id = $1)
"""
GONE: Final = """
    -- A replica stops: nobody waits for it.
    DELETE FROM catalog.cache_replicas WHERE id = $1
"""
REPLICAS: Final = """
    -- The replicas that live.
    SELECT id, name, seen_at, is_live, caches FROM catalog.cache_replicas
    WHERE seen_at > now() - $1 * interval '1 second' ORDER BY name
"""
LEFT: Final = """
    -- Which of these replicas have stopped in good order. One that was killed is still there.
    SELECT id FROM unnest($1::uuid[]) AS asked (id)
    WHERE NOT EXISTS (SELECT FROM catalog.cache_replicas r WHERE r.id = asked.id)
"""
REQUEST: Final = """
    -- One request for a job, however often it runs; back comes that one.
    WITH made AS (
        INSERT INTO catalog.cache_clear_requests (id, mode, job_id) VALUES ($1, $2, $3)
        ON CONFLICT (job_id) DO NOTHING
        RETURNING id, mode, true AS is_new
    )
    SELECT id, mode, is_new FROM made
    UNION ALL
    SELECT id, mode, false FROM catalog.cache_clear_requests WHERE job_id = $3 AND NOT EXISTS (SELECT FROM made)
"""
ANSWER: Final = """
    -- What a replica did for a request; its first word stands.
    INSERT INTO catalog.cache_clear_answers (request_id, replica_id, name, removed) VALUES ($1, $2, $3, $4)
    ON CONFLICT DO NOTHING
"""
ANSWERS: Final = """
    -- What the replicas did for a request.
    SELECT replica_id, name, removed FROM catalog.cache_clear_answers WHERE request_id = $1
"""
PRUNE: Final = """
    -- Forget replicas that went without a word, and old requests with their answers.
    WITH replicas AS (DELETE FROM catalog.cache_replicas WHERE seen_at < now() - interval '1 day')
    DELETE FROM catalog.cache_clear_requests WHERE requested_at < now() - interval '7 days'
"""
WRITE_EPOCH: Final = """
    -- The epoch of the stream, once.
    INSERT INTO catalog.stream_epochs (epoch) VALUES ($1) ON CONFLICT DO NOTHING
"""
LATEST_EPOCH: Final = """
    -- The epoch written last.
    SELECT epoch FROM catalog.stream_epochs ORDER BY seq DESC LIMIT 1
"""


async def are_current(conn: Connection, rows: Rows) -> bool:
    """Whether the rows are at these versions. One statement."""
    known = {row: version for row, version in rows.items() if version is not None}
    if len(known) < len(rows):
        return False
    product_id = next((identifier for kind, identifier in known if kind in ("product", "stock")), None)
    found: dict[Row, int] = {}
    if isinstance(product_id, UUID):
        record = await conn.fetchrow(PRODUCT_VERSIONS, product_id)
        if record is not None:
            found = {
                product_row(product_id): record["product"],
                stock_row(product_id): record["stock"],
                vendor_row(record["vendor_id"]): record["vendor"],
            }
    else:
        vendor_id = next(identifier for _, identifier in known)
        assert isinstance(vendor_id, UUID)
        found = {vendor_row(vendor_id): await conn.fetchval(VENDOR_VERSION, vendor_id)}
    return all(found.get(row) == version for row, version in known.items())


async def seen(
    conn: Connection, replica_id: UUID, name: str, *, is_live: bool, caches: Mapping[str, CacheCounts]
) -> list[tuple[UUID, Mode]]:
    """Say that a replica lives; the requests it has not answered."""
    counts = {cache: _plain(counted) for cache, counted in caches.items()}
    return [(row["id"], row["mode"]) for row in await conn.fetch(SEEN, replica_id, name, is_live, counts)]


async def gone(conn: Connection, replica_id: UUID) -> None:
    """Forget a replica that stops."""
    await conn.execute(GONE, replica_id)


async def replicas(conn: Connection) -> list[Replica]:
    """The replicas that live."""
    return [_replica(row) for row in await conn.fetch(REPLICAS, LIVE_SECONDS)]


async def left(conn: Connection, replica_ids: Iterable[UUID]) -> set[UUID]:
    """Which of these replicas have stopped since: nobody need wait for them."""
    return {row["id"] for row in await conn.fetch(LEFT, list(replica_ids))}


async def request(conn: Connection, request_id: UUID, mode: Mode, *, job_id: UUID | None) -> tuple[UUID, Mode, bool]:
    """Ask for a cleaning. The request of the job if it has one; whether it is new."""
    row = await conn.fetchrow(REQUEST, request_id, mode, job_id)
    assert row is not None, "it was made or was there"
    return row["id"], row["mode"], row["is_new"]


async def answer(conn: Connection, request_id: UUID, replica_id: UUID, name: str, removed: Mapping[str, int]) -> None:
    """Write down what a replica did."""
    await conn.execute(ANSWER, request_id, replica_id, name, dict(removed))


async def answers(conn: Connection, request_id: UUID) -> dict[UUID, tuple[str, dict[str, int]]]:
    """What the replicas did: their names and counts."""
    rows = await conn.fetch(ANSWERS, request_id)
    return {row["replica_id"]: (row["name"], row["removed"]) for row in rows}


async def prune(conn: Connection) -> None:
    """Forget what is of no use any more."""
    await conn.execute(PRUNE)


async def write_epoch(conn: Connection, epoch: str) -> None:
    """Write down the epoch of the stream."""
    await conn.execute(WRITE_EPOCH, epoch)


async def latest_epoch(conn: Connection) -> str | None:
    """The epoch written last."""
    epoch: str | None = await conn.fetchval(LATEST_EPOCH)
    return epoch


def _plain(counts: CacheCounts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in CacheCounts.__slots__}


def _replica(row: asyncpg.Record) -> Replica:
    caches: Mapping[str, Mapping[str, Any]] = row["caches"]
    return Replica(
        row["id"],
        row["name"],
        row["seen_at"],
        row["is_live"],
        {name: CacheCounts(**counts) for name, counts in caches.items()},
    )
