"""What becomes of a delivery: pure rules, no I/O and no clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.errors import AppError, DependencyDown, Unavailable
from shared.messaging.topology import Tier

SHORTEST_JITTER: Final = 0.8
LONGEST_JITTER: Final = 1.2
PREFETCH_SECONDS: Final = 0.05
MAX_PREFETCH: Final = 400
LONGEST_WAIT_SECONDS: Final = 24 * 3600.0
"""However long a dependency asks us to stay away, a job is tried again within a day."""


class JobCancelled(AppError):
    """A person cancelled the job while it ran; raised by a handler that stops before its effect."""

    code = "cancelled"


@dataclass(frozen=True, slots=True)
class Ack:
    """The effect happened; the broker may forget the message."""


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Try again in `seconds`. With a tier it waits in the broker, without one in the ledger."""

    seconds: float
    tier: Tier | None


@dataclass(frozen=True, slots=True)
class Postpone:
    """What the job depends on is away: the same attempt comes again after `seconds` in the shortest tier."""

    seconds: float
    tier: Tier


@dataclass(frozen=True, slots=True)
class Drop:
    """A person cancelled the job, and its handler stopped before the effect."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """No further attempt is worth it, or none is left; a person may retry it by hand."""

    reason: str


Disposition = Ack | RetryAfter | Postpone | Drop | DeadLetter


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a job is tried, and the delays it climbs. `max_attempts` counts the first one."""

    max_attempts: int
    tiers: Sequence[Tier]

    def after(self, attempt: int, jitter: float) -> RetryAfter:
        """The delay after attempt number `attempt` (from 1): one tier further each time, the last one again."""
        tier = self.tiers[min(attempt, len(self.tiers)) - 1]
        return RetryAfter(tier.seconds * jitter, tier)

    def postponed(self, jitter: float) -> Postpone:
        """The delay of an attempt that does not count: the first tier."""
        return Postpone(self.tiers[0].seconds * jitter, self.tiers[0])


def prefetch_for(concurrency: int, run_seconds: float) -> int:
    """How many deliveries a consumer takes ahead: its concurrency, and what it runs in 50 ms besides, at most 400.

    An urgent job waits behind what was taken before it, so jobs of over 50 ms get exactly their concurrency; short
    ones are taken in bulk, since each round trip to the broker costs more than they do.
    """
    ahead = PREFETCH_SECONDS / max(run_seconds, PREFETCH_SECONDS / MAX_PREFETCH)
    return min(MAX_PREFETCH, concurrency + int(ahead if ahead > 1 else 0) * concurrency)


def decide(error: Exception | None, attempt: int, policy: RetryPolicy, *, jitter: float) -> Disposition:
    """Say what becomes of a delivery once its handler is done. `attempt` counts from 1.

    `jitter` is uniform in 0.8..1.2, drawn by the caller. Cancellation never comes here: that delivery is requeued.
    """
    match error:
        case None:
            return Ack()
        case JobCancelled():
            return Drop()
        case AppError(retryable=False):
            return DeadLetter(error.code)
        case DependencyDown():
            return policy.postponed(jitter)
        case _ if attempt >= policy.max_attempts:
            return DeadLetter("attempts_exhausted")
        case Unavailable(retry_after_seconds=float() | int() as asked):
            climbed = policy.after(attempt, jitter)
            # A hint shorter than the back-off must not burn the attempts while the dependency is still away.
            return climbed if asked <= climbed.seconds else RetryAfter(min(LONGEST_WAIT_SECONDS, float(asked)), None)
        case _:
            return policy.after(attempt, jitter)
