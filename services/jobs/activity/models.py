"""What is counted of jobs by minute and type. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from services.jobs.models import FINAL, HistoryEntry, JobState, Standing
from shared.contracts.reports import Outcome

_RAN: Final = frozenset({Outcome.COMPLETED.value, Outcome.RETRYING.value, Outcome.FAILED.value})
"""Outcomes of attempts whose run time says something: they were made to their end."""


@dataclass(slots=True)
class Tally:
    """What happened to jobs of one type in a transaction, or in a span of time.

    Jobs that ended: `completed`, `failed`, `cancelled`. Attempts that failed and are made again: `retried`. Jobs begun
    for the first time with the milliseconds they had waited, and attempts that ended with those they ran.
    """

    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0
    begun: int = 0
    waited_ms: int = 0
    longest_wait_ms: int = 0
    attempts: int = 0
    ran_ms: int = 0
    longest_run_ms: int = 0

    def waited(self, milliseconds: int) -> None:
        """A job was begun that had waited so long."""
        self.begun += 1
        self.waited_ms += milliseconds
        self.longest_wait_ms = max(self.longest_wait_ms, milliseconds)

    def ran(self, milliseconds: int) -> None:
        """An attempt ended that ran so long."""
        self.attempts += 1
        self.ran_ms += milliseconds
        self.longest_run_ms = max(self.longest_run_ms, milliseconds)

    def add(self, other: "Tally") -> None:
        """Both together."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            setattr(self, each.name, max(mine, theirs) if each.name.startswith("longest_") else mine + theirs)


@dataclass(slots=True)
class Tallies:
    """The tally of each type that something happened to."""

    by_type: dict[str, Tally] = field(default_factory=dict)

    def of(self, job_type: str) -> Tally:
        """The one of a type."""
        return self.by_type.setdefault(job_type, Tally())


def tallied(
    before: Mapping[UUID, Standing], after: Iterable[Standing], history: Iterable[HistoryEntry]
) -> dict[str, Tally]:
    """What a change of jobs is to the figures: ends and first starts by the jobs, run times by the attempts told."""
    tallies = Tallies()
    for job in after:
        was = before[job.id]
        if was.started_at is None and job.started_at is not None:
            tallies.of(job.type).waited(_milliseconds(job.due_at, job.started_at))
        if job.state in FINAL and job.state is not was.state:
            _ended(tallies.of(job.type), job.state)
    for entry in history:
        if entry.run_ms is not None and entry.outcome in _RAN:
            tally = tallies.of(before[entry.job_id].type)
            tally.ran(entry.run_ms)
            tally.retried += entry.outcome == Outcome.RETRYING
    return tallies.by_type


def _ended(tally: Tally, state: JobState) -> None:
    tally.completed += state is JobState.COMPLETED
    tally.failed += state is JobState.FAILED
    tally.cancelled += state is JobState.CANCELLED


def _milliseconds(since: datetime | None, until: datetime) -> int:
    return 0 if since is None else max(0, round((until - since).total_seconds() * 1000))


class Span(StrEnum):
    """How far back figures go."""

    HOUR = "1h"
    QUARTER_DAY = "6h"
    DAY = "24h"


STEPS: Final[Mapping[Span, tuple[int, timedelta]]] = {
    Span.HOUR: (60, timedelta(minutes=1)),
    Span.QUARTER_DAY: (72, timedelta(minutes=5)),
    Span.DAY: (96, timedelta(minutes=15)),
}
"""How many steps of which length each span has."""


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of time and what happened in it."""

    at: datetime
    tally: Tally


def steps(span: Span, found: Mapping[datetime, Tally], *, now: datetime) -> list[Step]:
    """All steps of a span, oldest first, also those in which nothing happened. The last one goes on."""
    number, length = STEPS[span]
    last = start_of(now, length)
    times = (last - length * back for back in reversed(range(number)))
    return [Step(at, found.get(at, Tally())) for at in times]


def start_of(moment: datetime, length: timedelta) -> datetime:
    """The beginning of the stretch that a moment lies in, counted from the epoch."""
    seconds = int(length.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, tz=moment.tzinfo)
