"""The values of the scheduler: an entry of the file, what is known of it, a tick."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from services.scheduler.cron import Cron
from shared.contracts.base import Priority
from shared.contracts.jobs import JOB_BY_TYPE
from shared.zones import ZoneName

LONGEST_WINDOW: Final = timedelta(days=31)
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}

Fate = Literal["queued", "started", "skipped", "completed", "failed", "cancelled"]
"""What the ledger made of a tick: its job waits behind an earlier one, was made, was not made, or is over."""


def _window(value: object) -> object:
    match = re.fullmatch(r"([1-9]\d{0,5})([smhd])", value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("write a number with s, m, h or d: 30m")
    window = timedelta(seconds=int(match[1]) * _UNIT_SECONDS[match[2]])
    if window > LONGEST_WINDOW:
        raise ValueError("at most 31d: what is older is of no use to anybody")
    return window


class Entry(BaseModel):
    """One timed task of the schedule file.

    `misfire` is what happens to slots that passed while no scheduler ran: `skip` none of them is made up for, `once`
    one run stands for all, `all` each is made up for; `once` and `all` look no further back than `window`.
    `overlap` is the ledger's: what it does while the job of an earlier slot still runs.
    `zone` null is the marketplace's. `payload` is the job's; a `due_at` of the job's contract is filled in.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,59}$")]
    cron: str
    zone: ZoneName | None = None
    misfire: Literal["skip", "once", "all"] = "skip"
    window: Annotated[timedelta, BeforeValidator(_window)] = timedelta(hours=24)
    overlap: Literal["skip", "queue", "allow"] = "skip"
    job_type: str
    payload: dict[str, str | int | bool | None] = {}
    priority: Priority | None = None
    enabled: bool = True

    @field_validator("cron")
    @classmethod
    def _readable(cls, value: str) -> str:
        Cron.parse(value, ZoneInfo("UTC"))
        return value

    @model_validator(mode="after")
    def _job_takes_it(self) -> "Entry":
        contract = JOB_BY_TYPE.get(self.job_type)
        if contract is None:
            raise ValueError(f"job_type: there is no {self.job_type!r}; there are {', '.join(sorted(JOB_BY_TYPE))}")
        unknown = sorted(self.payload.keys() - contract.model_fields.keys())
        if unknown:
            raise ValueError(f"payload: {self.job_type} has no {', '.join(unknown)}")
        try:
            contract.model_validate(self.payload, strict=False)
        except ValidationError as exc:
            first = exc.errors()[0]
            raise ValueError(f"payload: {'.'.join(map(str, first['loc']))}: {first['msg']}") from exc
        return self


@dataclass(frozen=True, slots=True)
class Timed:
    """An entry with its cron expression read in its zone."""

    entry: Entry
    cron: Cron

    @property
    def name(self) -> str:
        """The entry's name."""
        return self.entry.name


class Cause(StrEnum):
    """Why a tick was emitted."""

    SLOT = "slot"
    """Its time had come."""
    CATCH_UP = "catch_up"
    """Its time passed while no scheduler ran, and the misfire rule makes up for it."""
    MANUAL = "manual"
    """An admin ran the entry now; `due_at` is that moment."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One time an entry was due, and the `schedule.due` event that says so."""

    entry: str
    due_at: datetime
    event_id: UUID
    cause: Cause
    account_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class TickSeen:
    """A tick as people see it. `outcome` is None until the ledger has answered; `job_id` too for a skipped one."""

    due_at: datetime
    emitted_at: datetime
    event_id: UUID
    cause: str
    account_id: UUID | None
    job_id: UUID | None
    outcome: Fate | None
    outcome_at: datetime | None


@dataclass(frozen=True, slots=True)
class Change:
    """What a person did with an entry."""

    at: datetime
    account_id: UUID
    role: str
    action: str
    detail: dict[str, Any]
    request_id: str | None


@dataclass(frozen=True, slots=True)
class EntryState:
    """What the database knows of an entry. Every slot up to `settled_until` was emitted or given up."""

    name: str
    settled_until: datetime
    is_paused: bool
    last_due_at: datetime | None = None
    last_event_id: UUID | None = None

    def is_like(self, other: "EntryState") -> bool:
        """Whether nothing was decided in between."""
        return (self.settled_until, self.is_paused) == (other.settled_until, other.is_paused)


@dataclass(frozen=True, slots=True)
class Schedule:
    """An entry as people see it."""

    timed: Timed
    is_paused: bool
    next_runs: tuple[datetime, ...]
    last_due_at: datetime | None
    last_event_id: UUID | None
