"""Telling the ledger what became of attempts, many in one confirmed message."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from pamqp.commands import Basic

from shared.contracts.base import Contract
from shared.contracts.reports import AttemptReport, ReportBatch
from shared.ids import new_id
from shared.messaging.publisher import PERSISTENT, Publisher
from shared.messaging.topology import REPORTS

MAX_BATCH: Final = 200
MAX_IN_FLIGHT: Final = 2
REPORT_TYPE: Final = "attempt.reports"
SEEN_TYPE: Final = "worker.seen"
PROBED_TYPE: Final = "probe.answered"
CRASHED_TYPE: Final = "worker.crashed"
BREAKER_TYPE: Final = "breaker.moved"


SPACING_SECONDS: Final = 0.005
"""How far apart batches begin that are not full. A tenth of what a worker takes ahead (`PREFETCH_SECONDS`): no slot
waits for it. Without it few reports make few acks, which make few deliveries, which make few reports."""

Done = Callable[[Exception | None], None]
"""Called once with None when the report is confirmed, else with what went wrong."""


class Reporter:
    """Gathers reports while a batch is in flight or has only just gone, and sends them together.

    After a pause a batch goes with the turn of the event loop in which its first report came: slots that never wait
    make a hundred in one turn, and all but the first would have to wait for the confirm of the first.
    """

    def __init__(self, publisher: Publisher, *, worker: str, spacing_seconds: float = SPACING_SECONDS) -> None:
        self.worker = worker
        self._spacing_seconds = spacing_seconds
        self._next_at = 0.0
        self._waking: asyncio.Handle | None = None
        self._publisher = publisher
        self._gathered: deque[tuple[AttemptReport, Done]] = deque()
        self._in_flight: set[asyncio.Task[None]] = set()

    async def send(self, report: AttemptReport) -> None:
        """Return once the ledger's queue has the report. Raises `Unavailable`: the job is not to be acked then."""
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def landed(error: Exception | None) -> None:
            if confirmed.done():  # whoever waited gave up
                return
            if error is None:
                confirmed.set_result(None)
            else:
                confirmed.set_exception(error)

        self.submit(report, landed)
        await confirmed

    def submit(self, report: AttemptReport, done: Done) -> None:
        """Send a report without waiting: `done` is called from the event loop, and must not raise."""
        self._gathered.append((report, done))
        if len(self._gathered) >= MAX_BATCH:
            self._dispatch()
        elif self._waking is None:
            self._waking = asyncio.get_running_loop().call_soon(self._wake)

    async def tell(self, kind: str, message: Contract, *, message_id: UUID | None = None) -> None:
        """Tell the ledger something that is no report; confirmed. Raises `Unavailable`.

        What is told twice under one `message_id` is recorded once.
        """
        await self._publisher.publish_body(
            message.model_dump_json(exclude_none=True).encode(),
            exchange=REPORTS,
            routing_key="report",
            properties=self._properties(kind, message_id),
        )

    def _dispatch(self) -> None:
        while self._gathered and self._may_send():
            batch = [self._gathered.popleft() for _ in range(min(MAX_BATCH, len(self._gathered)))]
            self._next_at = time.monotonic() + self._spacing_seconds
            task = asyncio.create_task(self._publish(batch))
            self._in_flight.add(task)
            task.add_done_callback(self._landed)

    def _may_send(self) -> bool:
        if len(self._gathered) >= MAX_BATCH:
            return len(self._in_flight) < MAX_IN_FLIGHT
        if self._in_flight:
            return False
        wait_seconds = self._next_at - time.monotonic()
        if wait_seconds > 0 and self._waking is None:
            self._waking = asyncio.get_running_loop().call_later(wait_seconds, self._wake)
        return wait_seconds <= 0

    def _wake(self) -> None:
        self._waking = None
        self._dispatch()

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._dispatch()

    async def _publish(self, batch: list[tuple[AttemptReport, Done]]) -> None:
        failure: Exception | None = None
        try:
            reports = ReportBatch(reports=tuple(report for report, _ in batch))
            await self._publisher.publish_body(
                reports.model_dump_json(exclude_none=True).encode(),
                exchange=REPORTS,
                routing_key="report",
                properties=self._properties(REPORT_TYPE),
            )
        except Exception as exc:  # noqa: BLE001 - whoever waits must hear of whatever it was
            failure = exc
        for _, done in batch:
            done(failure)

    def _properties(self, kind: str, message_id: UUID | None = None) -> Basic.Properties:
        return Basic.Properties(
            content_type="application/json",
            delivery_mode=PERSISTENT,
            message_id=str(message_id or new_id()),
            message_type=kind,
            app_id=self.worker,
            timestamp=datetime.now(UTC),
        )
