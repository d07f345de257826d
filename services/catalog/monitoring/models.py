"""The health score: 100 less what each of its terms costs. Pure: `docs/health.md` is rendered from these terms."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ConfigDict

from shared.web.identity import Identity

FULL_SCORE: Final = 100
FEWEST_JOBS: Final = 20
"""Among fewer finished jobs the failed ones are weighed as though so many had finished: one alone is no alarm."""
FEWEST_READS: Final = 1000
"""A cache that was asked less often has not had the time to fill: its hit rate costs nothing."""
HEAVY: Final = 10
"""A term of this weight or more that costs all of it leaves the status no better than degraded."""


class HealthStatus(StrEnum):
    """The score in a word. A full loss of a heavy term is `degraded` at best, whatever the score."""

    EXCELLENT = "excellent"
    GOOD = "good"
    DEGRADED = "degraded"
    CRITICAL = "critical"


LEAST_SCORE: Final[Mapping[HealthStatus, int]] = MappingProxyType(
    {HealthStatus.EXCELLENT: 96, HealthStatus.GOOD: 80, HealthStatus.DEGRADED: 50, HealthStatus.CRITICAL: 0}
)
"""The least score of each status, best first."""


class TermName(StrEnum):
    """What the score is made of."""

    DATABASE = "database"
    EVENT_STREAM = "event_stream"
    WORKERS = "workers"
    OUTBOX = "outbox"
    JOBS_SERVICE = "jobs_service"
    JOBS_OUTBOX = "jobs_outbox"
    WAITING = "waiting"
    BREAKERS = "breakers"
    PAUSED = "paused"
    FAILURES = "failures"
    DEAD_LETTERS = "dead_letters"
    SCHEDULER = "scheduler"
    CACHE = "cache"


@dataclass(frozen=True, slots=True)
class Rule:
    """How a term is judged: nothing up to `fine`, its whole weight from `full` on, in proportion between.

    Where `full` is the smaller of the two, less is worse. What cannot be observed costs the whole weight.
    """

    name: TermName
    weight: int
    observes: str
    unit: str
    fine: float
    full: float
    advice: str

    def cost(self, value: float) -> int:
        """Whole points, rounded up: what is not fine is seen."""
        share = (value - self.fine) / (self.full - self.fine)
        return math.ceil(self.weight * min(1.0, max(0.0, share)))


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        TermName.DATABASE,
        15,
        "How long the catalog's database takes to answer one small statement; it has 2 s.",
        "ms",
        fine=800,
        full=2000,
        advice="See that PostgreSQL runs and what it waits for (pg_stat_activity); the readiness of each process says "
        "who has lost it.",
    ),
    Rule(
        TermName.EVENT_STREAM,
        15,
        "Whether events reach this gateway: the relay publishes its heartbeat, the broker brings it back within 5 s.",
        "live",
        fine=1,
        full=0,
        advice="See that RabbitMQ runs without an alarm and that a relay does; until then events wait in the outbox "
        "and caches ask the database.",
    ),
    Rule(
        TermName.WORKERS,
        20,
        "Job types that no worker reads, of those there are; a worker counts that was heard of in the last 13 s.",
        "types",
        fine=0,
        full=2,
        advice="Start or restart the process that reads the types named; their jobs wait and none is lost.",
    ),
    Rule(
        TermName.OUTBOX,
        10,
        "Age of the oldest event in the catalog's outbox that the broker has not confirmed.",
        "s",
        fine=10,
        full=120,
        advice="See that a relay runs and reaches the broker; events stay in the outbox and go out in order.",
    ),
    Rule(
        TermName.JOBS_SERVICE,
        10,
        "How long the jobs api takes to tell its statistics; it has 1 s.",
        "ms",
        fine=800,
        full=1000,
        advice="See that the jobs api runs and reaches its database.",
    ),
    Rule(
        TermName.JOBS_OUTBOX,
        3,
        "Age of the oldest event in the ledger's outbox that the broker has not confirmed.",
        "s",
        fine=10,
        full=120,
        advice="See that a ledger runs and reaches the broker; its events stay in the outbox and go out in order.",
    ),
    Rule(
        TermName.WAITING,
        5,
        "How long the oldest job that is due has waited for its first attempt, whatever its priority; paused types "
        "aside.",
        "s",
        fine=60,
        full=600,
        advice="Start more workers of the type named, or find what holds up the ones there are. Where only low "
        "priorities wait, urgent jobs take all there is.",
    ),
    Rule(
        TermName.BREAKERS,
        4,
        "Job types that stand because what they depend on is away: an open breaker.",
        "types",
        fine=0,
        full=2,
        advice="Mend the mail server or object store that the note names; one job at a time tries, and the type goes "
        "on by itself. No attempts are spent meanwhile.",
    ),
    Rule(
        TermName.PAUSED,
        1,
        "Job types that operators paused.",
        "types",
        fine=0,
        full=1,
        advice="Resume with POST /api/admin/job-types/{type}/resume what need not stand any more.",
    ),
    Rule(
        TermName.FAILURES,
        5,
        f"Share of failed jobs among the last ones that ended within the hour, counted as of at least {FEWEST_JOBS}.",
        "share",
        fine=0.05,
        full=0.5,
        advice="Read the errors of the failed jobs, mend their cause, then retry them by hand.",
    ),
    Rule(
        TermName.DEAD_LETTERS,
        2,
        "Dead messages that are no job's, so that no retry of a job brings them back; 1000 are counted.",
        "letters",
        fine=0,
        full=20,
        advice="Read them in GET /api/admin/dead-letters, mend what could not read them, then replay or purge them.",
    ),
    Rule(
        TermName.SCHEDULER,
        5,
        "How long the scheduler takes to list its entries; it has 1 s.",
        "ms",
        fine=800,
        full=1000,
        advice="See that a scheduler runs and reaches its database; slots missed meanwhile follow their misfire rules.",
    ),
    Rule(
        TermName.CACHE,
        5,
        f"Hit rate of this gateway's caches, once they were asked {FEWEST_READS} times.",
        "share",
        fine=0.5,
        full=0.1,
        advice="See in GET /api/admin/cache whether a cache is too small for what is read, or is cleared too often.",
    ),
)
"""The weights add up to 100."""


class Heard(BaseModel):
    """Part of another service's answer: what is not named in it is let pass."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Waiting(Heard):
    """How long the oldest due job of a type and priority has waited for its first attempt."""

    type: str
    priority: int
    seconds: float


