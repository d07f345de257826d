"""The health score, as tables of cases."""

from datetime import UTC, datetime

import pytest

from services.catalog.monitoring.models import (
    FEWEST_READS,
    FULL_SCORE,
    RULES,
    HealthStatus,
    HeardBreaker,
    Reading,
    TermName,
    Waiting,
    assess,
    breakers_reading,
    cache_reading,
    failures_reading,
    paused_reading,
    stream_reading,
    waiting_reading,
    workers_reading,
)

SINCE = datetime(2026, 1, 1, 12, 30, tzinfo=UTC)
MAIL_AWAY = HeardBreaker(type="send-email", since=SINCE, error_class="MailUnavailable", error_message="No answer.")
UNTOLD = HeardBreaker(type="process-image", since=SINCE, error_class=None, error_message=None)


def waits(seconds: float, priority: int = 3) -> Waiting:
    return Waiting(type="b", priority=priority, seconds=seconds)


QUIET = {
    TermName.DATABASE: Reading(2),
    TermName.EVENT_STREAM: stream_reading(is_live=True, is_reading=True),
    TermName.WORKERS: workers_reading({"send-email": 1, "process-image": 2}),
    TermName.OUTBOX: Reading(0),
    TermName.JOBS_SERVICE: Reading(10),
    TermName.WAITING: waiting_reading([]),
    TermName.JOBS_OUTBOX: Reading(0),
    TermName.BREAKERS: breakers_reading([]),
    TermName.PAUSED: paused_reading([]),
    TermName.DEAD_LETTERS: Reading(0),
    TermName.FAILURES: failures_reading(finished=0, failed=0),
    TermName.SCHEDULER: Reading(10),
    TermName.CACHE: cache_reading(hits=0, misses=0),
}
AWAY = Reading(None, "the jobs service does not answer")
JOBS_TERMS = (
    TermName.JOBS_SERVICE,
    TermName.WORKERS,
    TermName.WAITING,
    TermName.FAILURES,
    TermName.JOBS_OUTBOX,
    TermName.BREAKERS,
    TermName.PAUSED,
    TermName.DEAD_LETTERS,
)


def test_the_weights_add_up_to_the_full_score_and_each_name_has_one_rule() -> None:
    assert sum(rule.weight for rule in RULES) == FULL_SCORE
    assert sorted(rule.name for rule in RULES) == sorted(TermName)


def test_a_quiet_healthy_system_has_it_all() -> None:
    health = assess(QUIET)
    assert (health.score, health.status) == (100, HealthStatus.EXCELLENT)
    assert all(term.advice is None for term in health.terms)


FAULTS: list[tuple[str, dict[TermName, Reading], int, HealthStatus]] = [
    ("a slow database", {TermName.DATABASE: Reading(1200)}, 95, HealthStatus.GOOD),
    ("a database that stands", {TermName.DATABASE: Reading(None)}, 85, HealthStatus.DEGRADED),
    ("an event that waits a little long", {TermName.OUTBOX: Reading(11)}, 99, HealthStatus.EXCELLENT),
    ("an event that waits half the way", {TermName.OUTBOX: Reading(65)}, 95, HealthStatus.GOOD),
    ("an event that waits and waits", {TermName.OUTBOX: Reading(5000)}, 90, HealthStatus.DEGRADED),
    (
        "the broker away",
        {TermName.EVENT_STREAM: stream_reading(is_live=False, is_reading=False)},
        85,
        HealthStatus.DEGRADED,
    ),
    ("one type unread", {TermName.WORKERS: workers_reading({"a": 0, "b": 1})}, 90, HealthStatus.GOOD),
    ("two types unread", {TermName.WORKERS: workers_reading({"a": 0, "b": 0, "c": 1})}, 80, HealthStatus.DEGRADED),
    ("no type read", {TermName.WORKERS: workers_reading(dict.fromkeys("abcdefgh", 0))}, 80, HealthStatus.DEGRADED),
    ("a slow jobs api", {TermName.JOBS_SERVICE: Reading(900)}, 95, HealthStatus.GOOD),
    ("the jobs api away", dict.fromkeys(JOBS_TERMS, AWAY), 50, HealthStatus.DEGRADED),
    ("a job that waits", {TermName.WAITING: waiting_reading([waits(3), waits(330)])}, 97, HealthStatus.EXCELLENT),
    ("a ledger that sends nothing", {TermName.JOBS_OUTBOX: Reading(120)}, 97, HealthStatus.EXCELLENT),
    ("the mail server away", {TermName.BREAKERS: breakers_reading([MAIL_AWAY])}, 98, HealthStatus.EXCELLENT),
    ("two dependencies away", {TermName.BREAKERS: breakers_reading([MAIL_AWAY, UNTOLD])}, 96, HealthStatus.EXCELLENT),
    ("a paused type", {TermName.PAUSED: paused_reading(["send-email"])}, 99, HealthStatus.EXCELLENT),
    ("one letter that is no job's", {TermName.DEAD_LETTERS: Reading(1)}, 99, HealthStatus.EXCELLENT),
    ("many letters that are no job's", {TermName.DEAD_LETTERS: Reading(1000)}, 98, HealthStatus.EXCELLENT),
    ("the scheduler away", {TermName.SCHEDULER: Reading(None)}, 95, HealthStatus.GOOD),
    ("caches that do not help", {TermName.CACHE: cache_reading(hits=0, misses=FEWEST_READS)}, 95, HealthStatus.GOOD),
    ("nothing answers", dict.fromkeys(TermName, Reading(None)), 0, HealthStatus.CRITICAL),
    (
        "the broker, the jobs api and the outbox",
        {
            **dict.fromkeys(JOBS_TERMS, AWAY),
            TermName.EVENT_STREAM: stream_reading(is_live=False, is_reading=True),
            TermName.OUTBOX: Reading(600),
        },
        25,
        HealthStatus.CRITICAL,
    ),
]


