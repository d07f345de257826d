"""What the scheduler's HTTP API answers."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from services.scheduler.models import Schedule, Tick


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


class RunAccepted(BaseModel):
    """An entry runs now. `event` is the cause of its job."""

    name: str
    due_at: datetime
    event: UUID

    @classmethod
    def of(cls, tick: Tick) -> "RunAccepted":
        """The answer for a tick."""
        return cls(name=tick.entry, due_at=tick.due_at, event=tick.event_id)
