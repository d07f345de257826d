"""What the caches hold, and what a gateway replica says of them. No I/O."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from services.catalog.cache.floors import Row, Rows
from shared.web.compression import PACKERS

Mode = Literal["clear", "expire"]

SHOWN: Final[Row] = ("shown", None)
"""All that the catalogue shows: every list of it depends on this."""
ABSENT: Final[Row] = ("absent", None)
"""That something is not there, where no id says which product or vendor would have to come."""


def product_row(product_id: UUID) -> Row:
    """A row of `catalog.products`."""
    return "product", product_id


def slug_row(slug: str) -> Row:
    """That no product has this slug."""
    return "slug", slug


def stock_row(product_id: UUID) -> Row:
    """A row of `catalog.stock`."""
    return "stock", product_id


def stocks_row(vendor_id: UUID) -> Row:
    """All levels of a vendor: every list of them depends on this."""
    return "stocks", vendor_id


def vendor_row(vendor_id: UUID) -> Row:
    """A row of `catalog.vendors`."""
    return "vendor", vendor_id


@dataclass(frozen=True, slots=True)
class Answer:
    """A body as it is sent, and its ETag in quotes."""

    body: bytes
    etag: str
    link: str | None = None
    _packed: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about: packed forms come to half as much again."""
        return len(self.body) * 3 // 2 + 500

    def packed(self, coding: str) -> bytes:
        """The body in a content coding, packed at most once."""
        if coding not in self._packed:
            self._packed[coding] = PACKERS[coding](self.body)
        return self._packed[coding]


@dataclass(frozen=True, slots=True)
class Loaded:
    """An answer with the rows it was made of. None is an absence, which is remembered too."""

    answer: Answer | None
    rows: Rows


def body_etag(body: bytes) -> str:
    """An ETag of the bytes, for answers that no single row has the version of."""
    return f'"{hashlib.blake2b(body, digest_size=9).hexdigest()}"'


@dataclass(frozen=True, slots=True)
class CacheCounts:
    """One cache of one replica, or the sum over replicas."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    invalidations: int = 0
    size: int = 0
    max: int = 0

    @property
    def hit_rate(self) -> float | None:
        """Hits of all reads; None before the first."""
        reads = self.hits + self.misses
        return self.hits / reads if reads else None

    def __add__(self, other: "CacheCounts") -> "CacheCounts":
        return CacheCounts(
            self.hits + other.hits,
            self.misses + other.misses,
            self.evictions + other.evictions,
            self.invalidations + other.invalidations,
            self.size + other.size,
            self.max + other.max,
        )


@dataclass(frozen=True, slots=True)
class Replica:
    """A gateway replica as it last reported."""

    id: UUID
    name: str
    seen_at: datetime
    is_live: bool
    """Whether it hears the stream of events; else each of its hits is checked against the database."""
    caches: Mapping[str, CacheCounts]


@dataclass(frozen=True, slots=True)
class Clearing:
    """What came of a request. `removed` counts entries by replica and cache; `missing` names who did not answer."""

    mode: Mode
    replicas: int
    answered: int
    removed: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """All entries removed."""
        return sum(sum(caches.values()) for caches in self.removed.values())
