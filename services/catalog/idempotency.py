"""`Idempotency-Key`: a POST that creates may be sent again, and makes one thing.

The key's row is written in the transaction of the effect, so both exist or neither; while that transaction is open
an advisory lock keeps a second sender out. What is kept is which object was made: a replay answers with that object
as it is now.
"""

import hashlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from aiohttp import web
from prometheus_client import Counter

from shared.db.pool import Connection
from shared.errors import Conflict, FieldError, InvalidInput

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = {"Idempotent-Replayed": "true"}
"""Headers of an answer that made nothing new."""
MAX_KEY_CHARS: Final = 200

REPEATED: Final = Counter(
    "souk_repeated_requests",
    "Requests whose Idempotency-Key came before: done (answered again), in_hand, other.",
    ["was"],
)

LOCK: Final = """
    -- One at a time for an account's key, until the transaction ends.
    SELECT pg_try_advisory_xact_lock(hashtextextended($1::uuid::text || ' ' || $2, 0))
"""
FIND: Final = """
    -- What this key made in the last 24 hours.
    SELECT fingerprint, object_id FROM catalog.idempotency_keys
    WHERE account_id = $1 AND key = $2 AND created_at > now() - interval '24 hours'
"""
KEEP: Final = """
    -- Note what was made; a row over 24 hours old is written over.
    INSERT INTO catalog.idempotency_keys AS known (account_id, key, fingerprint, object_id) VALUES ($1, $2, $3, $4)
    ON CONFLICT (account_id, key) DO UPDATE
    SET fingerprint = excluded.fingerprint, object_id = excluded.object_id, created_at = now()
"""
PRUNE: Final = """
    -- Forget what no replay can ask for.
    DELETE FROM catalog.idempotency_keys WHERE created_at < now() - interval '24 hours'
"""


class KeyInFlight(Conflict):
    """The first request with this key is still being worked on; send it again in a moment."""

    code = "idempotency_key_in_flight"


class KeyReused(InvalidInput):
    """The key was used with another body or address; make a new key for a new thing."""

    code = "idempotency_key_reused"


@dataclass(frozen=True, slots=True)
class OnceKey:
    """One sender's key and SHA-256 of what was asked with it."""

    account_id: UUID
    key: str
    fingerprint: bytes


async def once_key(request: web.Request, account_id: UUID) -> OnceKey | None:
    """The key of a request, if it has one. Raises `InvalidInput` for one that is empty or too long."""
    if HEADER not in request.headers:
        return None
    return once_key_for(request, account_id, await request.read())


def once_key_for(request: web.Request, account_id: UUID, body: bytes) -> OnceKey | None:
    """The same for a body that was read as a stream: `body` is what tells it from another."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 1 <= len(key) <= MAX_KEY_CHARS or not (key.isascii() and key.isprintable()):
        wrong = FieldError("", "idempotency_key", f"1 to {MAX_KEY_CHARS} printable ASCII characters")
        raise InvalidInput(f"The {HEADER} header does not fit.", errors=[wrong])
    asked = b"\x00".join((request.method.encode(), request.raw_path.encode(), body))
    return OnceKey(account_id, key, hashlib.sha256(asked).digest())


async def made_before(conn: Connection, once: OnceKey | None) -> UUID | None:
    """First thing in the effect's transaction: the object this key already made. Raises `KeyInFlight`, `KeyReused`."""
    if once is None:
        return None
    if not await conn.fetchval(LOCK, once.account_id, once.key):
        REPEATED.labels("in_hand").inc()
        raise KeyInFlight("The first request with this key is still in hand.")
    row = await conn.fetchrow(FIND, once.account_id, once.key)
    if row is None:
        return None
    if row["fingerprint"] != once.fingerprint:
        REPEATED.labels("other").inc()
        raise KeyReused("This key was used for another request.")
    REPEATED.labels("done").inc()
    made: UUID = row["object_id"]
    return made


async def keep(conn: Connection, once: OnceKey | None, object_id: UUID) -> None:
    """Last thing in the effect's transaction: note what was made."""
    if once is not None:
        await conn.execute(KEEP, once.account_id, once.key, once.fingerprint, object_id)


async def prune(conn: Connection) -> None:
    """Forget keys over 24 hours old."""
    await conn.execute(PRUNE)
