"""Sources, their documents, and what is to be done with a row. No I/O."""

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final, Literal
from uuid import UUID

BAD_RUNS: Final = 3
"""After so many in a row the vendor is told."""
LONGEST_WAIT: Final = timedelta(hours=6)
LISTED: Final = 500
"""Unmatched SKUs, and errors, that a run names; beyond that it counts."""
REPLAY_WINDOW_SECONDS: Final = 300
MICROSECONDS: Final = 1_000_000


class SourceKind(StrEnum):
    """Who begins."""

    PULL = "pull"
    """We fetch the document."""
    PUSH = "push"
    """The vendor's system sends it, signed."""


class Format(StrEnum):
    """What a document is written in."""

    JSON = "json"
    CSV = "csv"


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Cause(StrEnum):
    """Why there is a run."""

    INTERVAL = "interval"
    HAND = "hand"
    PUSH = "push"
    JOB = "job"
    """A sync-inventory job that names no run: somebody enqueued it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a document has what. `sku`, `quantity` and `version` are columns, or in JSON keys or pointers (`/a/b`).

    `items` is the JSON pointer of the list. Without `version` a document is as old as its arrival.
    """

    items: str = ""
    sku: str = "sku"
    quantity: str = "quantity"
    version: str | None = None
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class Source:
    """A stock source as it is kept; `sealed` opens with the vault."""

    id: UUID
    vendor_id: UUID
    name: str
    kind: SourceKind
    format: Format
    layout: Layout
    url: str | None
    sealed: bytes | None
    interval_seconds: int | None
    is_enabled: bool
    failures: int
    is_failing: bool
    problem: str | None
    etag: str | None
    applied_at: datetime | None
    next_run_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def status(self) -> Literal["active", "failing", "disabled"]:
        """In a word."""
        if not self.is_enabled:
            return "disabled"
        return "failing" if self.is_failing else "active"


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a document's rows."""

    changed: int = 0
    unchanged: int = 0
    older: int = 0
    unmatched: int = 0
    invalid: int = 0

    @property
    def total(self) -> int:
        """All rows."""
        return self.changed + self.unchanged + self.older + self.unmatched + self.invalid


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that cannot be used. `row` counts from 1, in a CSV file without its header."""

    row: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Run:
    """One bringing in line."""

    id: UUID
    source_id: UUID
    cause: Cause
    state: RunState
    round: int
    counts: Counts
    is_modified: bool
    unmatched_skus: Sequence[str]
    errors: Sequence[RowError]
    problem: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def is_over(self) -> bool:
        """Nothing more will be done for it."""
        return self.finished_at is not None


@dataclass(frozen=True, slots=True)
class Row:
    """What a document says of one SKU. `version` only compares with others of the same source."""

    place: int
    sku: str
    quantity: int
    version: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document as far as it can be read."""

    rows: Sequence[Row]
    errors: Sequence[RowError] = ()


@dataclass(frozen=True, slots=True)
class Matched:
    """A row whose product is known."""

    product_id: UUID
    quantity: int
    version: int


@dataclass(frozen=True, slots=True)
class Matching:
    """A document's rows with their products, the most urgent first, and those that have none."""

    rows: Sequence[Matched]
    unmatched: Sequence[str]
    older: int = 0
    errors: Sequence[RowError] = ()


def match(rows: Sequence[Row], products: Mapping[str, UUID]) -> Matching:
    """Give rows their products. Zeros come first: what is sold out must not be sold while the rest is applied.

    Of several rows for one product the newest counts; two of the same version that disagree are an error.
    """
    best: dict[UUID, Row] = {}
    unmatched: list[str] = []
    errors: list[RowError] = []
    older = 0
    for row in rows:
        product_id = products.get(row.sku)
        if product_id is None:
            unmatched.append(row.sku)
            continue
        other = best.get(product_id)
        if other is None or row.version > other.version:
            older += other is not None
            best[product_id] = row
        elif row.version < other.version or row.quantity == other.quantity:
            older += 1
        else:
            errors.append(RowError(row.place, "contradiction", f"row {other.place} says otherwise of the same product"))
    urgent = sorted(best.items(), key=lambda item: (item[1].quantity > 0, item[0]))
    return Matching(
        [Matched(product_id, row.quantity, row.version) for product_id, row in urgent], unmatched, older, errors
    )


@dataclass(frozen=True, slots=True)
class Position:
    """The newest version of a source that was applied to a product, and the run that did it."""

    version: int
    run_id: UUID


@dataclass(slots=True)
class Plan:
    """What a batch does."""

    deltas: dict[UUID, int] = field(default_factory=dict)
    versions: dict[UUID, int] = field(default_factory=dict)
    """Of all rows that are newer, moved or not."""
    unchanged: int = 0
    older: int = 0


def plan(
    rows: Iterable[Matched], levels: Mapping[UUID, int], positions: Mapping[UUID, Position], *, run_id: UUID
) -> Plan:
    """What each row does to the levels, which are held. A version that was applied is never applied again.

    What this very run has applied in an earlier attempt is counted already.
    """
    made = Plan()
    for row in rows:
        known = positions.get(row.product_id)
        if known is not None and row.version <= known.version:
            if row.version < known.version:
                made.older += 1
            elif known.run_id != run_id:
                made.unchanged += 1
            continue
        delta = row.quantity - levels[row.product_id]
        made.versions[row.product_id] = row.version
        if delta:
            made.deltas[row.product_id] = delta
        elif known is None or known.run_id != run_id:
            made.unchanged += 1
    return made


def next_run(source: Source, *, failures: int, now: datetime) -> datetime | None:
    """When a source is pulled next: each bad run in a row doubles the wait, up to six hours (or its own interval)."""
    if source.interval_seconds is None:
        return None
    interval = timedelta(seconds=source.interval_seconds)
    longer = timedelta(seconds=source.interval_seconds * (1 << min(failures, 12)))
    return now + max(interval, min(LONGEST_WAIT, longer))


def micros(moment: datetime) -> int:
    """Microseconds since 1970: how times compare as versions."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def signature(secret: bytes, timestamp: str, body: bytes) -> bytes:
    """HMAC-SHA256 over `timestamp.body`."""
    return hmac.digest(secret, timestamp.encode() + b"." + body, sha256)
