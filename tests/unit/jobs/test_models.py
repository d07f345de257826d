"""What a report does to a job: a table, and what holds for any order of any reports."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.jobs.models import (
    FINAL,
    CounterDeltas,
    JobState,
    Order,
    Standing,
    after_report,
    entry_of,
    new_job,
    statistics,
)
from shared.contracts import jobs
from shared.contracts.reports import AttemptError, AttemptReport, Outcome

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
JOB = UUID("019b7600-0000-7000-8000-000000000001")
S, O = JobState, Outcome  # noqa: E741 - the table below is read by columns


def standing(state: JobState = S.PENDING, *, attempt: int = 0, fence: int = 1) -> Standing:
    return Standing(
        id=JOB,
        type="send-email",
        state=state,
        attempt=attempt,
        fence=fence,
        cause=None,
        cause_type=None,
        target="t",
        vendor_id=None,
        finished_at=NOW if state in FINAL else None,
    )


def report(outcome: Outcome, *, attempt: int = 1, fence: int = 1, waits_in_ledger: bool = False) -> AttemptReport:
    failed = outcome in (O.RETRYING, O.FAILED)
    return AttemptReport(
        job_id=JOB,
        job_type="send-email",
        attempt=attempt,
        fence=fence,
        outcome=outcome,
        worker="w",
        started_at=NOW,
        run_ms=7,
        error=AttemptError(error_class="E", message=f"attempt {attempt}") if failed else None,
        retry_at=NOW + timedelta(seconds=10) if outcome is O.RETRYING else None,
        waits_in_ledger=waits_in_ledger,
        result={"attempt": attempt} if outcome is O.COMPLETED else None,
    )


# state, attempt, fence | outcome, attempt, fence | state after, attempt after
CASES = [
    (S.PENDING, 0, 1, O.STARTED, 1, 1, S.PROCESSING, 1),
    (S.PENDING, 0, 1, O.COMPLETED, 1, 1, S.COMPLETED, 1),
    (S.PENDING, 0, 1, O.RETRYING, 1, 1, S.RETRYING, 1),
    (S.PENDING, 0, 1, O.FAILED, 1, 1, S.FAILED, 1),
    (S.PENDING, 0, 1, O.CANCELLED, 1, 1, S.CANCELLED, 1),
    (S.PROCESSING, 1, 1, O.COMPLETED, 1, 1, S.COMPLETED, 1),
    (S.PROCESSING, 1, 1, O.RETRYING, 1, 1, S.RETRYING, 1),
    (S.RETRYING, 1, 1, O.STARTED, 2, 1, S.PROCESSING, 2),
    (S.RETRYING, 1, 1, O.FAILED, 2, 1, S.FAILED, 2),
    # the start that comes after the end of its own attempt
    (S.RETRYING, 1, 1, O.STARTED, 1, 1, S.RETRYING, 1),
    (S.COMPLETED, 1, 1, O.STARTED, 1, 1, S.COMPLETED, 1),
    # an earlier attempt heard of late
    (S.PROCESSING, 2, 1, O.RETRYING, 1, 1, S.PROCESSING, 2),
    (S.PROCESSING, 2, 1, O.STARTED, 1, 1, S.PROCESSING, 2),
    (S.RETRYING, 3, 1, O.FAILED, 2, 1, S.RETRYING, 3),
    # a final job stays as it is …
    (S.FAILED, 3, 1, O.RETRYING, 3, 1, S.FAILED, 3),
    (S.CANCELLED, 1, 1, O.FAILED, 1, 1, S.CANCELLED, 1),
    (S.COMPLETED, 1, 1, O.FAILED, 2, 1, S.COMPLETED, 1),
    (S.COMPLETED, 1, 1, O.COMPLETED, 2, 1, S.COMPLETED, 1),
    # … unless the effect happened after all
    (S.FAILED, 3, 1, O.COMPLETED, 3, 1, S.COMPLETED, 3),
    (S.CANCELLED, 1, 1, O.COMPLETED, 1, 1, S.COMPLETED, 1),
    # a superseded fence is history only …
    (S.PENDING, 3, 2, O.FAILED, 4, 1, S.PENDING, 3),
    (S.PROCESSING, 4, 2, O.RETRYING, 5, 1, S.PROCESSING, 4),
    (S.PENDING, 3, 2, O.STARTED, 4, 1, S.PENDING, 3),
    # … unless it completed
    (S.PENDING, 3, 2, O.COMPLETED, 3, 1, S.COMPLETED, 3),
    (S.RETRYING, 4, 2, O.COMPLETED, 1, 1, S.COMPLETED, 4),
    (S.SCHEDULED, 0, 1, O.COMPLETED, 1, 1, S.COMPLETED, 1),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}{case[1:3]}-{case[3]}{case[4:6]}")
def test_a_report_does_what_the_table_says(
    case: tuple[JobState, int, int, Outcome, int, int, JobState, int],
) -> None:
    state, attempt, fence, outcome, reported, reported_fence, state_after, attempt_after = case
    before = standing(state, attempt=attempt, fence=fence)
    after = after_report(before, report(outcome, attempt=reported, fence=reported_fence), now=NOW)
    assert (after.state, after.attempt, after.fence) == (state_after, attempt_after, fence)
    assert (after.finished_at is not None) == (after.state in FINAL)
    if state is state_after and state in FINAL:
        assert after is before


def test_an_attempt_leaves_its_error_its_time_and_its_next_retry() -> None:
    after = after_report(standing(), report(O.RETRYING), now=NOW)
    assert (after.error_class, after.error_message, after.run_ms) == ("E", "attempt 1", 7)
    assert (after.started_at, after.retry_at, after.waits_in_ledger) == (NOW, NOW + timedelta(seconds=10), False)


def test_completion_clears_the_next_retry_and_keeps_the_result() -> None:
    retrying = after_report(standing(), report(O.RETRYING, waits_in_ledger=True), now=NOW)
    assert retrying.waits_in_ledger
    after = after_report(retrying, report(O.COMPLETED, attempt=2), now=NOW)
    assert (after.retry_at, after.waits_in_ledger, after.result) == (None, False, {"attempt": 2})


def test_what_no_retry_queue_holds_waits_in_the_ledger_however_short() -> None:
    """The worker has published no retry for it: were it not the ledger's, nobody would ever publish it."""
    brief = report(O.RETRYING, waits_in_ledger=True).model_copy(update={"retry_at": NOW})
    assert after_report(standing(), brief, now=NOW).waits_in_ledger


