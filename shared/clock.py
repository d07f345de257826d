"""The time now. Passed as an argument wherever a rule depends on it, so that tests can choose."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The aware UTC time."""
    return datetime.now(UTC)
