"""The SQL that only pages need."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.catalog.products.models import Status
from services.catalog.products.store import Filter
from shared.contracts.base import Money
from shared.db.pool import Connection, fetch_planned

COUNTED_AT_MOST: Final = 10_000
"""Beyond it a shelf is full of things and nobody counts."""

SHELVES: Final = """
    -- The shelves in their order, with how many of the newest products on sale that fit the filter are on each.
    SELECT c.slug, c.name, coalesce(found.count, 0) AS count
    FROM catalog.categories c LEFT JOIN (
        SELECT category, count(*) AS count FROM (
            SELECT p.category FROM catalog.products p
            JOIN catalog.vendors v ON v.id = p.vendor_id
            JOIN catalog.stock s ON s.product_id = p.id
            WHERE p.status = 'approved' AND v.status <> 'suspended'
              AND ($2::text IS NULL OR v.slug = $2)
              AND ($3::text IS NULL OR p.title ILIKE $3 OR p.sku ILIKE $3)
              AND ($4::bigint IS NULL OR p.price_minor >= $4)
              AND ($5::bigint IS NULL OR p.price_minor <= $5)
              AND ($6::boolean IS NULL OR (s.on_hand > 0) = $6)
            ORDER BY p.id DESC LIMIT $1
        ) newest GROUP BY category
    ) found ON found.category = c.slug
    ORDER BY c.position
"""
SUGGESTIONS: Final = """
    -- Of some products on sale whose title has these letters: first those that begin with them.
    SELECT title, slug, price_minor, currency FROM (
        SELECT p.title, p.slug, p.price_minor, p.currency
        FROM catalog.products p JOIN catalog.vendors v ON v.id = p.vendor_id
        WHERE p.status = 'approved' AND v.status = 'active' AND p.title ILIKE '%' || $1 || '%' LIMIT 200
    ) found
    ORDER BY title ILIKE $1 || '%' DESC, title LIMIT $2
"""
STATUS_COUNTS: Final = """
    -- How many products a vendor has in each status.
    SELECT status, count(*) AS count FROM catalog.products WHERE vendor_id = $1 GROUP BY status
"""
TODO: Final = """
    -- What waits for a vendor beside its products' statuses: low levels of what is for sale, and pictures that failed.
    SELECT
        (SELECT p.id FROM catalog.images i JOIN catalog.products p ON p.id = i.product_id
         WHERE p.vendor_id = $1 AND p.status <> 'archived' AND i.status = 'failed' ORDER BY p.id DESC LIMIT 1)
            AS newest_with_failed_picture,
        (SELECT count(*) FROM catalog.stock s JOIN catalog.products p ON p.id = s.product_id
         WHERE p.vendor_id = $1 AND p.status = 'approved' AND s.alert_opened_at IS NOT NULL) AS low,
        (SELECT count(DISTINCT p.id) FROM catalog.images i JOIN catalog.products p ON p.id = i.product_id
         WHERE p.vendor_id = $1 AND p.status <> 'archived' AND i.status = 'failed') AS failed_pictures
"""
ON_SALE: Final = """
    -- How many products some vendors have on sale.
    SELECT vendor_id, count(*) AS count FROM catalog.products
    WHERE vendor_id = ANY($1::uuid[]) AND status = 'approved' GROUP BY vendor_id
"""
NAMES: Final = """
    -- What some people are called, whether they may still sign in or not.
    SELECT id, name FROM catalog.accounts WHERE id = ANY($1::uuid[])
"""

FAILING_SOURCES: Final = """
    -- A vendor's stock sources that give nothing usable.
    SELECT id, name, coalesce(problem, '') AS problem FROM catalog.sync_sources
    WHERE vendor_id = $1 AND is_failing AND is_enabled ORDER BY name LIMIT $2
"""

LAST_RUNS: Final = """
    -- When each of a vendor's stock sources last began a run.
    SELECT s.id, r.created_at FROM catalog.sync_sources s CROSS JOIN LATERAL (
        SELECT created_at FROM catalog.sync_runs WHERE source_id = s.id ORDER BY id DESC LIMIT 1
    ) r WHERE s.vendor_id = $1
"""


@dataclass(frozen=True, slots=True)
class Shelf:
    """A category and how much is on it."""

    slug: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A product whose title fits what is being typed."""

    title: str
    slug: str
    price: Money


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a vendor beside its products' statuses, in products."""

    low: int
    failed_pictures: int
    newest_with_failed_picture: UUID | None


@dataclass(frozen=True, slots=True)
class FailingSource:
    """A stock source that gives nothing usable, and why."""

    id: UUID
    name: str
    problem: str


async def shelves(conn: Connection, wanted: Filter) -> list[Shelf]:
    """All shelves with what fits a filter; its category is not asked for, so that others can be chosen instead."""
    rows = await fetch_planned(
        conn,
        SHELVES,
        COUNTED_AT_MOST,
        wanted.vendor,
        wanted.pattern,
        wanted.min_price,
        wanted.max_price,
        wanted.in_stock,
    )
    return [Shelf(**row) for row in rows]


async def suggestions(conn: Connection, letters: str, *, limit: int) -> Sequence[Suggestion]:
    """Products for some letters of their titles. `letters` is literal text for ILIKE, its wildcards escaped."""
    rows = await conn.fetch(SUGGESTIONS, letters, limit)
    return [
        Suggestion(row["title"], row["slug"], Money(amount_minor=row["price_minor"], currency=row["currency"]))
        for row in rows
    ]


async def status_counts(conn: Connection, vendor_id: UUID) -> Mapping[Status, int]:
    """How many products a vendor has in each status."""
    return {Status(row["status"]): row["count"] for row in await conn.fetch(STATUS_COUNTS, vendor_id)}


async def waiting(conn: Connection, vendor_id: UUID) -> Waiting:
    """What waits for a vendor."""
    row = await conn.fetchrow(TODO, vendor_id)
    assert row is not None, "it has no condition"
    return Waiting(**row)


async def names(conn: Connection, ids: Collection[UUID]) -> Mapping[UUID, str]:
    """What people are called. Of none, no statement."""
    return {row["id"]: row["name"] for row in await conn.fetch(NAMES, list(ids))} if ids else {}


async def failing_sources(conn: Connection, vendor_id: UUID, *, limit: int) -> Sequence[FailingSource]:
    """A vendor's stock sources that give nothing usable."""
    return [FailingSource(**row) for row in await conn.fetch(FAILING_SOURCES, vendor_id, limit)]


async def on_sale(conn: Connection, vendors: Collection[UUID]) -> Mapping[UUID, int]:
    """How many products vendors have on sale; who has none is not in it."""
    return {row["vendor_id"]: row["count"] for row in await conn.fetch(ON_SALE, list(vendors))}


async def last_runs(conn: Connection, vendor_id: UUID) -> Mapping[UUID, datetime]:
    """When each of a vendor's stock sources last began a run; one that never did is not there."""
    return {row["id"]: row["created_at"] for row in await conn.fetch(LAST_RUNS, vendor_id)}
