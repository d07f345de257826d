"""All SQL of accounts and API keys. Every function takes the caller's connection."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.catalog.accounts.errors import EmailTaken
from services.catalog.accounts.models import Account, ApiKey, Contact, KeyProof, Scope
from shared.db.pool import Connection
from shared.web.identity import Identity, Role

ADD_ACCOUNT: Final = """
    -- A new account at version 1.
    INSERT INTO catalog.accounts (id, email, name, role, vendor_id, password_hash, is_owner, one_time_until)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
FIND_ACCOUNT: Final = """
    -- One active account.
    SELECT id, email, name, role, vendor_id, version, is_owner
    FROM catalog.accounts WHERE id = $1 AND status = 'active'
"""
FIND_SIGN_IN: Final = """
    -- The active account of an address, and its password, unless that was for one time and is too old.
    SELECT id, email, name, role, vendor_id, version, is_owner,
           CASE WHEN one_time_until IS NULL OR one_time_until > now() THEN password_hash END AS password_hash
    FROM catalog.accounts WHERE lower(email) = lower($1) AND status = 'active'
"""
FIND_HASH: Final = """
    -- The password of one active account.
    SELECT password_hash FROM catalog.accounts WHERE id = $1 AND status = 'active'
"""
CHANGE_ACCOUNT: Final = """
    -- Change what is given, if the row is still at the version the caller read; no row back if it is not.
    UPDATE catalog.accounts
    SET name = coalesce($3, name), email = coalesce($4, email), password_hash = coalesce($5, password_hash),
        one_time_until = CASE WHEN $5::text IS NULL THEN one_time_until END,
        version = version + 1, updated_at = now()
    WHERE id = $1 AND version = $2 AND status = 'active'
    RETURNING id, email, name, role, vendor_id, version, is_owner
"""
ADMIN_CONTACTS: Final = """
    -- Every active administrator.
    SELECT id AS account_id, email, name, version FROM catalog.accounts
    WHERE role = 'admin' AND status = 'active' AND email IS NOT NULL ORDER BY id
"""
VENDOR_CONTACTS: Final = """
    -- Every active account of one vendor.
    SELECT id AS account_id, email, name, version FROM catalog.accounts
    WHERE vendor_id = $1 AND status = 'active' AND email IS NOT NULL ORDER BY id
"""
ADD_KEY: Final = """
    -- A new API key.
    INSERT INTO catalog.api_keys (id, account_id, name, prefix, secret_hash, scope, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    RETURNING id, name, prefix, scope, created_at, last_used_at, expires_at
"""
LIST_KEYS: Final = """
    -- An account's keys that are not revoked, newest first, below a position.
    SELECT id, name, prefix, scope, created_at, last_used_at, expires_at
    FROM catalog.api_keys WHERE account_id = $1 AND revoked_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3
"""
FIND_KEY: Final = """
    -- What it takes to check a key, while it holds.
    SELECT k.id AS key_id, k.secret_hash, k.scope, k.expires_at, a.id, a.role, a.vendor_id, a.is_owner,
           coalesce(k.last_used_at > now() - interval '10 minutes', false) AS is_use_noted
    FROM catalog.api_keys k JOIN catalog.accounts a ON a.id = k.account_id
    WHERE k.prefix = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
      AND a.status = 'active'
"""
NOTE_KEY_USE: Final = """
    -- The key is in use; of several replicas that see it at once, one writes.
    UPDATE catalog.api_keys SET last_used_at = now()
    WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '10 minutes')
"""
FIND_OWN_KEY: Final = """
    -- One key of an account, revoked or not.
    SELECT id, name, prefix, scope, created_at, last_used_at, expires_at
    FROM catalog.api_keys WHERE id = $1 AND account_id = $2
"""
REVOKE_KEY: Final = """
    -- Revoke an account's own key; no row back if there is none to revoke.
    UPDATE catalog.api_keys SET revoked_at = now() WHERE id = $1 AND account_id = $2 AND revoked_at IS NULL
    RETURNING prefix
"""
REVOKE_KEYS: Final = """
    -- Revoke all keys of an account.
    UPDATE catalog.api_keys SET revoked_at = now() WHERE account_id = $1 AND revoked_at IS NULL RETURNING prefix
"""


