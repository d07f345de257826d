"""What becomes of slots that are looked at late."""

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from services.scheduler.misfire import judge

NOW = datetime(2026, 11, 23, 12, 0, 10, tzinfo=UTC)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


LATE = [ago(150), ago(120), ago(90), ago(60), ago(30)]


@pytest.mark.parametrize(
    ("misfire", "slots", "emitted", "given_up"),
    [
        ("skip", [ago(0.2)], [(ago(0.2), "slot")], 0),
        ("skip", LATE, [], 5),
        ("skip", [*LATE, ago(0.2)], [(ago(0.2), "slot")], 5),
        ("once", LATE, [(ago(30), "catch_up")], 4),
        ("once", [*LATE, ago(0.2)], [(ago(0.2), "slot")], 5),
        ("once", [ago(150)], [], 1),
        ("all", LATE, [(ago(90), "catch_up"), (ago(60), "catch_up"), (ago(30), "catch_up")], 2),
        ("all", [ago(30), ago(0.2)], [(ago(30), "catch_up"), (ago(0.2), "slot")], 0),
        ("all", [], [], 0),
    ],
)
def test_misfire(
    misfire: Literal["skip", "once", "all"],
    slots: list[datetime],
    emitted: list[tuple[datetime, str]],
    given_up: int,
) -> None:
    verdict = judge(slots, NOW, misfire=misfire, window=timedelta(minutes=100))
    assert list(verdict.emit) == emitted
    assert verdict.given_up == given_up