reports = st.builds(
    report,
    st.sampled_from(Outcome),
    attempt=st.integers(1, 4),
    fence=st.integers(1, 3),
    waits_in_ledger=st.booleans(),
)


@given(st.lists(reports, max_size=12), st.integers(1, 3))
def test_any_reports_in_any_order_obey_the_rules(heard: list[AttemptReport], fence: int) -> None:
    """Protocol rule 14: completed wins over all; every other report of a superseded fence is history only."""
    job = standing(fence=fence)
    for one in heard:
        before = job
        job = after_report(job, one, now=NOW)
        assert job.fence == fence
        assert job.attempt >= before.attempt
        if before.state in FINAL and job.state is not before.state:
            assert job.state is S.COMPLETED
        if one.outcome is not O.COMPLETED and one.fence != fence:
            assert job is before
        assert (job.finished_at is not None) == (job.state in FINAL)
        assert not job.waits_in_ledger or job.state is S.RETRYING
    assert (job.state is S.COMPLETED) == any(one.outcome is O.COMPLETED for one in heard)
    if job.state not in FINAL:
        ours = [one for one in heard if one.fence == fence]
        assert all(one.outcome in (O.STARTED, O.RETRYING) for one in ours if one.attempt == job.attempt)


@given(st.data())
def test_the_reports_of_one_life_end_the_same_in_every_order_and_number(data: st.DataObject) -> None:
    """What one worker says of a job, attempt by attempt, repeated and shuffled by a bad link."""
    failures = data.draw(st.integers(0, 2))
    life = [
        one for n in range(1, failures + 1) for one in (report(O.STARTED, attempt=n), report(O.RETRYING, attempt=n))
    ]
    last = data.draw(st.sampled_from([None, O.COMPLETED, O.FAILED, O.CANCELLED]))
    if last is not None:
        life += [report(O.STARTED, attempt=failures + 1), report(last, attempt=failures + 1)]
    heard = data.draw(
        st.permutations(life + data.draw(st.lists(st.sampled_from(life), max_size=4) if life else st.just([])))
    )
    assert _heard(heard).state is _heard(life).state
    assert _heard(heard).attempt == _heard(life).attempt


