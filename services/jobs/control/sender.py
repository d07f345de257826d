"""Telling the workers: instructions from the table into the stream, in order, and again when the stream was lost."""

import time
from typing import Final

from pamqp.commands import Basic

from services.jobs.breakers.store import BreakerStore
from services.jobs.breakers.usecases import Breakers
from services.jobs.control.store import ControlStore
from services.jobs.quarantine.store import SuspectStore
from services.jobs.store import in_ledger
from shared.clock import utc_now
from shared.contracts.control import Control
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool
from shared.ids import new_id
from shared.messaging.broker import Link
from shared.messaging.publisher import PERSISTENT, Publisher
from shared.messaging.topology import CONTROL_STREAM

BATCH: Final = 500
REPEAT_SECONDS: Final = 60.0
REPEATED_JOBS: Final = 100
"""Of each kind, at most: a worker that starts reads the stream from its beginning."""


class ControlSender:
    """Publishes instructions. Any number may run; one at a time sends.

    Killed between a confirm and the mark, it leaves an instruction that is sent twice, which changes nothing.
    What is in force is repeated every minute: it may outlive the stream's 48 hours, or a message of it be lost.
    """

    def __init__(self, pool: Pool, store: ControlStore, publisher: Publisher, link: Link) -> None:
        self._pool = pool
        self._store = store
        self._suspects = SuspectStore()
        self._breaker_store = BreakerStore()
        self._breakers = Breakers(self._breaker_store, store, Outbox("jobs"))
        self._publisher = publisher
        self._link = link
        self._openings = 0
        self._repeated_at = 0.0

    @property
    def is_due(self) -> bool:
        """Whether something is to be repeated, which no row tells: the link is new, or a minute is over."""
        return self._is_link_new() or self._is_repeat_due()

    async def run_once(self) -> int:
        """Send what is unsent; returns how many. Raises `Unavailable` when the broker is away."""
        return await in_ledger(self._pool, self._send)

    async def _send(self, conn: Connection) -> int:
        if not await self._store.is_sender(conn):
            return 0
        if self._is_link_new():
            await self._store.send_again(conn)
        await self._breakers.hand_over(conn)
        unsent = await self._store.unpublished(conn, BATCH)
        for _, control in unsent:
            await self._publish(control)
        if unsent:
            await self._store.mark_published(conn, [seq for seq, _ in unsent])
        if self._is_repeat_due():
            for control in await self._in_force(conn):
                await self._publish(control)
            self._repeated_at = time.monotonic()
        self._openings = self._link.openings
        return len(unsent)

    def _is_link_new(self) -> bool:
        return self._link.openings != self._openings

    def _is_repeat_due(self) -> bool:
        return time.monotonic() - self._repeated_at >= REPEAT_SECONDS

    async def _in_force(self, conn: Connection) -> list[Control]:
        now = utc_now()
        return [
            *(Control(kind="pause", issued_at=now, job_type=each.type) for each in await self._store.paused(conn)),
            *(
                Control(kind="break", issued_at=now, job_type=each.type, worker=each.worker)
                for each in await self._breaker_store.all_open(conn)
            ),
            *(
                Control(kind="suspect", issued_at=now, job_id=job_id, fence=fence)
                for job_id, fence in await self._suspects.in_force(conn, REPEATED_JOBS)
            ),
            *await self._store.still_meant(conn, REPEATED_JOBS),
        ]

    async def _publish(self, control: Control) -> None:
        await self._publisher.publish_body(
            control.model_dump_json(exclude_none=True).encode(),
            exchange="",
            routing_key=CONTROL_STREAM,
            properties=Basic.Properties(
                content_type="application/json",
                delivery_mode=PERSISTENT,
                message_id=str(new_id()),
                message_type=f"control.{control.kind}",
                app_id="jobs",
            ),
        )