class HeardBreaker(Heard):
    """A type whose dependency is away, and the error that says so."""

    type: str
    since: datetime
    error_class: str | None
    error_message: str | None


class HeardWork(Heard):
    """What the jobs service knows of workers, of what waits or stands, and of jobs that ended within the hour."""

    active_workers: dict[str, int]
    oldest_waiting_seconds: dict[str, float]
    oldest_waiting: tuple[Waiting, ...]
    open_breakers: tuple[HeardBreaker, ...]
    paused: tuple[str, ...]
    unowned_letters: int
    outbox_seconds: float
    finished_last_hour: int
    failed_last_hour: int


class Task(Heard):
    """An entry of the schedule; `next_runs` is empty while it is not enabled."""

    name: str
    last_run: datetime | None
    next_runs: tuple[datetime, ...]
    enabled: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """Something a gateway saw `count` times, each time as `value`."""

    name: str
    label: str
    count: int
    value: int = 0


@dataclass(frozen=True, slots=True)
class Asker:
    """In whose name other services are asked, and for which request."""

    identity: Identity
    request_id: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What was observed of a term: `value` in its rule's unit, None if it could not be; `note` says what or why.

    `is_judged` is false for what is told but is too little to judge by: it costs nothing.
    """

    value: float | None
    note: str | None = None
    is_judged: bool = True


@dataclass(frozen=True, slots=True)
class Term:
    """A term as it was judged. `advice` is given where it cost something."""

    name: TermName
    weight: int
    cost: int
    value: float | None
    unit: str
    fine: float
    full: float
    note: str | None
    advice: str | None


@dataclass(frozen=True, slots=True)
class Health:
    """The score, 0 to 100, and its terms."""

    score: int
    status: HealthStatus
    terms: tuple[Term, ...]


def assess(readings: Mapping[TermName, Reading]) -> Health:
    """Judge what was observed. A term without a reading is one that could not be observed."""
    terms = tuple(_judged(rule, readings.get(rule.name, Reading(None))) for rule in RULES)
    score = FULL_SCORE - sum(term.cost for term in terms)
    return Health(score, _status(score, terms), terms)


def _judged(rule: Rule, reading: Reading) -> Term:
    value, note = reading.value, reading.note
    if not reading.is_judged:
        cost = 0
    elif value is None:
        cost, note = rule.weight, f"Not observed: {note or 'nothing was heard in time'}."
    else:
        cost = rule.cost(value)
    return Term(
        rule.name,
        rule.weight,
        cost,
        value,
        rule.unit,
        rule.fine,
        rule.full,
        note,
        rule.advice if cost else None,
    )


def _status(score: int, terms: tuple[Term, ...]) -> HealthStatus:
    status = next(status for status, least in LEAST_SCORE.items() if score >= least)
    if any(term.weight >= HEAVY and term.cost == term.weight for term in terms):
        return status if status is HealthStatus.CRITICAL else HealthStatus.DEGRADED
    return status


def workers_reading(active: Mapping[str, int]) -> Reading:
    """Of the workers that read each known type."""
    missing = sorted(kind for kind, count in active.items() if count == 0)
    return Reading(len(missing), f"No worker reads {', '.join(missing)}." if missing else None)


def waiting_reading(waiting: Sequence[Waiting]) -> Reading:
    """Of the oldest waiting job of each type and priority."""
    oldest = max(waiting, key=lambda one: one.seconds, default=None)
    if oldest is None:
        return Reading(0.0)
    return Reading(oldest.seconds, f"The oldest is of type {oldest.type} and priority {oldest.priority}.")


def breakers_reading(breakers: Sequence[HeardBreaker]) -> Reading:
    """Of the types that stand because a dependency is away."""
    notes = (f"{one.type} stands since {one.since:%Y-%m-%d %H:%M:%S} UTC: {_error(one)}." for one in breakers)
    return Reading(len(breakers), " ".join(notes) or None)


def paused_reading(types: Sequence[str]) -> Reading:
    """Of the types that people let stand."""
    return Reading(len(types), f"Paused: {', '.join(types)}." if types else None)


def failures_reading(*, finished: int, failed: int) -> Reading:
    """Of the jobs that ended within the hour, done or failed."""
    return Reading(round(failed / max(finished, FEWEST_JOBS), 4), f"{failed} of {finished} failed.")


def stream_reading(*, is_live: bool, is_reading: bool) -> Reading:
    """Of this gateway's reader of the event stream."""
    if is_live:
        return Reading(1)
    return Reading(0, "The relay's heartbeat does not come." if is_reading else "The broker does not answer.")


def cache_reading(*, hits: int, misses: int) -> Reading:
    """Of all caches of this gateway together."""
    rate, reads = hit_rate(hits, misses), hits + misses
    if reads < FEWEST_READS:
        return Reading(rate, f"Asked {reads} times, too seldom to judge.", is_judged=False)
    return Reading(rate)


def _error(breaker: HeardBreaker) -> str:
    told = [part.rstrip(".") for part in (breaker.error_class, breaker.error_message) if part]
    return ": ".join(told) or "no error was told"


def hit_rate(hits: int, misses: int) -> float | None:
    """Share of reads that were answered from memory; None before the first."""
    return round(hits / (hits + misses), 4) if hits + misses else None
