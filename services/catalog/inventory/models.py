"""Levels, movements and alerts. No I/O."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

MAX_PIECES: Final = 1_000_000_000
"""The highest level; the statement that moves levels knows it too. Below what a 4-byte integer holds."""
DEFAULT_THRESHOLD: Final = 5


class MovementKind(StrEnum):
    """Why a level moved."""

    RECEIVE = "receive"
    """The first pieces, given with the product."""
    ADJUST = "adjust"
    """The vendor counted."""
    SALE = "sale"
    RETURN = "return"
    """An order was cancelled."""
    SYNC = "sync"
    """The vendor's own system said so."""


@dataclass(frozen=True, slots=True)
class Level:
    """A product's stock, in pieces, with what its readers are told of the product."""

    product_id: UUID
    vendor_id: UUID
    sku: str
    title: str
    status: str
    is_for_sale: bool
    on_hand: int
    threshold: int
    version: int
    has_alert: bool
    updated_at: datetime
    product_version: int

    @property
    def etag(self) -> str:
        """Changes with the level and with what is told of the product."""
        return f"{self.product_version}.{self.version}"


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
