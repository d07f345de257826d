"""What workers have been told by the ledger: which types are paused, which jobs are cancelled.

The stream is read from its first message each time the channel is opened: instructions are few, idempotent, and kept
48 h. A worker consumes only once it has heard what is there (`caught_up`).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
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


class Controls:
    """The instructions in force, as far as this worker has heard."""

    def __init__(self) -> None:
        self.paused: set[str] = set()
        self._cancelled: dict[UUID, int] = {}
        self._on_change: list[Callable[[], None]] = []
        self.heard_at = time.monotonic()

    def is_cancelled(self, job_id: UUID, fence: int) -> bool:
        """Whether this copy of the job is not to be run; one that was retried by hand since has a higher fence."""
        return fence <= self._cancelled.get(job_id, 0)

    def on_change(self, call: Callable[[], None]) -> None:
        """Have `call` called after each instruction."""
        self._on_change.append(call)

    def apply(self, control: Control) -> None:
        """Follow one instruction."""
        match control:
            case Control(kind="pause", job_type=str(job_type)):
                self.paused.add(job_type)
            case Control(kind="resume", job_type=str(job_type)):
                self.paused.discard(job_type)
            case Control(kind="cancel", job_id=UUID() as job_id):
                self._cancelled[job_id] = max(control.fence, self._cancelled.get(job_id, 0))
            case _:
                log.warning("control_incomplete", kind=control.kind)
        for call in self._on_change:
            call()

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
