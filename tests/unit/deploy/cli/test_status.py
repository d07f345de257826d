"""Since when a process complains, and times as people write them."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import typer

from deploy.cli.moments import moment
from deploy.cli.shown import duration
from deploy.cli.status import last_moment, troubled_since

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def line(seconds: float, level: str = "warning") -> str:
    return json.dumps({"level": level, "timestamp": (NOON + timedelta(seconds=seconds)).isoformat()})


def test_trouble_begins_with_the_first_complaint_after_a_calm_minute() -> None:
    lines = [line(-600), line(0), line(20), line(25, "info"), "not JSON", '{"level": "error"}', line(70, "error")]
    assert troubled_since(lines) == NOON.isoformat()


def test_the_last_words_are_of_the_last_line_that_says_when() -> None:
    assert last_moment([line(0), line(20, "info"), "Traceback", "{}"]) == (NOON + timedelta(seconds=20)).isoformat()
    assert last_moment(["Traceback"]) is None


def test_a_calm_log_tells_nothing() -> None:
    assert troubled_since([line(0, "info"), "", "[1]"]) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", NOON - timedelta(minutes=30)),
        ("7d", NOON - timedelta(days=7)),
        ("2026-01-31T12:00:00+01:00", NOON - timedelta(hours=1)),
    ],
)
def test_times_are_ago_or_absolute(text: str, expected: datetime) -> None:
    assert moment(text, NOON) == expected


@pytest.mark.parametrize("text", ["", "5", "5w", "yesterday", "-5m"])
def test_other_words_are_no_times(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        moment(text, NOON)


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(None, ""), (0, "0 ms"), (81.4, "81 ms"), (2140, "2.1 s"), (240_000, "4 min"), (3 * 3.6e6, "3 h"), (3e8, "3 d")],
)
def test_durations_are_in_the_unit_that_fits(milliseconds: float | None, words: str) -> None:
    assert duration(milliseconds) == words
