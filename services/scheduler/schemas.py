"""What the scheduler's HTTP API answers."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.scheduler.models import Change, Fate, Schedule, Tick, TickSeen


class ScheduleItem(BaseModel):
    """An entry. `enabled` is false when it is paused, or switched off in the file.

    `next_runs` are its next five slots, none while it is not enabled. `last_event` is the id of the `schedule.due`
    event of the last run, and so the cause of its job.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    cron: str
    time_zone: str
    enabled: bool
    paused: bool
    job_type: str
    misfire: Literal["skip", "once", "all"]
    overlap: Literal["skip", "queue", "allow"]
    next_runs: tuple[datetime, ...]
    last_run: datetime | None
    last_event: UUID | None

    @classmethod
    def of(cls, schedule: Schedule) -> "ScheduleItem":
        """The item of an entry."""
        entry = schedule.timed.entry
        return cls(
            name=entry.name,
            cron=entry.cron,
            time_zone=schedule.timed.cron.zone.key,
            enabled=entry.enabled and not schedule.is_paused,
            paused=schedule.is_paused,
            job_type=entry.job_type,
            misfire=entry.misfire,
            overlap=entry.overlap,
            next_runs=schedule.next_runs,
            last_run=schedule.last_due_at,
            last_event=schedule.last_event_id,
        )


class ScheduleList(BaseModel):
    """Every entry; there are few, so there is one page."""

    items: tuple[ScheduleItem, ...]
    next: None = None


class TickItem(BaseModel):
    """One time an entry was due, when that was told, and what the ledger made of it.

    `outcome` is null until the ledger answered. `job` is null for a slot that was skipped; `account` is who ran it.
    """

    model_config = ConfigDict(frozen=True)

    due_at: datetime
    emitted_at: datetime
    cause: str
    event: UUID
    account: UUID | None
    job: UUID | None
    outcome: Fate | None
    outcome_at: datetime | None

    @classmethod
    def of(cls, tick: TickSeen) -> "TickItem":
        """The item of a tick."""
        return cls(
            due_at=tick.due_at,
            emitted_at=tick.emitted_at,
            cause=tick.cause,
            event=tick.event_id,
            account=tick.account_id,
            job=tick.job_id,
            outcome=tick.outcome,
            outcome_at=tick.outcome_at,
        )


class TickList(BaseModel):
    """Ticks, newest first; `next` is the cursor of the page after."""

    items: tuple[TickItem, ...]
    next: str | None


class ChangeItem(BaseModel):
    """What a person did with an entry."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    account: UUID
    role: str
    action: str
    detail: dict[str, Any]
    request_id: str | None

    @classmethod
    def of(cls, change: Change) -> "ChangeItem":
        """The item of a line of the audit log."""
        return cls(
            at=change.at,
            account=change.account_id,
            role=change.role,
            action=change.action,
            detail=change.detail,
            request_id=change.request_id,
        )


class ScheduleDetail(ScheduleItem):
    """An entry with its latest ticks and what people did with it lately, newest first."""

    ticks: tuple[TickItem, ...]
    changes: tuple[ChangeItem, ...]


class RunAccepted(BaseModel):
    """An entry runs now. `event` is the cause of its job."""

    name: str
    due_at: datetime
    event: UUID

    @classmethod
    def of(cls, tick: Tick) -> "RunAccepted":
        """The answer for a tick."""
        return cls(name=tick.entry, due_at=tick.due_at, event=tick.event_id)
