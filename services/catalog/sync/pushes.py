"""A vendor's system tells us: a signed document, kept before it is answered, its zeros applied at once."""

import asyncio
import hmac
import re
import zlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.catalog.sync import runs_store, store
from services.catalog.sync.applying import Applying
from services.catalog.sync.documents import read
from services.catalog.sync.errors import BadSignature, SourceDisabled, SourceNotFound, Unreadable
from services.catalog.sync.models import (
    MICROSECONDS,
    REPLAY_WINDOW_SECONDS,
    Cause,
    Document,
    Run,
    Source,
    SourceKind,
    micros,
    signature,
)
from services.catalog.sync.outcomes import end_badly
from services.catalog.sync.vault import Vault
from shared.clock import Clock
from shared.contracts.events import SyncRequested
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection, transaction
from shared.ids import new_id

MOST_ZEROS_AT_ONCE: Final = 2000
"""Applied while the sender waits; the job does the rest, zeros first."""
_TIMESTAMP: Final = re.compile(r"[0-9]{10}")
_SIGNATURE: Final = re.compile(r"sha256=([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Signed:
    """A push as it came: `timestamp` is Unix seconds, `signature` is `sha256=` and hex."""

    timestamp: str
    signature: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """The run of a push, and whether this very request made it."""

    run: Run
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushes:
    """Takes pushes. The same signed bytes again are the same run."""

    pool: Pool
    outbox: Outbox
    vault: Vault
    applying: Applying
    clock: Clock

    async def take(self, source_id: UUID, push: Signed) -> Taken:
        """Keep a push and apply its zeros; the rest follows as a job.

        Raises `SourceNotFound`, `BadSignature`, `SourceDisabled`, and `Unreadable` for a document that is none: that
        is a bad run. Once this returns no crash loses the document.
        """
        async with connection(self.pool) as conn:
            source = await store.one(conn, source_id)
        if source is None or source.kind is not SourceKind.PUSH:
            raise SourceNotFound
        mac = self._checked(source, push)
        if not source.is_enabled:
            raise SourceDisabled
        # As old as it was signed; of one second, in the order of arrival.
        fallback = int(push.timestamp) * MICROSECONDS + micros(self.clock()) % MICROSECONDS
        try:
            document = await asyncio.to_thread(read, push.body, source.format, source.layout, fallback=fallback)
        except Unreadable as bad:
            await self._refused(source, mac, bad)
            raise
        taken = await self._kept(source, mac, push.body, fallback)
        if taken.is_new:
            await self._apply_zeros(source, taken.run.id, document)
        return taken

    def _checked(self, source: Source, push: Signed) -> bytes:
        """The push's MAC, once it is proved. The comparison takes the same time wherever it differs."""
        assert source.sealed is not None, "by constraint"
        secret = self.vault.open(source.sealed, source_id=source.id)
        given = _SIGNATURE.fullmatch(push.signature)
        mac = signature(secret, push.timestamp, push.body)
        is_proved = hmac.compare_digest(mac, bytes.fromhex(given[1] if given else "00" * 32))
        if given is None or not is_proved or not _TIMESTAMP.fullmatch(push.timestamp):
            raise BadSignature("The signature is not that of these bytes and this time stamp.")
        if abs(int(push.timestamp) - self.clock().timestamp()) > REPLAY_WINDOW_SECONDS:
            raise BadSignature(f"The time stamp is more than {REPLAY_WINDOW_SECONDS} s from our clock.")
        return mac

    async def _kept(self, source: Source, mac: bytes, body: bytes, fallback: int) -> Taken:
        async with transaction(self.pool) as conn:
            run = await runs_store.insert(
                conn, new_id(), source.id, Cause.PUSH, body=zlib.compress(body, 1), signature=mac, fallback=fallback
            )
            if run is None:
                known = await runs_store.by_signature(conn, source.id, mac)
                assert known is not None, "found by the conflict"
                return Taken(known, is_new=False)
            asked = SyncRequested(vendor_id=source.vendor_id, source_id=source.id, run_id=run.id)
            await self.outbox.add(conn, asked)
            return Taken(run, is_new=True)

    async def _apply_zeros(self, source: Source, run_id: UUID, document: Document) -> None:
        matching = await self.applying.matched(source, document)
        zeros = [row for row in matching.rows[:MOST_ZEROS_AT_ONCE] if row.quantity == 0]
        await self.applying.apply(source, run_id, zeros)

    async def _refused(self, source: Source, mac: bytes, bad: Unreadable) -> None:
        """Keep a bad push as a bad run of the source, once."""
        async with transaction(self.pool) as conn:
            run = await runs_store.insert(conn, new_id(), source.id, Cause.PUSH, signature=mac)
            if run is not None:
                await end_badly(conn, self.outbox, source.id, run.id, bad.detail, now=self.clock())
