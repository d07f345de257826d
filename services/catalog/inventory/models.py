"""Levels, movements and alerts. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

MAX_PIECES: Final = 1_000_000_000
"""The highest level; the statement that moves levels knows it too. Below what a 4-byte integer holds."""
DEFAULT_THRESHOLD: Final = 5
"""The marketplace's, until an admin sets another."""


class Crossing(StrEnum):
    """What a movement does to a product's alert."""

    LOW = "low"
    RECOVERED = "recovered"


class MovementKind(StrEnum):
    """Why a level moved."""

    RECEIVE = "receive"
    """Goods came: with the product, or later."""
    ADJUST = "adjust"
    """The vendor counted."""
    SALE = "sale"
    RETURN = "return"
    """An order was cancelled."""
    SYNC = "sync"
    """The vendor's own system said so."""


@dataclass(frozen=True, slots=True)
class Level:
    """A product's stock, in pieces, with what its readers are told of the product.

    `threshold` is the one that holds: the product's own, else its vendor's, else the marketplace's.
    """

    product_id: UUID
    vendor_id: UUID
    sku: str
    title: str
    status: str
    is_for_sale: bool
    on_hand: int
    threshold: int
    own_threshold: int | None
    version: int
    has_alert: bool
    updated_at: datetime
    product_version: int
    vendor_version: int

    @property
    def etag(self) -> str:
        """Changes with the level, its threshold, and what is told of the product."""
        return f"{self.product_version}.{self.version}.{self.threshold}"

    def crossing(self, on_hand: int) -> Crossing | None:
        """What becomes of the alert when the level moves to `on_hand`.

        It opens at the threshold and closes a fifth above it (rounded up): a level that flaps around the threshold
        is one alert.
        """
        if self.has_alert:
            recovered = on_hand > self.threshold + -(-self.threshold // 5)
            return Crossing.RECOVERED if recovered else None
        is_falling = on_hand < self.on_hand
        return Crossing.LOW if is_falling and on_hand <= self.threshold and self.is_for_sale else None


@dataclass(frozen=True, slots=True)
class Defaults:
    """Where low begins for a vendor's products that have no threshold of their own."""

    vendor: int | None
    marketplace: int


@dataclass(frozen=True, slots=True)
class Moved:
    """A level just after a movement."""

    product_id: UUID
    on_hand: int
    version: int


@dataclass(frozen=True, slots=True)
class Movement:
    """One step of a level; `version` counts them, `on_hand` is the level after it."""

    version: int
    kind: MovementKind
    delta: int
    on_hand: int
    reference: str
    account_id: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True)
class SourceVersions:
    """Which version of a stock source moves each product."""

    source_id: UUID
    versions: Mapping[UUID, int]


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What became of one line of an adjustment: the level after it, or the code of why it stayed as it was."""

    product_id: UUID
    on_hand: int | None
    version: int | None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What became of each line, in their order; nothing moved if it is not new."""

    lines: Sequence[Adjusted]
    is_new: bool = True
