"""What a `sync-inventory` job does: fetch (or take what was pushed), read, apply, and say how it went.

A source that answers badly is the vendor's trouble, not the job's: the run is `failed`, the job is done and its result
says so. What fails for reasons of our own (the database, a crash) is raised, and the job is tried again.
"""

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson
from pydantic import JsonValue

from services.catalog.sync import runs_store, store
from services.catalog.sync.applying import Applying
from services.catalog.sync.documents import MAX_BYTES, read
from services.catalog.sync.errors import Unreadable
from services.catalog.sync.models import Cause, Document, Format, Run, RunState, Source, SourceKind, micros
from services.catalog.sync.outcomes import PROBLEM_CHARS, end_badly
from services.catalog.sync.vault import Vault
from shared.clock import Clock
from shared.contracts.events import JobFailed
from shared.contracts.jobs import SyncInventory
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection, transaction
from shared.errors import AppError
from shared.messaging.attempt import Attempt
from shared.messaging.delivery import JobCancelled
from shared.outbound import Outbound, RemoteRejected, RemoteTooLarge, RemoteUnavailable, UrlRefused

FETCH_SECONDS: Final = 45.0
"""Well within the job's 120 s: applying 50,000 rows takes the rest."""
BAD_SOURCE: Final = (UrlRefused, RemoteTooLarge, RemoteRejected, RemoteUnavailable, Unreadable)
ACCEPT: Final = {Format.JSON: "application/json", Format.CSV: "text/csv"}


@dataclass(frozen=True, slots=True)
class _Fetched:
    """A document as it came; None if it is what was applied before."""

    body: bytes | None
    fallback: int
    etag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Works at runs. A second copy of the same job finds the run over, or does what is left of it."""

    pool: Pool
    outbox: Outbox
    vault: Vault
    outbound: Outbound
    applying: Applying
    clock: Clock

    async def work(self, job: SyncInventory, attempt: Attempt) -> JsonValue:
        """One run of one source; the result counts its rows."""
        source, run = await self._begun(job, attempt)
        if source is None:
            return {"state": "source_gone"}
        if run is None:  # enqueued by hand: the source is being pulled, or is one that pushes
            return {"state": "nothing_to_do"}
        if run.is_over:
            return result_of(run)
        try:
            fetched = await self._fetch(source, run)
            if fetched.body is None:
                return await self._completed(source, run, fetched)
            document = await asyncio.to_thread(
                read, fetched.body, source.format, source.layout, fallback=fetched.fallback
            )
            await self._apply(source, run, document, attempt)
        except BAD_SOURCE as bad:
            return await self._failed(source, run, bad)
        except JobCancelled:
            async with connection(self.pool) as conn:
                await runs_store.finish(conn, run.id, RunState.CANCELLED, problem="A person cancelled the job.")
            raise
        return await self._completed(source, run, fetched)

    async def job_failed(self, event: JobFailed) -> None:
        """The run of a job that failed for good (a crash, a time-out) is over. Without effect when it is already."""
        if event.job_type != SyncInventory.type:
            return
        try:
            run_id = UUID(event.target)
        except ValueError:  # enqueued by hand: the run has the job's id
            run_id = event.job_id
        async with connection(self.pool) as conn:
            problem = f"The job failed: {event.error_message}"[:PROBLEM_CHARS]
            await runs_store.finish(conn, run_id, RunState.FAILED, problem=problem)

    async def _begun(self, job: SyncInventory, attempt: Attempt) -> tuple[Source | None, Run | None]:
        async with transaction(self.pool) as conn:
            source = await store.one(conn, job.source_id)
            if source is None:
                return None, None
            run_id = job.run_id or attempt.job_id
            if job.run_id is None and source.kind is SourceKind.PULL:
                await runs_store.insert(conn, run_id, source.id, Cause.JOB)
            run = await runs_store.begin(conn, run_id)
            return source, run or await runs_store.one(conn, source.id, run_id)

    async def _fetch(self, source: Source, run: Run) -> _Fetched:
        if run.cause is Cause.PUSH:
            async with connection(self.pool) as conn:
                pushed = await runs_store.pushed(conn, run.id)
            assert pushed is not None, "a push that is not over has its body"
            body, fallback = pushed
            return _Fetched(zlib.decompress(body), fallback)
        assert source.url is not None, "by constraint"
        headers = {"User-Agent": "Souk", **self._credentials(source)}
        if source.etag is not None and await self._is_unmodified_enough(source):
            headers["If-None-Match"] = source.etag
        asked_at = self.clock()
        answer = await self.outbound.fetch(
            source.url,
            max_bytes=MAX_BYTES,
            max_seconds=FETCH_SECONDS,
            accept=ACCEPT[source.format],
            headers=headers,
        )
        if answer.status == 304:
            return _Fetched(None, 0)
        return _Fetched(answer.body, micros(asked_at), answer.headers.get("ETag"))

    def _credentials(self, source: Source) -> Mapping[str, str]:
        """The header that lets us in. Raises `WrongVaultKey`."""
        if source.sealed is None:
            return {}
        kept: dict[str, str] = orjson.loads(self.vault.open(source.sealed, source_id=source.id))
        return {kept["header"]: kept["value"]}

    async def _is_unmodified_enough(self, source: Source) -> bool:
        """A product made since the last whole document may be in it: then it is wanted whole again."""
        if source.applied_at is None:
            return False
        async with connection(self.pool) as conn:
            return not await store.has_newer_products(conn, source.vendor_id, source.applied_at)

    async def _apply(self, source: Source, run: Run, document: Document, attempt: Attempt) -> None:
        matching = await self.applying.matched(source, document)
        await self.applying.note(run.id, document, matching)
        await self.applying.apply(source, run.id, matching.rows, before_each=attempt.stop_if_cancelled)

    async def _completed(self, source: Source, run: Run, fetched: _Fetched) -> JsonValue:
        is_modified = fetched.body is not None
        async with transaction(self.pool) as conn:
            await store.hold(conn, source.id)
            done = await runs_store.finish(conn, run.id, RunState.COMPLETED, is_modified=is_modified)
            await store.succeeded(
                conn,
                source.id,
                is_modified=is_modified and source.kind is SourceKind.PULL,
                etag=fetched.etag,
                applied_at=run.started_at or self.clock(),
            )
            done = done or await runs_store.one(conn, source.id, run.id)
        return result_of(done)

    async def _failed(self, source: Source, run: Run, bad: AppError) -> JsonValue:
        async with transaction(self.pool) as conn:
            return result_of(await end_badly(conn, self.outbox, source.id, run.id, bad.detail, now=self.clock()))


def result_of(run: Run | None) -> JsonValue:
    """A run as its job's result."""
    if run is None:
        return {"state": "source_gone"}
    counts = run.counts
    result: dict[str, JsonValue] = {
        "run_id": str(run.id),
        "state": run.state.value,
        "rows": counts.total,
        "changed": counts.changed,
        "unchanged": counts.unchanged,
        "older": counts.older,
        "unmatched": counts.unmatched,
        "invalid": counts.invalid,
        "not_modified": not run.is_modified,
    }
    return result if run.problem is None else {**result, "problem": run.problem}