@pytest.mark.parametrize(("faults", "score", "status"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])
def test_a_fault_costs_its_terms(faults: dict[TermName, Reading], score: int, status: HealthStatus) -> None:
    health = assess({**QUIET, **faults})
    assert (health.score, health.status) == (score, status)
    assert {term.name for term in health.terms if term.cost} == set(faults)
    assert all((term.advice is not None) == (term.cost > 0) for term in health.terms)


def test_what_is_not_observed_costs_all_and_says_why() -> None:
    terms = {term.name: term for term in assess({TermName.OUTBOX: AWAY}).terms}
    assert terms[TermName.OUTBOX].note == "Not observed: the jobs service does not answer."
    assert terms[TermName.DATABASE].note == "Not observed: nothing was heard in time."
    assert all((term.value, term.cost) == (None, term.weight) for term in terms.values())


FAILED = [
    (0, 0, 0),
    (1, 1, 0),  # one alone is no alarm
    (2, 2, 1),
    (20, 1, 0),
    (20, 10, 5),
    (2000, 100, 0),
    (2000, 120, 1),
    (2000, 2000, 5),
]


@pytest.mark.parametrize(("finished", "failed", "cost"), FAILED)
def test_failed_jobs_cost_by_their_share(finished: int, failed: int, cost: int) -> None:
    health = assess({**QUIET, TermName.FAILURES: failures_reading(finished=finished, failed=failed)})
    assert health.score == 100 - cost


READS = [(0, 0, 0), (0, FEWEST_READS - 1, 0), (500, 500, 0), (300, 700, 3), (100, 900, 5), (990, 10, 0)]


@pytest.mark.parametrize(("hits", "misses", "cost"), READS)
def test_a_cache_is_judged_once_it_was_asked_enough(hits: int, misses: int, cost: int) -> None:
    assert assess({**QUIET, TermName.CACHE: cache_reading(hits=hits, misses=misses)}).score == 100 - cost


def test_notes_name_what_is_wrong() -> None:
    assert workers_reading({"b": 0, "a": 0, "c": 3}).note == "No worker reads a, b."
    assert waiting_reading([waits(5), waits(7.5, 1)]).note == "The oldest is of type b and priority 1."
    assert waiting_reading([]) == Reading(0.0)
    assert paused_reading(["a", "b"]).note == "Paused: a, b."
    assert breakers_reading([MAIL_AWAY, UNTOLD]).note == (
        "send-email stands since 2026-01-01 12:30:00 UTC: MailUnavailable: No answer. "
        "process-image stands since 2026-01-01 12:30:00 UTC: no error was told."
    )
    assert stream_reading(is_live=False, is_reading=True).note == "The relay's heartbeat does not come."
