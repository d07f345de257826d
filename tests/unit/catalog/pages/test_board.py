"""The board's own rules: what is masked and put back, how durations are said, where bars and lines are."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from services.catalog.pages.board import charts
from services.catalog.pages.board.filters import Filters
from services.catalog.pages.board.masking import masked, masked_text, unmasked
from services.catalog.pages.board.models import FailureGroup, Step
from services.catalog.pages.board.wording import about, ahead, duration
from shared.errors import InvalidInput

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("kate@example.com"),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["email", "token", "title", "to", "x"]), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("550 no mailbox kate.b+x@example.com here", "550 no mailbox k•••@example.com here"),
        ("a@example.com,b@mail.example.org", "a•••@example.com,b•••@mail.example.org"),
        ("10.0.0.7 refused", "10.0.0.7 refused"),
        (
            "see https://x.example.com/r/01890000-0000-7000-8000-000000000000/abc.DEF-1",
            "see https://x.example.com/r/01890000-0000-7000-8000-000000000000/•••",
        ),
    ],
)
def test_texts_lose_addresses_and_secret_links(text: str, shown: str) -> None:
    assert masked_text(text) == shown


def test_values_are_masked_by_name_and_by_look() -> None:
    payload: JsonValue = {
        "title": "Bowl",
        "to": ["Kate", "kate@example.com"],
        "params": {"phone": "555 0100", "note": "ask kate@example.com", "token": "s3cret", "n": 3},
    }
    assert masked(payload) == {
        "title": "Bowl",
        "to": ["K•••", "k•••@example.com"],
        "params": {"phone": "5•••", "note": "ask k•••@example.com", "token": "•••", "n": 3},
    }


@given(JSON)
def test_what_was_not_touched_is_put_back(value: JsonValue) -> None:
    assert unmasked(masked(value), value) == value


def test_a_change_beside_what_is_masked_keeps_both() -> None:
    original: JsonValue = {"email": "kate@example.com", "title": "Bowl", "to": ["kate@example.com"]}
    shown: JsonValue = {
        "email": "k•••@example.com",
        "title": "Walnut bowl",
        "to": ["k•••@example.com", "new@example.com"],
    }
    assert unmasked(shown, original) == {
        "email": "kate@example.com",
        "title": "Walnut bowl",
        "to": ["kate@example.com", "new@example.com"],
    }


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1250, "1.2 s"),
        (9999, "10.0 s"),
        (59_400, "59 s"),
        (90_000, "2 min"),
        (3_600_000, "1 h"),
        (7_800_000, "2 h 10 min"),
        (90_000_000, "1 d 1 h"),
    ],
)
def test_durations_are_said_shortly(milliseconds: int, said: str) -> None:
    assert duration(milliseconds) == said


def test_times_to_come_and_targets_are_said_shortly() -> None:
    assert ahead(NOW - timedelta(seconds=3), NOW) == "now"
    assert ahead(NOW + timedelta(minutes=39), NOW) == "in 39 min"
    assert about("product_approved") == "product_approved"
    assert about("01890000-0000-7000-8000-0000deadbeef") == "deadbeef"


def step(minute: int, completed: int = 0, failed: int = 0, wait_ms: int | None = None) -> Step:
    return Step(
        at=NOW + timedelta(minutes=minute),
        completed=completed,
        failed=failed,
        cancelled=0,
        retried=1,
        wait_ms=wait_ms,
        longest_wait_ms=wait_ms,
        run_ms=None,
        longest_run_ms=None,
    )


def test_bars_stand_on_the_ground_and_below_a_round_top() -> None:
    drawn = charts.throughput([step(0, 60), step(1), step(2, 10, 1)])
    assert (drawn.top, drawn.completed, drawn.failed, drawn.retried) == (100, 70, 1, 3)
    assert len(drawn.bars) == 2  # where nothing happened nothing is drawn
    for bar in drawn.bars:
        assert bar.done_y + bar.done_height == pytest.approx(charts.HEIGHT, abs=0.02)
        assert bar.failed_y >= 0
    assert drawn.bars[1].failed_height == 2.0  # one among many is still to be seen
    assert drawn.bars[1].title == "12:02: 10 done, 1 failed"
    assert charts.throughput([]).top == 1


def test_lines_break_where_nothing_is_known() -> None:
    drawn = charts.times([step(0, wait_ms=100), step(1, wait_ms=300), step(2), step(3, wait_ms=50)])
    assert [len(points.split()) for points in drawn.waits] == [2, 2]  # a lone value is a short dash
    assert (drawn.runs, drawn.top, drawn.wait, drawn.longest_wait) == ([], "400 ms", "150 ms", "300 ms")


def test_filters_become_what_the_service_is_asked() -> None:
    filters = Filters.of({"type": "send-email", "within": "1h", "q": " ", "span": "6h", "other": "x"})
    assert filters.in_address == {"type": "send-email", "within": "1h", "span": "6h"}
    assert filters.asked(NOW) == {"type": "send-email", "since": "2026-03-01T11:00:00+00:00"}
    assert Filters.of({"priority": "2", "until": "2026-03-01T10:00"}).as_body(NOW) == {
        "priority": 2,
        "until": "2026-03-01T10:00:00+00:00",
    }
    with pytest.raises(InvalidInput):
        Filters.of({"since": "noon"}).asked(NOW)


@pytest.mark.parametrize(
    ("error_class", "cause", "search"),
    [
        ("MailboxRejected", "All <n> recipients", "MailboxRejected: All"),
        ("NotFound", "no row <id> here", "NotFound: no row"),
        ("Timeout", "<n> s", "Timeout"),
        ("Timeout", None, "Timeout"),
        (None, "x", ""),
    ],
)
def test_a_group_of_failures_is_found_by_what_is_alike_in_it(
    error_class: str | None, cause: str | None, search: str
) -> None:
    group = FailureGroup(
        type="send-email",
        error_class=error_class,
        cause=cause,
        jobs=2,
        first_seen=NOW,
        last_seen=NOW,
        example=UUID(int=1),
    )
    assert group.search == search
