"""What a channel sold. No I/O."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import orjson

from shared.contracts.base import Money


class OrderStatus(StrEnum):
    """Where an order stands."""

    PLACED = "placed"
    CANCELLED = "cancelled"
    """Its stock is back."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line as the channel sends it."""

    product_id: UUID
    quantity: int
    unit_price: Money


@dataclass(frozen=True, slots=True)
class Placing:
    """An order as the channel sends it. `placed_at` is theirs, or None for now."""

    external_id: str
    placed_at: datetime | None
    lines: tuple[Wanted, ...]

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of what was ordered: tells a repetition from another order of the same number."""
        lines = [
            [str(line.product_id), line.quantity, line.unit_price.amount_minor, line.unit_price.currency]
            for line in self.lines
        ]
        placed_at = None if self.placed_at is None else self.placed_at.isoformat()
        return hashlib.sha256(orjson.dumps([self.external_id, placed_at, lines])).digest()

    @property
    def pieces(self) -> dict[UUID, int]:
        """How much of each product, over all lines."""
        total: Counter[UUID] = Counter()
        for line in self.lines:
            total[line.product_id] += line.quantity
        return dict(total)


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was sold."""

    product_id: UUID
    vendor_id: UUID
    title: str
    quantity: int
    unit_price: Money


@dataclass(frozen=True, slots=True)
class Order:
    """An order with its lines."""

    id: UUID
    account_id: UUID
    external_id: str
    fingerprint: bytes
    status: OrderStatus
    placed_at: datetime
    cancelled_at: datetime | None
    lines: tuple[Line, ...]
