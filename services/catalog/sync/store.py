"""All SQL about stock sources. Every function takes the caller's connection."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.catalog.sync.errors import NameTaken
from services.catalog.sync.models import Format, Layout, Source, SourceKind
from shared.db.pool import Connection
from shared.ids import id_at

MAX_SOURCES: Final = 50
"""That one vendor may have."""

_COLUMNS: Final = """
    id, vendor_id, name, kind, format, layout, url, sealed, interval_seconds, is_enabled, failures, is_failing,
    problem, etag, applied_at, next_run_at, version, created_at, updated_at
"""
INSERT: Final = f"""
    -- A new source. Its first run is due at once if it has an interval.
    INSERT INTO catalog.sync_sources
        (id, vendor_id, name, kind, format, layout, url, sealed, interval_seconds, is_enabled, next_run_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::int, $10,
            CASE WHEN $9::int IS NOT NULL AND $10 THEN now() END)
    RETURNING {_COLUMNS}
"""  # noqa: S608 - constants
COUNT: Final = """
    -- How many a vendor has.
    SELECT count(*) FROM catalog.sync_sources WHERE vendor_id = $1
"""
ONE: Final = f"""
    -- A source by its id.
    SELECT {_COLUMNS} FROM catalog.sync_sources WHERE id = $1
"""  # noqa: S608
HOLD: Final = f"""
    -- The same, held until the transaction ends.
    SELECT {_COLUMNS} FROM catalog.sync_sources WHERE id = $1 FOR NO KEY UPDATE
"""  # noqa: S608
OF_VENDOR: Final = f"""
    -- A vendor's sources below a position, newest first.
    SELECT {_COLUMNS} FROM catalog.sync_sources
    WHERE vendor_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3
"""  # noqa: S608
CHANGE: Final = f"""
    -- Everything a vendor can say of a source. It starts anew: what it failed at before counts no more.
    UPDATE catalog.sync_sources
    SET name = $2, format = $3, layout = $4, url = $5, sealed = $6, interval_seconds = $7::int, is_enabled = $8,
        etag = NULL, failures = 0, is_failing = false, problem = NULL,
        next_run_at = CASE WHEN $7::int IS NOT NULL AND $8 THEN now() END,
        version = version + 1, updated_at = now()
    WHERE id = $1
    RETURNING {_COLUMNS}
"""  # noqa: S608
DELETE: Final = """
    -- A source goes with its runs; the movements it made stay.
    DELETE FROM catalog.sync_sources WHERE id = $1
"""
FORGET_ETAG: Final = """
    -- The next document is wanted whole.
    UPDATE catalog.sync_sources SET etag = NULL WHERE id = $1
"""
SUCCEEDED: Final = """
    -- A run was good.
    UPDATE catalog.sync_sources
    SET failures = 0, is_failing = false, problem = NULL, etag = CASE WHEN $2 THEN $3 ELSE etag END,
        applied_at = CASE WHEN $2 THEN $4 ELSE applied_at END
    WHERE id = $1
"""
FAILED: Final = """
    -- A run was bad.
    UPDATE catalog.sync_sources
    SET failures = $2, is_failing = $3, problem = $4, etag = NULL, next_run_at = coalesce($5, next_run_at)
    WHERE id = $1
"""
HAS_NEWER_PRODUCTS: Final = """
    -- Whether the vendor has products younger than an id of a time: rows of theirs may have been unmatched before.
    SELECT EXISTS (SELECT FROM catalog.products WHERE vendor_id = $1 AND id >= $2)
"""
MATCH: Final = """
    -- The products of external SKUs: by the source's own table, else by the vendor's sku. Those without are missing.
    SELECT given.sku, coalesce(named.id, own.id) AS product_id
    FROM unnest($3::text[]) AS given (sku)
    LEFT JOIN catalog.sync_skus known ON known.source_id = $1 AND known.external_sku = given.sku
    LEFT JOIN catalog.products named
        ON named.id = known.product_id AND named.vendor_id = $2 AND named.status <> 'archived'
    LEFT JOIN catalog.products own
        ON known.product_id IS NULL AND own.sku = given.sku AND own.vendor_id = $2 AND own.status <> 'archived'
    WHERE coalesce(named.id, own.id) IS NOT NULL
"""
SKUS: Final = """
    -- What a source calls products, behind a position.
    SELECT known.external_sku, known.product_id, p.sku
    FROM catalog.sync_skus known JOIN catalog.products p ON p.id = known.product_id
    WHERE known.source_id = $1 AND ($2::text IS NULL OR known.external_sku > $2)
    ORDER BY known.external_sku LIMIT $3
"""
SET_SKUS: Final = """
    -- What the source calls these products from now on.
    INSERT INTO catalog.sync_skus (source_id, external_sku, product_id)
    SELECT $1, external_sku, product_id FROM unnest($2::text[], $3::uuid[]) AS m (external_sku, product_id)
    ORDER BY external_sku
    ON CONFLICT (source_id, external_sku) DO UPDATE SET product_id = excluded.product_id
