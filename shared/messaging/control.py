"""What workers have been told by the ledger: which types are paused, which jobs are not to be run, or run alone.

The stream is read from its first message each time the channel is opened: instructions are few, idempotent, and kept
48 h. A worker consumes only once it has heard what is there (`caught_up`). A second copy of an old one may come late,
from a link that stood still: one that stops a type is passed over when a later one has let it go on; one that lets it
go on is put right by the ledger, which repeats every minute what is stopped.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final
from uuid import UUID

from aiormq.abc import DeliveredMessage
from pydantic import ValidationError

from shared.contracts.control import Control
from shared.lifecycle import background
from shared.log import get_logger
from shared.messaging.broker import Link
from shared.messaging.subscription import Session, Subscription
from shared.messaging.topology import CONTROL_STREAM, Topology

log = get_logger(__name__)

PREFETCH: Final = 500
SILENCE_SECONDS: Final = 0.2
CATCH_UP_SECONDS: Final = 3.0
MOST_JOBS: Final = 50_000
"""A broker that lost everything has as many jobs published again; their lost copies come from nowhere."""


@dataclass(slots=True)
class _Told:
    """About one job: the highest fence that each instruction named, and the word that is waited for."""

    cancelled: int = 0
    superseded: int = 0
    parked: int = 0
    is_suspect: bool = False
    awaited_crash: UUID | None = None
    word: asyncio.Event | None = None


class Verdict(Enum):
    """What becomes, unrun, of a copy of a job."""

    DROP = "drop"
    PARK = "park"


class Controls:
    """The instructions in force, as far as this worker has heard; the newest 50,000 jobs are known."""

    def __init__(self) -> None:
        self.paused: set[str] = set()
        self.breakers: dict[str, Control] = {}
        """The newest `break` or `mend` of each type."""
        self._jobs: OrderedDict[UUID, _Told] = OrderedDict()
        self._let_go_on: dict[tuple[str, str], datetime] = {}
        """When each type was last let go on, by (`resume` or `mend`, type)."""
        self._on_change: list[Callable[[], None]] = []
        self.heard_at = time.monotonic()

    def is_cancelled(self, job_id: UUID, fence: int) -> bool:
        """Whether a person cancelled this copy of the job; one that was retried by hand since has a higher fence."""
        told = self._jobs.get(job_id)
        return told is not None and fence <= told.cancelled

    def verdict(self, job_id: UUID, fence: int) -> Verdict | None:
        """What becomes of this copy without being run; None when it is to be run."""
        if not self._jobs or (told := self._jobs.get(job_id)) is None:
            return None
        if fence <= told.cancelled or fence <= told.superseded:
            return Verdict.DROP
        return Verdict.PARK if fence <= told.parked else None

    def is_suspect(self, job_id: UUID) -> bool:
        """Whether the job may kill its process, and so runs with nothing else in it."""
        return bool(self._jobs) and (told := self._jobs.get(job_id)) is not None and told.is_suspect

    def suspect_until_told(self, job_id: UUID, crash_id: UUID) -> None:
        """Take a job for a suspect; `awaited` has an event until the ledger has answered that crash."""
        told = self._about(job_id)
        told.is_suspect, told.awaited_crash, told.word = True, crash_id, asyncio.Event()

    def awaited(self, job_id: UUID) -> asyncio.Event | None:
        """What is set when the ledger has said what becomes of a suspect; None when nothing is waited for."""
        return told.word if self._jobs and (told := self._jobs.get(job_id)) is not None else None

    def on_change(self, call: Callable[[], None]) -> None:
        """Have `call` called after each instruction."""
        self._on_change.append(call)

    def apply(self, control: Control) -> None:
        """Follow one instruction."""
        match control:
            case Control(kind="pause", job_type=str(job_type)):
                if not self._is_over(control, "resume", job_type):
                    self.paused.add(job_type)
            case Control(kind="break", job_type=str(job_type)):
                if not self._is_over(control, "mend", job_type):
                    self.breakers[job_type] = control
            case Control(kind="resume" | "mend", job_type=str(job_type)):
                key = (control.kind, job_type)
                self._let_go_on[key] = max(control.issued_at, self._let_go_on.get(key, control.issued_at))
                if control.kind == "resume":
                    self.paused.discard(job_type)
                else:
                    self.breakers[job_type] = control
            case Control(job_id=UUID() as job_id):
                self._apply_to_job(self._about(job_id), control)
            case _:
                log.warning("control_incomplete", kind=control.kind)
        for call in self._on_change:
            call()

    def _is_over(self, control: Control, by: str, job_type: str) -> bool:
        """Whether what an instruction stops was let go on since."""
        return control.issued_at < self._let_go_on.get((by, job_type), control.issued_at)

    def _apply_to_job(self, told: _Told, control: Control) -> None:
        match control.kind:
            case "cancel":
                told.cancelled = max(control.fence, told.cancelled)
            case "superseded":
                told.superseded = max(control.fence, told.superseded)
            case "park":
                told.parked = max(control.fence, told.parked)
            case "suspect":
                told.is_suspect = True
            case _:
                log.warning("control_incomplete", kind=control.kind)
        if told.word is not None and control.cause == told.awaited_crash:
            told.word.set()
            told.word = None

    def _about(self, job_id: UUID) -> _Told:
        told = self._jobs.setdefault(job_id, _Told())
        self._jobs.move_to_end(job_id)
        if len(self._jobs) > MOST_JOBS:
            self._jobs.popitem(last=False)
        return told

    def hear(self, session: Session, message: DeliveredMessage) -> None:
        """Take one message of the stream; what is no instruction is passed over."""
        self.heard_at = time.monotonic()
        try:
            self.apply(Control.model_validate_json(message.body))
        except ValidationError as exc:
            log.warning("control_unreadable", error=str(exc))
        if message.delivery_tag is not None:
            session.acks.finished(message.delivery_tag)


@asynccontextmanager
async def listening(link: Link, topology: Topology) -> AsyncIterator[Controls]:
    """Follow the control stream while the block runs; entered once what the stream holds has been heard.

    With the broker away it is entered after three seconds: then nothing is delivered either, and what is in force is
    heard again from the first message when the broker is back.
    """
    controls = Controls()
    subscription = Subscription(
        link,
        CONTROL_STREAM,
        controls.hear,
        prefetch=PREFETCH,
        topology=topology,
        arguments={"x-stream-offset": "first"},
    )
    async with background(subscription.run(), name=CONTROL_STREAM):
        await _caught_up(subscription, controls)
        yield controls


async def _caught_up(subscription: Subscription, controls: Controls) -> None:
    started = time.monotonic()
    while time.monotonic() - started < CATCH_UP_SECONDS:
        await asyncio.sleep(SILENCE_SECONDS / 4)
        quiet_since = max(controls.heard_at, subscription.consuming_since or started)
        if subscription.is_consuming and time.monotonic() - quiet_since > SILENCE_SECONDS:
            return