def _heard(reports_heard: Sequence[AttemptReport]) -> Standing:
    job = standing()
    for one in reports_heard:
        job = after_report(job, one, now=NOW)
    return job


def test_the_history_keeps_what_a_report_said() -> None:
    entry = entry_of(report(O.RETRYING, attempt=2, fence=3), S.PENDING)
    assert (entry.state, entry.outcome, entry.attempt, entry.fence) == (S.PENDING, "retrying", 2, 3)
    assert (entry.error_class, entry.error_message, entry.worker, entry.run_ms) == ("E", "attempt 2", "w", 7)


def test_the_same_cause_and_target_give_the_same_job() -> None:
    cause = UUID("019b7600-0000-7000-8000-00000000000a")
    made = [
        new_job(Order(job, target=target, round=round_), cause=cause, cause_type="x", caused_at=NOW).id
        for job, target, round_ in itertools.product([jobs.CleanupJobs(), jobs.CleanupCache()], ["a", "b"], [1, 2])
    ]
    again = new_job(Order(jobs.CleanupJobs(), target="a"), cause=cause, cause_type="y", caused_at=NOW)
    assert len(set(made)) == 8
    assert again.id == made[0]


def test_a_job_takes_its_types_numbers_unless_told_otherwise() -> None:
    order = Order(jobs.CheckLowStock(), target="a")
    plain = new_job(order, cause=JOB, cause_type="x", caused_at=NOW)
    assert (plain.priority, plain.max_attempts, plain.timeout_ms, plain.state) == (2, 3, 60_000, S.PENDING)
    told = new_job(replace(order, priority=5), cause=JOB, cause_type="x", caused_at=NOW, max_attempts=1, run_at=NOW)
    assert (told.priority, told.max_attempts, told.state) == (5, 1, S.SCHEDULED)


def test_counters_sum_up_by_key_and_forget_what_cancels_out() -> None:
    deltas = CounterDeltas()
    deltas.moved("b", before=None, after=S.PENDING)
    deltas.moved("a", before=S.PENDING, after=S.COMPLETED)
    deltas.moved("a", before=S.PENDING, after=S.COMPLETED)
    deltas.moved("b", before=S.PENDING, after=S.PENDING)
    deltas.moved("c", before=S.FAILED, after=S.PENDING)
    deltas.moved("c", before=S.PENDING, after=S.FAILED)
    deltas.moved("d", before=S.FAILED, after=None)
    assert deltas.in_key_order() == [
        ("a", "completed", 2),
        ("a", "pending", -2),
        ("b", "pending", 1),
        ("d", "failed", -1),
    ]


states = st.sampled_from(JobState)


@given(st.lists(st.tuples(st.none() | states, st.none() | states)))
def test_counters_come_to_jobs_that_came_less_those_that_went(
    moves: list[tuple[JobState | None, JobState | None]],
) -> None:
    deltas = CounterDeltas()
    for before, after in moves:
        deltas.moved("t", before=before, after=after)
    net = sum(1 for before, after in moves if before is None and after) - sum(
        1 for before, after in moves if after is None and before
    )
    assert sum(n for _, _, n in deltas.in_key_order()) == net


def test_statistics_name_every_state_and_their_sum() -> None:
    assert statistics([("pending", 2), ("completed", 3), ("failed", 1)]) == {
        "total": 6,
        "scheduled": 0,
        "pending": 2,
        "processing": 0,
        "retrying": 0,
        "completed": 3,
        "failed": 1,
        "cancelled": 0,
    }