"""
DROP_SKUS: Final = """
    -- These names mean nothing of their own any more.
    DELETE FROM catalog.sync_skus WHERE source_id = $1 AND external_sku = ANY($2::text[])
"""
OWN_SKUS: Final = """
    -- A vendor's products by sku.
    SELECT sku, id FROM catalog.products WHERE vendor_id = $1 AND sku = ANY($2::text[]) AND status <> 'archived'
"""


async def insert(conn: Connection, source: Mapping[str, Any]) -> Source:
    """Write a new source. Raises `NameTaken`."""
    columns = ("id", "vendor_id", "name", "kind", "format", "layout", "url", "sealed", "interval_seconds", "is_enabled")
    try:
        return _source(await conn.fetchrow(INSERT, *(_plain(source[column]) for column in columns)))
    except asyncpg.UniqueViolationError as exc:
        raise NameTaken from exc


async def count(conn: Connection, vendor_id: UUID) -> int:
    """How many sources a vendor has."""
    return int(await conn.fetchval(COUNT, vendor_id))


async def one(conn: Connection, source_id: UUID) -> Source | None:
    """A source."""
    row = await conn.fetchrow(ONE, source_id)
    return None if row is None else _source(row)


async def hold(conn: Connection, source_id: UUID) -> Source | None:
    """A source, held until the transaction ends."""
    row = await conn.fetchrow(HOLD, source_id)
    return None if row is None else _source(row)


async def of_vendor(conn: Connection, vendor_id: UUID, *, below: UUID | None, limit: int) -> list[Source]:
    """A vendor's sources, newest first."""
    return [_source(row) for row in await conn.fetch(OF_VENDOR, vendor_id, below, limit)]


async def change(conn: Connection, source: Source) -> Source:
    """Write all of a source that its vendor can change. Raises `NameTaken`."""
    columns = ("id", "name", "format", "layout", "url", "sealed", "interval_seconds", "is_enabled")
    try:
        return _source(await conn.fetchrow(CHANGE, *(_plain(getattr(source, column)) for column in columns)))
    except asyncpg.UniqueViolationError as exc:
        raise NameTaken from exc


async def delete(conn: Connection, source_id: UUID) -> None:
    """Remove a source with its runs."""
    await conn.execute(DELETE, source_id)


async def forget_etag(conn: Connection, source_id: UUID) -> None:
    """Want the next document whole."""
    await conn.execute(FORGET_ETAG, source_id)


async def succeeded(
    conn: Connection, source_id: UUID, *, is_modified: bool, etag: str | None, applied_at: datetime
) -> None:
    """Note a good run; `etag` is of the document that was applied whole, if it was modified."""
    await conn.execute(SUCCEEDED, source_id, is_modified, etag, applied_at)


async def failed(
    conn: Connection,
    source_id: UUID,
    *,
    failures: int,
    is_failing: bool,
    problem: str,
    next_run_at: datetime | None,
) -> None:
    """Note a bad run."""
    await conn.execute(FAILED, source_id, failures, is_failing, problem, next_run_at)


async def has_newer_products(conn: Connection, vendor_id: UUID, since: datetime) -> bool:
    """Whether the vendor made products since."""
    return bool(await conn.fetchval(HAS_NEWER_PRODUCTS, vendor_id, id_at(since)))


async def match(conn: Connection, source: Source, skus: Sequence[str]) -> dict[str, UUID]:
    """The products of external SKUs; those that have none are missing."""
    rows = await conn.fetch(MATCH, source.id, source.vendor_id, skus)
    return {row["sku"]: row["product_id"] for row in rows}


async def skus(conn: Connection, source_id: UUID, *, behind: str | None, limit: int) -> list[tuple[str, UUID, str]]:
    """What a source calls products: external SKU, product, its own sku."""
    rows = await conn.fetch(SKUS, source_id, behind, limit)
    return [(row["external_sku"], row["product_id"], row["sku"]) for row in rows]


async def set_skus(conn: Connection, source_id: UUID, meant: Mapping[str, UUID]) -> None:
    """Say what a source calls products."""
    await conn.execute(SET_SKUS, source_id, list(meant), list(meant.values()))


async def drop_skus(conn: Connection, source_id: UUID, external: Sequence[str]) -> None:
    """Forget what these mean."""
    await conn.execute(DROP_SKUS, source_id, external)


async def own_skus(conn: Connection, vendor_id: UUID, wanted: Sequence[str]) -> dict[str, UUID]:
    """A vendor's products by sku; those that do not exist are missing."""
    return {row["sku"]: row["id"] for row in await conn.fetch(OWN_SKUS, vendor_id, wanted)}


def _plain(value: Any) -> Any:
    return asdict(value) if isinstance(value, Layout) else value


def _source(row: asyncpg.Record | None) -> Source:
    assert row is not None, "the caller asked for one that is there"
    return Source(
        **{
            **row,
            "kind": SourceKind(row["kind"]),
            "format": Format(row["format"]),
            "layout": Layout(**row["layout"]),
        }
    )
