"""What happened to a job between two looks."""

from typing import Any

import pytest

from deploy.cli.tail import changes
from tests.unit.deploy.cli.test_commands import JOB

WAITING = JOB | {"state": "pending", "attempt": 1, "attempts": [], "error": None, "finished_at": None}
FIRST = {
    "number": 1,
    "worker": "notifier",
    "outcome": "failed",
    "started_at": "2026-01-31T12:00:01Z",
    "run_ms": 81,
    "error": {"class": "MailboxDeferred", "message": "later"},
    "retry_at": "2026-01-31T12:00:11Z",
}
SECOND = FIRST | {"number": 2, "outcome": "completed", "error": None, "retry_at": None}


def told(before: dict[str, Any] | None, **after: Any) -> list[str]:
    return [change.what for change in changes(before, WAITING | after)]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, {}, ["made"]),
        (None, {"state": "completed", "attempts": [FIRST, SECOND]}, ["made", "attempt", "completed"]),
        (WAITING, {}, []),
        (WAITING, {"state": "processing"}, ["processing"]),
        (WAITING, {"state": "retrying", "attempts": [FIRST]}, ["attempt"]),
        (
            WAITING | {"attempts": [FIRST]},
            {"state": "completed", "attempts": [FIRST, SECOND]},
            ["completed"],
        ),
        (WAITING, {"state": "cancelled"}, ["cancelled"]),
        (WAITING | {"state": "failed"}, {"state": "pending"}, ["pending"]),
        (WAITING | {"state": "completed"}, {"state": "completed"}, []),
    ],
)
def test_each_change_is_told_once(before: dict[str, Any] | None, after: dict[str, Any], expected: list[str]) -> None:
    assert told(before, **after) == expected


def test_an_attempt_says_what_went_wrong_and_when_it_goes_on() -> None:
    [change] = changes(WAITING, WAITING | {"state": "retrying", "attempts": [FIRST]})
    assert change.note.startswith("1 of 3 failed after 81 ms (MailboxDeferred: later), again at ")
