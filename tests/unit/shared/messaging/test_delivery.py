"""What becomes of a delivery, as a table."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    Stale,
    TooMany,
    Unauthorised,
    Unavailable,
    Unparsable,
)
from shared.messaging.delivery import (
    LONGEST_JITTER,
    LONGEST_WAIT_SECONDS,
    SHORTEST_JITTER,
    Ack,
    DeadLetter,
    Disposition,
    RetryAfter,
    RetryPolicy,
    decide,
)
from shared.messaging.topology import Tier

SHORT, LONG = Tier("10s", 10), Tier("1m", 60)
THREE = RetryPolicy(3, (SHORT, LONG))

CASES: list[tuple[str, Exception | None, int, Disposition]] = [
    ("a handler that returns is done", None, 1, Ack()),
    ("… on its last attempt too", None, 3, Ack()),
    ("a bug waits in the first tier", ValueError(), 1, RetryAfter(10, SHORT)),
    ("… then one further", ValueError(), 2, RetryAfter(60, LONG)),
    ("… and is parked when no attempt is left", ValueError(), 3, DeadLetter("attempts_exhausted")),
    ("… also when the counter is beyond the limit", ValueError(), 9, DeadLetter("attempts_exhausted")),
    ("what is away is tried again", Unavailable("x"), 1, RetryAfter(10, SHORT)),
    ("a wait shorter than the back-off is no shortcut", Unavailable("x", 1), 1, RetryAfter(10, SHORT)),
    ("a wait as long as the back-off takes its tier", Unavailable("x", 10), 1, RetryAfter(10, SHORT)),
    ("a longer wait is the ledger's", Unavailable("x", 11), 1, RetryAfter(11, None)),
    ("… within a day", Unavailable("x", 10**12), 1, RetryAfter(LONGEST_WAIT_SECONDS, None)),
    ("… also where infinity is asked for", Unavailable("x", math.inf), 1, RetryAfter(LONGEST_WAIT_SECONDS, None)),
    ("a negative wait is the back-off", Unavailable("x", -5), 1, RetryAfter(10, SHORT)),
    ("out of attempts a wished wait counts for nothing", Unavailable("x", 5), 3, DeadLetter("attempts_exhausted")),
    ("invalid input would fail again", InvalidInput("x"), 1, DeadLetter("invalid_input")),
    ("… and so would what is no message", Unparsable("x"), 1, DeadLetter("unparsable")),
    ("… what may not be done", Forbidden("x"), 1, DeadLetter("forbidden")),
    ("… what nobody signed", Unauthorised("x"), 1, DeadLetter("unauthorised")),
    ("… what is not there", NotFound("x"), 1, DeadLetter("not_found")),
    ("… what conflicts", Conflict("x"), 1, DeadLetter("conflict")),
    ("… what is stale", Stale("x"), 1, DeadLetter("stale")),
    ("… a share that is used up", TooMany("x", retry_after_seconds=5), 1, DeadLetter("too_many")),
    ("the cause is named even on the last attempt", NotFound("x"), 3, DeadLetter("not_found")),
]


@pytest.mark.parametrize(
    ("error", "attempt", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_delivery_ends_as_the_table_says(error: Exception | None, attempt: int, expected: Disposition) -> None:
    assert decide(error, attempt, THREE, jitter=1.0) == expected


def test_not_a_number_as_a_wished_wait_is_within_a_day() -> None:
    match decide(Unavailable("x", math.nan), 1, THREE, jitter=1.0):
        case RetryAfter(seconds=seconds):
            assert 0 <= seconds <= LONGEST_WAIT_SECONDS
        case other:
            pytest.fail(f"{other}")


@given(attempt=st.integers(1, 50), jitter=st.floats(SHORTEST_JITTER, LONGEST_JITTER))
def test_a_retry_never_outlives_the_queue_it_waits_in(attempt: int, jitter: float) -> None:
    retry = RetryPolicy(99, (SHORT, LONG)).after(attempt, jitter)
    assert retry.tier is not None
    assert retry.tier.seconds * SHORTEST_JITTER <= retry.seconds < retry.tier.seconds * 1.5


def test_the_last_tier_repeats() -> None:
    policy = RetryPolicy(9, (SHORT, LONG))
    assert [policy.after(attempt, 1).tier for attempt in (1, 2, 3, 8)] == [SHORT, LONG, LONG, LONG]
