"""The SQL of live feeds."""

from collections.abc import Sequence
from typing import Final

from shared.db.pool import Connection

LIVING_SESSIONS: Final = """
    -- Which of these sessions still hold.
    SELECT s.token_hash FROM catalog.sessions s JOIN catalog.accounts a ON a.id = s.account_id
    WHERE s.token_hash = ANY($1::bytea[]) AND s.expires_at > now() AND s.revoked_at IS NULL AND a.status = 'active'
"""


async def living_sessions(conn: Connection, token_hashes: Sequence[bytes]) -> set[bytes]:
    """Which of these sessions still hold."""
    return {row["token_hash"] for row in await conn.fetch(LIVING_SESSIONS, token_hashes)}
