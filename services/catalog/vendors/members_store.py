"""All SQL of a vendor's members. Every function takes the caller's connection."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.catalog.vendors.models import Member
from shared.db.pool import Connection

HOLD: Final = """
    -- One change of a vendor's members at a time.
    SELECT id FROM catalog.vendors WHERE id = $1 FOR NO KEY UPDATE
"""
LIST: Final = """
    -- Everybody who acts for a vendor, the longest there first.
    SELECT id, email, name, is_owner, one_time_until, version, created_at
    FROM catalog.accounts WHERE vendor_id = $1 AND status = 'active' ORDER BY id
"""
FIND: Final = """
    -- One of them.
    SELECT id, email, name, is_owner, one_time_until, version, created_at
    FROM catalog.accounts WHERE id = $2 AND vendor_id = $1 AND status = 'active'
"""
CHANGE: Final = """
    -- Make a member an owner or not, if the row is still at the version the caller read.
    UPDATE catalog.accounts SET is_owner = $4, version = version + 1, updated_at = now()
    WHERE id = $2 AND vendor_id = $1 AND version = $3 AND status = 'active'
    RETURNING id, email, name, is_owner, one_time_until, version, created_at
"""
SET_ONE_TIME: Final = """
    -- Another password in place of one that was lost.
    UPDATE catalog.accounts
    SET password_hash = $3, one_time_until = $4, version = version + 1, updated_at = now()
    WHERE id = $2 AND vendor_id = $1 AND status = 'active'
    RETURNING id, email, name, is_owner, one_time_until, version, created_at
"""
REMOVE: Final = """
    -- Nobody signs in with it any more; what it did stays on record.
    UPDATE catalog.accounts
    SET status = 'disabled', password_hash = NULL, is_owner = false, version = version + 1, updated_at = now()
    WHERE id = $2 AND vendor_id = $1 AND status = 'active'
    RETURNING id, email, name, is_owner, one_time_until, version, created_at
"""
HAS_OWNER: Final = """
    -- Whether anybody is left who can say who acts for the vendor.
    SELECT EXISTS (SELECT FROM catalog.accounts WHERE vendor_id = $1 AND is_owner AND status = 'active')
"""


async def hold(conn: Connection, vendor_id: UUID) -> None:
    """Let no one else change the vendor's members until the transaction ends."""
    await conn.execute(HOLD, vendor_id)


async def everybody(conn: Connection, vendor_id: UUID) -> Sequence[Member]:
    """All members, the longest there first."""
    return [Member(**row) for row in await conn.fetch(LIST, vendor_id)]


async def find(conn: Connection, vendor_id: UUID, member_id: UUID) -> Member | None:
    """One member of this vendor."""
    return _member(await conn.fetchrow(FIND, vendor_id, member_id))


async def change(
    conn: Connection, vendor_id: UUID, member_id: UUID, *, is_owner: bool, expected_version: int
) -> Member | None:
    """Make it an owner or not; None if there is no such member at this version."""
    return _member(await conn.fetchrow(CHANGE, vendor_id, member_id, expected_version, is_owner))


async def set_one_time_password(
    conn: Connection, vendor_id: UUID, member_id: UUID, *, password_hash: str, until: datetime
) -> Member | None:
    """Give it another password; None if there is no such member."""
    return _member(await conn.fetchrow(SET_ONE_TIME, vendor_id, member_id, password_hash, until))


async def remove(conn: Connection, vendor_id: UUID, member_id: UUID) -> Member | None:
    """Let it act no more; None if there is no such member."""
    return _member(await conn.fetchrow(REMOVE, vendor_id, member_id))


async def has_owner(conn: Connection, vendor_id: UUID) -> bool:
    """Whether the vendor has an owner still."""
    return bool(await conn.fetchval(HAS_OWNER, vendor_id))


def _member(row: Any) -> Member | None:
    return None if row is None else Member(**row)
