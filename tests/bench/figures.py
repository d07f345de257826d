"""What a row of the table is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what was measured, beside what it is measured against, and the figure that must hold.

    `value` is a ratio unless `unit` says what it is; `is_most` tells a limit that must not be passed from one that
    must be reached.
    """

    name: str
    ours: str
    peer: str
    value: float
    must: float
    unit: str = ""
    is_most: bool = False

    @property
    def holds(self) -> bool:
        """Whether the figure is what it must be."""
        return self.value <= self.must if self.is_most else self.value >= self.must
