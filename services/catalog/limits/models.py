"""What a share is and how it is counted: GCRA, the leaky bucket as one time per subject. No I/O.

https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm; the headers are those of
https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/ (draft 10).
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

WINDOW_SECONDS: Final = 60


class Cost(StrEnum):
    """What a request costs us; each class has a share of its own."""

    CACHED = "cached"
    """Public reads answered from memory."""
    READ = "read"
    SEARCH = "search"
    """Lists that are filtered or sorted by what the caller says."""
    WRITE = "write"
    UPLOAD = "upload"
    REPORT = "report"
    """Reports asked for and read."""
    AUTH = "auth"
    """Passwords: each costs a tenth of a second of CPU."""


AGREED: Final = frozenset({Cost.WRITE, Cost.UPLOAD})
"""Shares that all gateways count together, as rows. The others each gateway counts by itself."""


@dataclass(frozen=True)
class Policy:
    """`quota` requests at once or in any minute, and the used ones come back evenly."""

    cost: Cost
    quota: int

    @cached_property
    def spacing_seconds(self) -> float:
        """How long one request takes to come back."""
        return WINDOW_SECONDS / self.quota

    @cached_property
    def header(self) -> str:
        """`RateLimit-Policy`."""
        return f'"{self.cost}";q={self.quota};w={WINDOW_SECONDS}'

    def granted(self, behind_seconds: float) -> "Grant":
        """A request is let in; after it the share is whole again in `behind_seconds`."""
        left = max(0, round((WINDOW_SECONDS - behind_seconds) / self.spacing_seconds))
        return Grant(self, left, behind_seconds)

    def refused(self, behind_seconds: float) -> "Grant":
        """A request is not let in, and costs nothing."""
        return Grant(self, 0, behind_seconds, self.wait_seconds(behind_seconds))

    def wait_seconds(self, behind_seconds: float) -> float:
        """In how long a share that is used up holds a request again."""
        return max(behind_seconds + self.spacing_seconds - WINDOW_SECONDS, self.spacing_seconds / 2)

    def is_over(self, behind_seconds: float) -> bool:
        """Whether this is more than the share. Half a request is allowed for, since times are floats."""
        return behind_seconds > WINDOW_SECONDS + self.spacing_seconds / 2


@dataclass(frozen=True, slots=True)
class Grant:
    """What became of one request's wish. `left` is what the share still holds, whole again in `whole_in_seconds`."""

    policy: Policy
    left: int
    whole_in_seconds: float
    retry_after_seconds: float | None = None

    @property
    def is_refused(self) -> bool:
        """Whether the share is used up."""
        return self.retry_after_seconds is not None

    @property
    def header(self) -> str:
        """`RateLimit`."""
        return f'"{self.policy.cost}";r={self.left};t={math.ceil(self.whole_in_seconds)}'