async def add_account(
    conn: Connection, account: Account, *, password_hash: str | None, one_time_until: datetime | None = None
) -> None:
    """Store a new account, its password good until then or for good. Raises `EmailTaken`."""
    try:
        await conn.execute(
            ADD_ACCOUNT,
            account.id,
            account.email,
            account.name,
            account.role,
            account.vendor_id,
            password_hash,
            account.is_owner,
            one_time_until,
        )
    except asyncpg.UniqueViolationError as exc:
        raise EmailTaken("Another account has this address.") from exc


async def find_account(conn: Connection, account_id: UUID) -> Account | None:
    """An active account."""
    row = await conn.fetchrow(FIND_ACCOUNT, account_id)
    return None if row is None else _account(row)


async def find_sign_in(conn: Connection, email: str) -> tuple[Account, str | None] | None:
    """The active account of an address with its password hash."""
    row = await conn.fetchrow(FIND_SIGN_IN, email)
    return None if row is None else (_account(row), row["password_hash"])


async def find_password(conn: Connection, account_id: UUID) -> str | None:
    """The password hash of an active account."""
    stored: str | None = await conn.fetchval(FIND_HASH, account_id)
    return stored


async def change_account(
    conn: Connection,
    account_id: UUID,
    *,
    expected_version: int,
    name: str | None,
    email: str | None,
    password_hash: str | None,
) -> Account | None:
    """Change what is not None; None back if the version is another. Raises `EmailTaken`."""
    try:
        row = await conn.fetchrow(CHANGE_ACCOUNT, account_id, expected_version, name, email, password_hash)
    except asyncpg.UniqueViolationError as exc:
        raise EmailTaken("Another account has this address.") from exc
    return None if row is None else _account(row)


async def admin_contacts(conn: Connection) -> Sequence[Contact]:
    """Every administrator."""
    return [Contact(**row) for row in await conn.fetch(ADMIN_CONTACTS)]


async def vendor_contacts(conn: Connection, vendor_id: UUID) -> Sequence[Contact]:
    """Everybody of a vendor."""
    return [Contact(**row) for row in await conn.fetch(VENDOR_CONTACTS, vendor_id)]


async def add_key(
    conn: Connection,
    identifier: UUID,
    account_id: UUID,
    *,
    name: str,
    prefix: str,
    secret_hash: bytes,
    scope: Scope,
    expires_at: datetime | None,
) -> ApiKey:
    """Store a new key."""
    row = await conn.fetchrow(ADD_KEY, identifier, account_id, name, prefix, secret_hash, scope, expires_at)
    assert row is not None
    return _key(row)


async def list_keys(conn: Connection, account_id: UUID, *, below: UUID, limit: int) -> Sequence[ApiKey]:
    """An account's keys, newest first."""
    return [_key(row) for row in await conn.fetch(LIST_KEYS, account_id, below, limit)]


async def find_own_key(conn: Connection, key_id: UUID, *, account_id: UUID) -> ApiKey | None:
    """One key of an account, revoked or not."""
    row = await conn.fetchrow(FIND_OWN_KEY, key_id, account_id)
    return None if row is None else _key(row)


async def find_key(conn: Connection, prefix: str) -> KeyProof | None:
    """What it takes to check a key, while it holds."""
    row = await conn.fetchrow(FIND_KEY, prefix)
    if row is None:
        return None
    return KeyProof(
        row["key_id"],
        row["secret_hash"],
        identity_of(row),
        Scope(row["scope"]),
        row["expires_at"],
        row["is_use_noted"],
        row["is_owner"],
    )


async def note_key_use(conn: Connection, key_id: UUID) -> None:
    """Write that a key is in use, at most every ten minutes."""
    await conn.execute(NOTE_KEY_USE, key_id)


async def revoke_key(conn: Connection, key_id: UUID, *, account_id: UUID) -> str | None:
    """Revoke an account's own key; its prefix, or None if there is none to revoke."""
    prefix: str | None = await conn.fetchval(REVOKE_KEY, key_id, account_id)
    return prefix


async def revoke_keys(conn: Connection, account_id: UUID) -> Sequence[str]:
    """Revoke all of an account's keys; their prefixes."""
    return [row["prefix"] for row in await conn.fetch(REVOKE_KEYS, account_id)]


def _account(row: Any) -> Account:
    return Account(
        row["id"], row["email"], row["name"], Role(row["role"]), row["vendor_id"], row["version"], row["is_owner"]
    )


def identity_of(row: Any) -> Identity:
    """Of a row with an account's `id`, `role` and `vendor_id`."""
    return Identity(row["id"], Role(row["role"]), row["vendor_id"])


def _key(row: Any) -> ApiKey:
    return ApiKey(**{**row, "scope": Scope(row["scope"])})
