"""What operators do with dead letters. Each deed is one transaction with its audit line."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID

from services.jobs.audit import store as audit
from services.jobs.control.usecases import spread_over
from services.jobs.dead_letters.models import Letter, LetterFilter
from services.jobs.dead_letters.store import LetterStore
from services.jobs.errors import LetterNotFound, LetterOfUnknownJob, LetterUnreadable, NotRetryable
from services.jobs.models import RETRYABLE_BY_HAND
from services.jobs.store import Ledger, in_ledger
from shared.db.pool import Connection, Pool, connection
from shared.messaging.topology import WORK_BY_TYPE
from shared.web.identity import Identity

BULK_LIMIT: Final = 5_000
"""Letters of one bulk replay or purge; ask again for more."""


@dataclass(frozen=True, slots=True)
class LetterPage:
    """A page of letters; `next` is the cursor of the one after."""

    items: Sequence[Letter]
    next: UUID | None


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay would do or did: jobs to retry, messages to put back, and over how many seconds.

    `job_ids` are the retried jobs.
    """

    jobs: int
    messages: int
    over_seconds: float
    dry_run: bool
    job_ids: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class Purge:
    """What a purge would delete or did."""

    letters: int
    dry_run: bool


class LetterDesk:
    """Dead letters: list, replay, delete."""

    def __init__(self, pool: Pool, ledger: Ledger, store: LetterStore) -> None:
        self._pool = pool
        self._ledger = ledger
        self._store = store

    async def page(self, where: LetterFilter, *, before: UUID | None, limit: int) -> LetterPage:
        """Letters that fit, newest first."""
        async with connection(self._pool) as conn:
            found = await self._store.page(conn, where, before=before, limit=limit + 1)
        return LetterPage(found[:limit], found[limit - 1].id if len(found) > limit else None)

    async def get(self, letter_id: UUID) -> Letter:
        """One letter. Raises `LetterNotFound`."""
        async with connection(self._pool) as conn:
            return _found(await self._store.get(conn, letter_id), letter_id)

    async def replay(self, letter_id: UUID, *, by: Identity, request_id: str | None) -> Letter:
        """Retry the letter's job in the ledger and drop every copy of it; an event or report goes back to its queue.

        Returns the letter as it was. Raises `LetterNotFound`, `LetterUnreadable`, `LetterOfUnknownJob`, `NotRetryable`.
        """

        async def write(conn: Connection) -> Letter:
            letter = _found(await self._store.get(conn, letter_id), letter_id)
            if letter.kind == "job":
                await self._retry(conn, letter, by)
            else:
                await self._store.ask_back(conn, [letter_id])
            detail = {"queue": letter.queue, "type": letter.type, "job_id": letter.job_id}
            about = ("dead_letter", letter_id)
            await audit.record(conn, by, "dead_letter.replay", about=about, detail=detail, request_id=request_id)
            return letter

        return await in_ledger(self._pool, write)

    async def delete(self, letter_id: UUID, *, by: Identity, request_id: str | None) -> None:
        """Delete one letter; its job, if it has one, stays as it is. Raises `LetterNotFound`."""

        async def write(conn: Connection) -> None:
            letter = _found(await self._store.get(conn, letter_id), letter_id)
            await self._store.drop(conn, letter_id)
            detail = {"queue": letter.queue, "type": letter.type, "reason": letter.reason, "job_id": letter.job_id}
            about = ("dead_letter", letter_id)
            await audit.record(conn, by, "dead_letter.delete", about=about, detail=detail, request_id=request_id)

        await in_ledger(self._pool, write)

    async def replay_all(
        self, where: LetterFilter, *, per_second: float, is_dry_run: bool, by: Identity, request_id: str | None
    ) -> Replay:
        """Replay up to 5,000 letters that fit, `per_second` jobs of them each second; or only count them.

        Letters whose job is unknown or not failed, and those that cannot be read, stay.
        """

        async def write(conn: Connection) -> Replay:
            jobs, messages = await self._store.replayable(conn, where, BULK_LIMIT)
            over = spread_over(len(jobs), per_second)
            if is_dry_run:
                return Replay(len(jobs), len(messages), over, dry_run=True)
            locked = await self._ledger.lock(conn, jobs)
            failed = [locked[id_] for id_ in jobs if id_ in locked and locked[id_].state in RETRYABLE_BY_HAND]
            attempts = {job_type: work.attempts for job_type, work in WORK_BY_TYPE.items()}
            await self._ledger.reopen_all(conn, failed, attempts=attempts, seconds=1 / per_second, actor=_name(by))
            ids = [job.id for job in failed]
            await self._store.drop_of_jobs(conn, ids)
            put_back = await self._store.ask_back(conn, messages)
            over = spread_over(len(ids), per_second)
            done = Replay(len(ids), put_back, over, dry_run=False, job_ids=ids)
            detail = {**_named(where), "jobs": done.jobs, "messages": done.messages}
            about = ("dead_letters", "")
            await audit.record(conn, by, "dead_letters.replay", about=about, detail=detail, request_id=request_id)
            return done

        return await in_ledger(self._pool, write)

    async def purge(self, where: LetterFilter, *, is_dry_run: bool, by: Identity, request_id: str | None) -> Purge:
        """Delete up to 5,000 letters that fit, oldest first; or only count all of them. Jobs stay as they are."""

        async def write(conn: Connection) -> Purge:
            if is_dry_run:
                return Purge(await self._store.count(conn, where), dry_run=True)
            purged = await self._store.purge(conn, where, BULK_LIMIT)
            detail = {**_named(where), "letters": purged}
            about = ("dead_letters", "")
            await audit.record(conn, by, "dead_letters.purge", about=about, detail=detail, request_id=request_id)
            return Purge(purged, dry_run=False)

        return await in_ledger(self._pool, write)

    async def _retry(self, conn: Connection, letter: Letter, by: Identity) -> None:
        if letter.job_id is None:
            raise LetterUnreadable("No job's id can be read from this message: it can only be deleted.")
        job = (await self._ledger.lock(conn, [letter.job_id])).get(letter.job_id)
        if job is None:
            raise LetterOfUnknownJob(
                f"The ledger keeps no job {letter.job_id}: pruned, cleared, or never made here. "
                "Enqueue its payload anew, or delete the letter."
            )
        if job.state not in RETRYABLE_BY_HAND:
            raise NotRetryable(f"The job is {job.state}: there is nothing to retry. Delete the letter.")
        await self._ledger.reopen(conn, job, attempts=WORK_BY_TYPE[job.type].attempts, actor=_name(by))
        await self._store.drop_of_jobs(conn, [job.id])


def _found(letter: Letter | None, letter_id: UUID) -> Letter:
    if letter is None:
        raise LetterNotFound(f"No dead letter {letter_id} is kept.")
    return letter


def _name(by: Identity) -> str:
    return f"{by.role} {by.account_id}"


def _named(where: LetterFilter) -> dict[str, object]:
    return {name: value for name, value in asdict(where).items() if value is not None}
