"""Which fills are too old to be kept: what each invalidation leaves behind. No I/O.

A fill begins before its SQL and names, once it has read, the rows its answer was made of. It is refused if one of them
was invalidated at a higher version, or, where the answer has no version of the row (a list, an absence), invalidated at
all since the fill began.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

FLOOR_SECONDS: Final = 60.0
"""Longer than any fill takes: an older one is refused whole."""

Row = tuple[str, UUID | str | None]
"""What an answer depends on: `("product", id)`; `("shown", None)` for all that the catalogue shows."""
Rows = Mapping[Row, int | None]
"""The rows of an answer with the versions it shows; None for a row it has no version of."""


@dataclass(frozen=True, slots=True)
class Fill:
    """The beginning of a fill: how many invalidations there had been, and when."""

    seen: int
    at: float


@dataclass(slots=True)
class _Floor:
    version: int
    seen: int
    unversioned: int
    """When it last rose without a version: nothing read before that is certain."""
    at: float


class Floors:
    """The invalidations of the last 60 s. Times are monotonic seconds, given by the caller."""

    def __init__(self) -> None:
        self._floors: OrderedDict[Row, _Floor] = OrderedDict()
        self.seen = 0
        """How many invalidations there have been."""
        self._cleared = 0

    def __len__(self) -> int:
        return len(self._floors)

    def begin(self, now: float) -> Fill:
        """Call before reading what will be stored."""
        return Fill(self.seen, now)

    def rise(self, row: Row, version: int | None, now: float) -> None:
        """A row changed; `version` is what it is now."""
        self.seen += 1
        floor = self._floors.pop(row, None)
        known, unversioned = (0, 0) if floor is None else (floor.version, floor.unversioned)
        if version is None:
            unversioned = self.seen
        self._floors[row] = _Floor(max(known, version or 0), self.seen, unversioned, now)
        self._prune(now)

    def clear(self) -> None:
        """Anything may have changed: refuse every fill that has begun."""
        self.seen += 1
        self._cleared = self.seen

    def admit(self, fill: Fill, rows: Rows, now: float) -> bool:
        """Whether an answer made of `rows` by this fill may be kept."""
        if fill.seen < self._cleared or now - fill.at >= FLOOR_SECONDS:
            return False
        return not any(self._is_above(row, version, fill) for row, version in rows.items())

    def _is_above(self, row: Row, version: int | None, fill: Fill) -> bool:
        floor = self._floors.get(row)
        if floor is None:
            return False
        if version is None:
            return floor.seen > fill.seen
        return version < floor.version or floor.unversioned > fill.seen

    def _prune(self, now: float) -> None:
        while self._floors:
            oldest = next(iter(self._floors.values()))
            if now - oldest.at <= FLOOR_SECONDS:
                return
            self._floors.popitem(last=False)
