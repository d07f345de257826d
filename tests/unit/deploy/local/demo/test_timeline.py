"""What the demo prints can be read on 120 columns, and `--json` has all of it."""

import io
from typing import Any

import pytest
from rich.console import Console

from deploy.local.demo.people import problem_of
from deploy.local.demo.timeline import TABLE_WIDTH, Timeline
from shared.contracts.jobs import JOB_BY_TYPE

JOB: dict[str, Any] = {
    "id": "01a20a8d-8170-7254-a5ec-96ef8093d7af",
    "priority": 2,
    "attempt": 3,
    "max_attempts": 3,
    "payload": {},
    "wait_ms": 123_456,
    "run_ms": 123_456,
    "result": {"bytes": 582_107, "width": 1600, "height": 1200, "renditions": 8, "skipped_count": 0, "more": 1},
}
ATTEMPT: dict[str, Any] = {
    "number": 1,
    "outcome": "retry",
    "started_at": "2026-03-01T12:00:00Z",
    "run_ms": 500,
    "error": {"class": "MailboxDeferred", "message": "451 4.2.2 The mailbox is full, try again later. " * 4},
    "retry_at": "2026-03-01T12:00:02Z",
}


@pytest.fixture
def printed() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def timeline(printed: io.StringIO) -> Timeline:
    return Timeline(Console(file=printed, width=TABLE_WIDTH, soft_wrap=True, highlight=False))


@pytest.mark.parametrize("kind", JOB_BY_TYPE)
def test_no_column_of_the_job_table_but_the_last_is_cut(kind: str, timeline: Timeline, printed: io.StringIO) -> None:
    states = ("scheduled", "pending", "processing", "retrying", "completed", "failed", "cancelled")
    timeline.jobs([{**JOB, "type": kind, "state": state} for state in states])
    head, *rows = printed.getvalue().splitlines()
    assert head.split() == ["job", "priority", "state", "attempts", "wait", "ms", "run", "ms", "result"]
    assert [row.split()[:6] for row in rows] == [[kind, "2", state, "3/3", "123456", "123456"] for state in states]
    assert all("skipped" not in row for row in rows)
    assert max(len(line) for line in (head, *rows)) <= TABLE_WIDTH


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        (None, ""),
        ({"created": True, "skipped": [], "skipped_count": 0}, "created"),
        ({"sent": ["one"], "counts": {"sent": 1, "already_sent": 2}}, "1 sent, 2 already sent"),
        ("done", "done"),
    ],
)
def test_a_result_is_shown_by_what_it_counts(
    result: object, shown: str, timeline: Timeline, printed: io.StringIO
) -> None:
    timeline.jobs([{**JOB, "type": "send-email", "state": "completed", "result": result}])
    assert printed.getvalue().splitlines()[1].rpartition("123456")[2].strip() == shown


def test_a_mail_is_shown_with_what_it_was_about(timeline: Timeline, printed: io.StringIO) -> None:
    mail = {**JOB, "type": "send-email", "state": "completed", "result": {"counts": {"sent": 1}}}
    timeline.jobs([{**mail, "payload": {"letter": "product_rejected"}}])
    assert printed.getvalue().rstrip().endswith("product rejected: 1 sent")


def test_an_attempt_says_what_went_wrong_and_when_it_is_tried_again(timeline: Timeline, printed: io.StringIO) -> None:
    timeline.attempt({**JOB, "type": "send-email"}, ATTEMPT)
    timeline.attempt({**JOB, "type": "send-email"}, {**ATTEMPT, "retry_at": None})
    timeline.attempt({**JOB, "type": "send-email"}, {**ATTEMPT, "outcome": "completed", "error": None})
    lines = printed.getvalue().splitlines()
    first, second, third = (line for line in lines if "attempt" in line)
    assert first.endswith("send-email 1 of 3 failed (MailboxDeferred), again in 1.5 s")
    assert second.endswith("failed (MailboxDeferred), given up")
    assert third.endswith("1 of 3 completed")
    assert max(map(len, lines)) <= TABLE_WIDTH
    assert [entry["kind"] for entry in timeline.entries] == ["attempt"] * 3


def test_a_refused_request_is_shown_with_its_problem(timeline: Timeline, printed: io.StringIO) -> None:
    problem = {"type": "urn:souk:problem:invalid_input", "errors": [{"pointer": "/price", "code": "missing"}]}
    timeline.request("vendor 1", "POST", "/api/vendor/products", 422, 3.2, problem_of(problem))
    timeline.request("visitor", "GET", "/api/products", 200, 3.2)
    refused, answered = (line.rstrip("\n") for line in printed.getvalue().splitlines())
    assert refused.endswith("422  3 ms  invalid_input /price")
    assert answered.endswith("200  3 ms")
    assert [entry.get("problem") for entry in timeline.entries] == ["invalid_input /price", None]


def test_words_of_a_mail_keep_their_indent_where_they_are_wrapped(timeline: Timeline, printed: io.StringIO) -> None:
    timeline.quote(["  * " + "word " * 40])
    first, second, *_ = (line.partition("│ ")[2] for line in printed.getvalue().splitlines())
    assert first.startswith("  * word")
    assert second.startswith("  word")
