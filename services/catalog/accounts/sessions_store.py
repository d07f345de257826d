"""All SQL of sessions. Every function takes the caller's connection."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from services.catalog.accounts.models import NewSession, Session, SessionProof
from services.catalog.accounts.store import identity_of
from shared.db.pool import Connection

ADD: Final = """
    -- A new session.
    INSERT INTO catalog.sessions (id, account_id, token_hash, csrf_token, expires_at, address, user_agent)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
FIND: Final = """
    -- Whom a session stands for, while it holds.
    SELECT s.id AS session_id, s.csrf_token, s.last_used_at > now() - interval '10 minutes' AS is_use_noted,
           a.id, a.role, a.vendor_id, a.is_owner, a.one_time_until IS NOT NULL AS has_one_time_password
    FROM catalog.sessions s JOIN catalog.accounts a ON a.id = s.account_id
    WHERE s.token_hash = $1 AND s.expires_at > now() AND s.revoked_at IS NULL AND a.status = 'active'
"""
NOTE_USE: Final = """
    -- The session is in use; of several requests that see it at once, one writes.
    UPDATE catalog.sessions SET last_used_at = now() WHERE id = $1 AND last_used_at < now() - interval '10 minutes'
"""
LIST: Final = """
    -- An account's sessions that hold, newest first, below a position.
    SELECT id, address, user_agent, created_at, last_used_at, expires_at FROM catalog.sessions
    WHERE account_id = $1 AND expires_at > now() AND revoked_at IS NULL AND id < $2 ORDER BY id DESC LIMIT $3
"""
SIGN_OUT: Final = """
    -- End the session of a token. Safe to repeat.
    UPDATE catalog.sessions SET revoked_at = now() WHERE token_hash = $1 AND revoked_at IS NULL
"""
REVOKE: Final = """
    -- End one of an account's own sessions; no row back if there is none to end.
    UPDATE catalog.sessions SET revoked_at = now()
    WHERE id = $1 AND account_id = $2 AND expires_at > now() AND revoked_at IS NULL RETURNING id
"""
REVOKE_ALL: Final = """
    -- End every session of an account but perhaps one.
    UPDATE catalog.sessions SET revoked_at = now()
    WHERE account_id = $1 AND id IS DISTINCT FROM $2 AND revoked_at IS NULL
"""
PRUNE: Final = """
    -- Forget sessions that ended a day ago.
    DELETE FROM catalog.sessions WHERE expires_at < now() - interval '1 day'
"""


async def add(conn: Connection, session: NewSession, *, token_hash: bytes) -> None:
    """Store a new session."""
    await conn.execute(
        ADD,
        session.id,
        session.account.id,
        token_hash,
        session.csrf_token,
        session.expires_at,
        session.origin.address,
        session.origin.user_agent,
    )


async def find(conn: Connection, token_hash: bytes) -> SessionProof | None:
    """Whom a session stands for, while it holds."""
    row = await conn.fetchrow(FIND, token_hash)
    if row is None:
        return None
    return SessionProof(
        row["session_id"],
        identity_of(row),
        row["csrf_token"],
        row["is_use_noted"],
        row["is_owner"],
        row["has_one_time_password"],
    )


async def note_use(conn: Connection, session_id: UUID) -> None:
    """Write that a session is in use, at most every ten minutes."""
    await conn.execute(NOTE_USE, session_id)


async def newest(conn: Connection, account_id: UUID, *, below: UUID, limit: int) -> Sequence[Session]:
    """An account's sessions that hold, newest first."""
    return [Session(**row) for row in await conn.fetch(LIST, account_id, below, limit)]


async def revoke_by_token(conn: Connection, token_hash: bytes) -> None:
    """End a session. Safe to repeat."""
    await conn.execute(SIGN_OUT, token_hash)


async def revoke(conn: Connection, session_id: UUID, *, account_id: UUID) -> bool:
    """End one of an account's own sessions; False if there is none to end."""
    return await conn.fetchval(REVOKE, session_id, account_id) is not None


async def revoke_all(conn: Connection, account_id: UUID, *, but: UUID | None = None) -> None:
    """End every session of an account but one."""
    await conn.execute(REVOKE_ALL, account_id, but)


async def prune(conn: Connection) -> None:
    """Forget sessions that are long over."""
    await conn.execute(PRUNE)
