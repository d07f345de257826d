"""What became of what was accepted: done or visibly failed, once. Read from the database and the mail sink."""

import asyncio
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import asyncpg

from shared.contracts.jobs import ProcessImage, SendEmail, SendNotification
from shared.ids import time_of
from tests.faults.stand import Stand
from tests.faults.workload import Book, Offered
from tests.sales import sales_disagreements
from tests.stock import disagreements

Key = tuple[str, str, str]
"""A job by what it is for: (type, product or job id, letter, kind or picture)."""

ORDERS: Final = "SELECT external_id, count(*) AS n FROM catalog.orders WHERE external_id = ANY($1::text[]) GROUP BY 1"
PRODUCTS: Final = "SELECT sku, count(*) AS n FROM catalog.products WHERE sku = ANY($1) GROUP BY sku"
IMAGES: Final = """
    SELECT id::text, status, jsonb_array_length(renditions) AS renditions,
           (SELECT count(DISTINCT r ->> 'key') FROM jsonb_array_elements(renditions) r) AS keys
    FROM catalog.images WHERE product_id = ANY($1::uuid[])
"""
JOBS: Final = """
    SELECT id::text, type, state, payload, error_class, error_message,
           (SELECT count(DISTINCT fence) FROM jobs.history h WHERE h.job_id = j.id AND h.state = 'failed') AS failed,
           EXISTS (SELECT FROM jobs.history h WHERE h.job_id = j.id AND h.outcome = 'rescued') AS is_rescued
    FROM jobs.jobs j WHERE created_at >= $1
"""
OPEN: Final = """
    SELECT (SELECT count(*) FROM jobs.jobs WHERE finished_at IS NULL AND state <> 'scheduled')
         + (SELECT count(*) FROM catalog.outbox WHERE sent_at IS NULL)
         + (SELECT count(*) FROM jobs.outbox WHERE sent_at IS NULL)
         + (SELECT count(*) FROM notifier.outbox WHERE sent_at IS NULL)
         + (SELECT count(*) FROM catalog.images WHERE status = 'pending')
"""
LINES: Final = "SELECT dedupe_key, count(*) AS n FROM notifier.notifications WHERE created_at >= $1 GROUP BY 1"
DELIVERIES: Final = "SELECT job_id::text, message_id, answered_at FROM notifier.deliveries WHERE outcome = 'sent'"
TOLD_FAILED: Final = """
    SELECT body::jsonb -> 'data' ->> 'job_id' AS job_id, count(*) AS n FROM jobs.outbox
    WHERE type = 'job.failed' AND created_at >= $1 GROUP BY 1
"""
COUNTED: Final = "SELECT state, count(*) AS n FROM jobs.jobs GROUP BY state"
COUNTERS: Final = "SELECT state, sum(n)::bigint AS n FROM jobs.counters GROUP BY state HAVING sum(n) <> 0"
FINAL: Final = frozenset({"completed", "failed", "cancelled"})
RENDITIONS: Final = 8
POLL_SECONDS: Final = 0.25
_MESSAGE_ID: Final = re.compile(rb"^Message-ID: *(\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass(slots=True)
class Verdict:
    """The figures, and a sentence for each thing that is not as promised."""

    accepted: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    rescued: int = 0
    repeated_mails: int = 0
    """Second copies of a mail, under the same Message-ID."""
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    settled_seconds: float = 0.0

    @property
    def complaints(self) -> list[str]:
        """All that is not as promised."""
        return [
            *(f"lost: {each}" for each in self.lost),
            *(f"twice: {each}" for each in self.doubled),
            *(f"wrong: {each}" for each in self.wrong),
        ]


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a fault excuses: `mail` a second copy under the same Message-ID of what had no row yet, `live_mail` also
    one from a second live copy of the job, `failures` jobs out of attempts.
    """

    mail: bool = False
    live_mail: bool = False
    failures: bool = False


async def settled(stand: Stand, book: Book, *, allowed: Allowed, patience_seconds: float) -> Verdict:
    """Wait until everything accepted is in a final state, at most `patience_seconds`; then judge."""
    begun = time.monotonic()
    while True:
        verdict = await _judged(stand, book, allowed)
        verdict.settled_seconds = time.monotonic() - begun
        if (verdict is not None and not verdict.lost) or time.monotonic() - begun > patience_seconds:
            return verdict
        await _until_quiet(stand, begun + patience_seconds)


async def _until_quiet(stand: Stand, deadline: float) -> None:
    while time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        conn = await stand.database()
        try:
            if await conn.fetchval(OPEN) == 0:
                return
        finally:
            await conn.close()


async def _judged(stand: Stand, book: Book, allowed: Allowed) -> Verdict:
    conn = await stand.database()
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            return await _Judge(conn, stand, book, allowed).verdict()
    finally:
        await conn.close()


class _Judge:
    """Compares the book with one snapshot of the database."""

    def __init__(self, conn: "asyncpg.Connection[asyncpg.Record]", stand: Stand, book: Book, allowed: Allowed) -> None:
        self._conn = conn
        self._stand = stand
        self._book = book
        self._allowed = allowed
        self._found = Verdict()

    async def verdict(self) -> Verdict:
        jobs = await self._conn.fetch(JOBS, self._book.begun_at)
        await self._products()
        self._jobs(jobs)
        await self._pictures()
        await self._effects(jobs)
        await self._told(jobs)
        await self._stock()
        self._found.lost += [f"sales: {each}" for each in await sales_disagreements(self._conn)]
        await self._statistics()
        return self._found

    async def _products(self) -> None:
        rows = await self._conn.fetch(PRODUCTS, [product.sku for product in self._book.products])
        made = {row["sku"]: row["n"] for row in rows}
        for product in self._book.products:
            self._count(f"product {product.sku}", made.get(product.sku, 0))

    async def _stock(self) -> None:
        """Each order is there once, and levels, movements and orders agree."""
        found = {row["external_id"]: row["n"] for row in await self._conn.fetch(ORDERS, self._book.orders)}
        for external_id in self._book.orders:
            self._count(f"order {external_id}", found.get(external_id, 0))
        self._found.wrong += [f"stock: {each}" for each in await disagreements(self._conn)]

    def _jobs(self, jobs: Sequence[asyncpg.Record]) -> None:
        by_key: dict[Key, list[asyncpg.Record]] = {}
        for row in jobs:
            for key in _keys_of(row):
                by_key.setdefault(key, []).append(row)
        for key, ends in _wanted(self._book):
            self._found.accepted += 1
            rows = by_key.get(key, [])
            if not self._count(" ".join(key), len(rows)):
                continue
            row = rows[0]
            self._found.rescued += row["is_rescued"]
            state = row["state"]
            if state not in FINAL:
                self._found.lost.append(f"{' '.join(key)} is still {state}")
                continue
            setattr(self._found, state, getattr(self._found, state) + 1)
            if state not in ends and not (state == "failed" and self._allowed.failures):
                said = f"{row['error_class']}: {row['error_message']}"
                self._found.wrong.append(f"{' '.join(key)} {row['id']} is {state} ({said})")

    async def _pictures(self) -> None:
        ids = [UUID(product.id) for product in self._book.products if product.id]
        images = {row["id"]: row for row in await self._conn.fetch(IMAGES, ids)}
        for image_id in (image for product in self._book.products for image in product.images):
            row = images.get(image_id)
            if row is None or row["status"] == "pending":
                self._found.lost.append(f"picture {image_id} is {row and row['status']}")
            elif row["status"] == "failed":
                if not self._allowed.failures:
                    self._found.wrong.append(f"picture {image_id} failed")
            elif not row["renditions"] == row["keys"] == RENDITIONS:
                self._found.doubled.append(f"picture {image_id} has {row['renditions']} renditions, {row['keys']} keys")
        accepted = {image for product in self._book.products for image in product.images}
        self._found.doubled += [f"picture {each} that nobody sent" for each in images.keys() - accepted]

    async def _effects(self, jobs: Iterable[asyncpg.Record]) -> None:
        """A completed job has had its effect, once."""
        done = {row["id"]: row["type"] for row in jobs if row["state"] == "completed"}
        deliveries = await self._conn.fetch(DELIVERIES)
        lines = {row["dedupe_key"]: row["n"] for row in await self._conn.fetch(LINES, self._book.begun_at)}
        for job_id in (job_id for job_id, kind in done.items() if kind == SendNotification.type):
            self._count(f"inbox line of {job_id}", lines.get(job_id, 0))
        arrived: dict[str, list[datetime]] = {}
        for message_id, at in _mails_since(self._stand.home.mail, self._book.begun_at):
            arrived.setdefault(message_id, []).append(at)
        noted = {row["message_id"]: row["answered_at"] for row in deliveries}
        self._found.lost += [
            f"mail {row['message_id']}"
            for row in deliveries
            if row["job_id"] in done and row["message_id"] not in arrived
        ]
        for message_id, copies in arrived.items():
            self._found.repeated_mails += len(copies) - 1
            has_row = message_id in noted and max(copies) > noted[message_id]
            excused = self._allowed.live_mail or (self._allowed.mail and not has_row)
            if len(copies) > 1 and not excused:
                self._found.doubled.append(f"mail {message_id}: {len(copies)} copies")

    async def _told(self, jobs: Iterable[asyncpg.Record]) -> None:
        """A job's failure is told once for each time that it failed."""
        failed = {row["id"]: row["failed"] for row in jobs}
        for row in await self._conn.fetch(TOLD_FAILED, self._book.begun_at):
            if row["n"] > failed.get(row["job_id"], 0):
                self._found.doubled.append(f"failure of {row['job_id']} is told {row['n']} times")

    async def _statistics(self) -> None:
        counted = {row["state"]: row["n"] for row in await self._conn.fetch(COUNTED)}
        counters = {row["state"]: row["n"] for row in await self._conn.fetch(COUNTERS)}
        if counted != counters:
            self._found.wrong.append(f"statistics {counters}, jobs {counted}")
        self._found.wrong += [f"statistics do not add up: {each}" for each in self._book.wrong_samples]
        self._found.wrong += [f"no good answer: {each}" for each in self._book.unanswered]

    def _count(self, what: str, n: int) -> bool:
        """Note what is there not once; whether there is at least one."""
        if n == 0:
            self._found.lost.append(what)
        elif n > 1:
            self._found.doubled.append(f"{what}: {n}")
        return n > 0


def _wanted(book: Book) -> Iterator[tuple[Key, frozenset[str]]]:
    """Every job that has to be there, and the states that it may end in."""
    completed = frozenset({"completed"})
    for product in book.products:
        for letter in _letters(product):
            yield (SendEmail.type, str(product.id), letter), completed
            yield (SendNotification.type, str(product.id), letter), completed
        for image_id in product.images:
            yield (ProcessImage.type, str(product.id), image_id), completed
    for job in book.jobs.values():
        yield (job.type, job.id, ""), job.ends


def _letters(product: Offered) -> Iterator[str]:
    yield "product_submitted"
    if product.decision is not None:
        yield f"product_{product.decision}"


def _keys_of(row: asyncpg.Record) -> tuple[Key, ...]:
    """What a job is for. A picture that is asked for again is a job of the next round, and no second one."""
    payload: Mapping[str, Any] = json.loads(row["payload"])
    by_hand: Key = (row["type"], row["id"], "")
    match row["type"]:
        case ProcessImage.type:
            return (by_hand,) if payload.get("round", 1) > 1 else (by_hand, _picture_of(payload))
        case SendEmail.type | SendNotification.type:
            kind = payload.get("letter") or payload.get("kind") or ""
            return by_hand, (row["type"], str(payload["params"].get("product_id")), kind)
        case _:
            return (by_hand,)


def _picture_of(payload: Mapping[str, Any]) -> Key:
    return ProcessImage.type, payload["product_id"], payload["image_id"]


def _mails_since(folder: Path, begun_at: datetime) -> Iterator[tuple[str, datetime]]:
    """The Message-ID and the time of every mail that arrived since; the sink names its files by their time."""
    for path in folder.glob("*.eml"):
        arrived_at = time_of(UUID(path.stem))
        if arrived_at >= begun_at:
            found = _MESSAGE_ID.search(path.read_bytes())
            yield (found[1].decode() if found else path.name), arrived_at
