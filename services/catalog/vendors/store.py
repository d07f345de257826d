"""All SQL of vendors."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.catalog.errors import SlugTaken
from services.catalog.vendors.models import Changes, Vendor, VendorStatus
from shared.db.pool import Connection

ADD: Final = """
    -- A new vendor, active at version 1.
    INSERT INTO catalog.vendors (id, slug, name, profile, time_zone) VALUES ($1, $2, $3, $4, $5)
    RETURNING id, slug, name, profile, time_zone, status, version, created_at, updated_at
"""
FIND: Final = """
    -- One vendor, whatever its status.
    SELECT id, slug, name, profile, time_zone, status, version, created_at, updated_at
    FROM catalog.vendors WHERE id = $1
"""
FIND_BY_SLUG: Final = """
    -- One vendor by its slug, whatever its status.
    SELECT id, slug, name, profile, time_zone, status, version, created_at, updated_at
    FROM catalog.vendors WHERE slug = $1
"""
LIST: Final = """
    -- Vendors below a position, newest first.
    SELECT id, slug, name, profile, time_zone, status, version, created_at, updated_at
    FROM catalog.vendors WHERE id < $1 ORDER BY id DESC LIMIT $2
"""
LIST_OF_STATUS: Final = """
    -- Vendors of one status below a position, newest first.
    SELECT id, slug, name, profile, time_zone, status, version, created_at, updated_at
    FROM catalog.vendors WHERE status = $3 AND id < $1 ORDER BY id DESC LIMIT $2
"""
CHANGE: Final = """
    -- Change what is given, if the row is still at the version the caller read; no row back if it is not.
    UPDATE catalog.vendors
    SET name = coalesce($3, name), slug = coalesce($4, slug), profile = coalesce($5, profile),
        time_zone = coalesce($6, time_zone), version = version + 1, updated_at = now()
    WHERE id = $1 AND version = $2
    RETURNING id, slug, name, profile, time_zone, status, version, created_at, updated_at
"""
SET_STATUS: Final = """
    -- Suspend or reinstate, if it is not so already; no row back if it is.
    UPDATE catalog.vendors SET status = $2, version = version + 1, updated_at = now()
    WHERE id = $1 AND status <> $2
    RETURNING id, slug, name, profile, time_zone, status, version, created_at, updated_at
"""


async def add(
    conn: Connection, vendor_id: UUID, *, slug: str, name: str, profile: str, time_zone: str | None = None
) -> Vendor:
    """Store a new vendor. Raises `SlugTaken`."""
    try:
        row = await conn.fetchrow(ADD, vendor_id, slug, name, profile, time_zone)
    except asyncpg.UniqueViolationError as exc:
        raise _taken(slug) from exc
    return _vendor(row)


async def find(conn: Connection, vendor_id: UUID) -> Vendor | None:
    """One vendor, whatever its status."""
    row = await conn.fetchrow(FIND, vendor_id)
    return None if row is None else _vendor(row)


async def find_by_slug(conn: Connection, slug: str) -> Vendor | None:
    """One vendor, whatever its status."""
    row = await conn.fetchrow(FIND_BY_SLUG, slug)
    return None if row is None else _vendor(row)


async def newest(conn: Connection, *, below: UUID, limit: int, status: VendorStatus | None) -> Sequence[Vendor]:
    """Vendors, newest first, of any or one status."""
    if status is None:
        rows = await conn.fetch(LIST, below, limit)
    else:
        rows = await conn.fetch(LIST_OF_STATUS, below, limit, status)
    return [_vendor(row) for row in rows]


async def change(conn: Connection, vendor_id: UUID, changes: Changes, *, expected_version: int) -> Vendor | None:
    """Change what is given; None if there is no such row at this version. Raises `SlugTaken`."""
    try:
        row = await conn.fetchrow(
            CHANGE, vendor_id, expected_version, changes.name, changes.slug, changes.profile, changes.time_zone
        )
    except asyncpg.UniqueViolationError as exc:
        raise _taken(changes.slug) from exc
    return None if row is None else _vendor(row)


async def set_status(conn: Connection, vendor_id: UUID, status: VendorStatus) -> Vendor | None:
    """Suspend or reinstate; None if it is so already, or there is no such vendor."""
    row = await conn.fetchrow(SET_STATUS, vendor_id, status)
    return None if row is None else _vendor(row)


def _vendor(row: Any) -> Vendor:
    return Vendor(**{**row, "status": VendorStatus(row["status"])})


def _taken(slug: str | None) -> SlugTaken:
    return SlugTaken(f"Another vendor has the slug {slug!r}; give another as `slug`.")
