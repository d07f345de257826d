"""Sales as a marketplace has them: seasons, weekdays, hours, bursts, favourites, cancellations. Seeded and pure.

For the demo, tests and benchmarks; the same seed gives the same history.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate
from random import Random
from typing import Final
from uuid import UUID

CANCELLED: Final = 0.06
"""The share of orders that is taken back."""
BURST_DAYS: Final = 0.04
"""The share of days on which something sells out of line, threefold."""
BY_WEEKDAY: Final = (0.85, 0.85, 0.95, 1.0, 1.15, 1.3, 1.2)
"""From Monday on; orders of an average day are 1."""
BY_HOUR: Final = (2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 13, 14, 16, 14, 12, 12, 14, 17, 21, 25, 27, 22, 13, 6)
PIECES: Final = (1, 1, 1, 1, 1, 1, 2, 2, 3, 4)
LINES: Final = (1, 1, 1, 1, 2, 2, 3)


@dataclass(frozen=True, slots=True)
class ForSale:
    """What can be sold; the price is of one piece."""

    product_id: UUID
    vendor_id: UUID
    title: str
    price_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Sold:
    """One line of an order."""

    product: ForSale
    quantity: int


@dataclass(frozen=True, slots=True)
class PastOrder:
    """An order; `cancelled_at` is null for those that were kept."""

    placed_at: datetime
    lines: tuple[Sold, ...]
    cancelled_at: datetime | None


def history(
    products: Sequence[ForSale], *, first: date, last: date, orders_a_day: float, seed: int
) -> Iterator[PastOrder]:
    """The orders of the days `first` to `last` (UTC, inclusive), day by day, in the order they were placed."""
    market = _Market(products, Random(seed))  # noqa: S311 - the same for the same seed
    for passed in range((last - first).days + 1):
        yield from market.day(first + timedelta(days=passed), orders_a_day)


class _Market:
    """Chance, and what it favours: a few products sell most (Zipf), and which they are is chance too."""

    def __init__(self, products: Sequence[ForSale], random: Random) -> None:
        self._random = random
        self._shelf = random.sample(list(products), len(products))
        self._favoured = list(accumulate(1 / rank for rank in range(1, len(products) + 1)))

    def day(self, day: date, orders: float) -> Iterator[PastOrder]:
        """A day's orders, where an average day has `orders`."""
        burst = self._random.choice(self._shelf) if self._random.random() < BURST_DAYS else None
        expected = orders * _season(day) * BY_WEEKDAY[day.weekday()] * (3 if burst else 1)
        count = max(round(self._random.gauss(expected, math.sqrt(expected))), 0)
        for placed_at in sorted(self._moment(day) for _ in range(count)):
            yield self._order(placed_at, burst)

    def _order(self, placed_at: datetime, burst: ForSale | None) -> PastOrder:
        wanted = self._random.choices(self._shelf, cum_weights=self._favoured, k=self._random.choice(LINES))
        if burst is not None and self._random.random() < 0.6:
            wanted[0] = burst
        lines = tuple(Sold(product, self._random.choice(PIECES)) for product in dict.fromkeys(wanted))
        regretted_after = timedelta(minutes=self._random.randint(5, 2880))
        return PastOrder(placed_at, lines, placed_at + regretted_after if self._random.random() < CANCELLED else None)

    def _moment(self, day: date) -> datetime:
        [hour] = self._random.choices(range(24), weights=BY_HOUR)
        return datetime.combine(day, time(hour, self._random.randrange(60), self._random.randrange(60)), UTC)


def _season(day: date) -> float:
    """A year's wave: highest in December, lowest in June."""
    return 1 + 0.35 * math.cos(2 * math.pi * (day.timetuple().tm_yday - 350) / 365)
