"""What other services tell of jobs, queues, workers, schedules and dead letters, as far as pages show it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from pydantic import Field, JsonValue

from services.catalog.monitoring.models import Heard, HeardBreaker

T = TypeVar("T")


class HeardPage(Heard, Generic[T]):
    """One page of a list; `next` is the cursor of the one after."""

    items: tuple[T, ...]
    next: str | None = None


class HeardError(Heard):
    """What went wrong."""

    error_class: str = Field(alias="class")
    message: str | None


class Job(Heard):
    """A job of a list."""

    id: UUID
    type: str
    priority: int
    state: str
    target: str
    attempt: int
    max_attempts: int
    payload: dict[str, JsonValue]
    cause: UUID | None
    cause_type: str | None
    parent: UUID | None
    vendor_id: UUID | None
    created_at: datetime
    run_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    retry_at: datetime | None
    wait_ms: int | None
    run_ms: int | None
    progress: float | None
    result: JsonValue
    error: HeardError | None


class Line(Heard):
    """A line of a job's history."""

    at: datetime
    outcome: str
    state: str
    attempt: int | None
    worker: str | None
    run_ms: int | None
    error: HeardError | None
    retry_at: datetime | None
    actor: str | None


class Brief(Heard):
    """A job as another one names it."""

    id: UUID
    type: str
    state: str
    target: str
    created_at: datetime


class WholeJob(Job):
    """A job with everything that is known of it."""

    history: tuple[Line, ...]
    parent_job: Brief | None
    led_to: tuple[Brief, ...]
    beside: tuple[Brief, ...]


class Paused(Heard):
    """Who paused a type, and since when."""

    since: datetime
    actor: str


class TypeEvent(Heard):
    """Something that stopped a type, or let it go on. `actor` is a person's account or a worker."""

    type: str
    at: datetime
    what: str
    actor: str
    detail: str | None


class Tally(Heard):
    """What happened to jobs of a type within an hour."""

    completed: int
    failed: int
    retried: int
    begun: int
    waited_ms: int
    attempts: int
    ran_ms: int


class TypeView(Heard):
    """A type at a glance."""

    type: str
    counts: Mapping[str, int]
    workers: int
    oldest_waiting_seconds: float
    paused: Paused | None
    breaker: HeardBreaker | None
    last_hour: Tally


class Step(Heard):
    """What became of jobs in a stretch of time; times are means in milliseconds."""

    at: datetime
    completed: int
    failed: int
    cancelled: int
    retried: int
    wait_ms: int | None
    longest_wait_ms: int | None
    run_ms: int | None
    longest_run_ms: int | None


class Activity(Heard):
    """Figures over time, oldest first."""

    span: str
    step_seconds: int
    items: tuple[Step, ...]


class FailureGroup(Heard):
    """Failed jobs of one cause; `example` is the newest."""

    type: str
    error_class: str | None
    cause: str | None
    jobs: int
    first_seen: datetime
    last_seen: datetime
    example: UUID

    @property
    def search(self) -> str:
        """What finds its jobs in the list: the error up to the first number or id that differs among them."""
        if self.error_class is None:
            return ""
        alike = (self.cause or "").split("<n>")[0].split("<id>")[0]
        return f"{self.error_class}: {alike}"[:200].strip().removesuffix(":")


class BulkAnswer(Heard):
    """What a bulk action would do or did."""

    jobs: int
    over_seconds: float
    more: bool = False


class Queue(Heard):
    """A queue; the broker's figures are None where it does not tell."""

    name: str
    kind: str
    type: str | None
    ready: int | None
    unacked: int | None
    consumers: int | None
    oldest_seconds: float | None


class Queues(Heard):
    """All queues. `management` is the address of RabbitMQ's own pages."""

    items: tuple[Queue, ...]
    problem: str | None
    management: str | None


class Worker(Heard):
    """A worker as it last told of itself."""

    worker: str
    version: str
    types: tuple[str, ...]
    held: tuple[UUID, ...]
    seen_at: datetime


class Schedule(Heard):
    """An entry of the schedule."""

    name: str
    cron: str
    time_zone: str
    enabled: bool
    paused: bool
    job_type: str
    misfire: str
    overlap: str
    next_runs: tuple[datetime, ...]
    last_run: datetime | None
    last_event: UUID | None


class Tick(Heard):
    """One time an entry was due, and what became of it."""

    due_at: datetime
    emitted_at: datetime
    cause: str
    event: UUID
    account: UUID | None
    job: UUID | None
    outcome: str | None
    outcome_at: datetime | None


class Change(Heard):
    """What a person did with an entry."""

    at: datetime
    account: UUID
    role: str
    action: str


class ScheduleDetail(Schedule):
    """An entry with its latest ticks, and what people did with it."""

    ticks: tuple[Tick, ...]
    changes: tuple[Change, ...]


class Letter(Heard):
    """A dead letter. `payload` is null where its body is no JSON or too long for a list."""

    id: UUID
    queue: str
    kind: str
    type: str | None
    reason: str
    parked_by: str
    job_id: UUID | None
    job_state: str | None
    attempt: int | None
    copies: int
    stored_at: datetime
    seen_at: datetime
    replay_at: datetime | None
    bytes: int
    payload: JsonValue
    text: str | None
    properties: Mapping[str, JsonValue] = {}

    @property
    def can_be_replayed(self) -> bool:
        """Whether there is anything to do with it but to delete it."""
        return self.replay_at is None and (self.kind != "job" or self.job_state in ("failed", "cancelled"))


class Replay(Heard):
    """What a replay of many letters would do or did."""

    jobs: int
    messages: int
    over_seconds: float


class Purge(Heard):
    """What a purge would delete or did."""

    letters: int


class Nothing(Heard):
    """An answer of which nothing is needed."""
