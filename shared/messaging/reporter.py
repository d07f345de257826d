"""Telling the ledger what became of attempts, many in one confirmed message."""

import asyncio
from collections import deque
from datetime import UTC, datetime
from typing import Final

from pamqp.commands import Basic

from shared.contracts.reports import AttemptReport, ProbeAnswered, ReportBatch, WorkerSeen
from shared.ids import new_id
from shared.messaging.publisher import PERSISTENT, Publisher
from shared.messaging.topology import REPORTS

MAX_BATCH: Final = 200
MAX_IN_FLIGHT: Final = 2
REPORT_TYPE: Final = "attempt.reports"
SEEN_TYPE: Final = "worker.seen"
PROBED_TYPE: Final = "probe.answered"


class Reporter:
    """Sends reports without a timer: a batch goes out whenever none is in flight, and takes what has gathered.

    Waiting for more would stall a small prefetch; sending each alone would cost a confirm a job.
    """

    def __init__(self, publisher: Publisher, *, worker: str) -> None:
        self.worker = worker
        self._publisher = publisher
        self._gathered: deque[tuple[AttemptReport, asyncio.Future[None]]] = deque()
        self._in_flight: set[asyncio.Task[None]] = set()

    async def send(self, report: AttemptReport) -> None:
        """Return once the ledger's queue has the report. Raises `Unavailable`: the job is not to be acked then."""
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gathered.append((report, confirmed))
        self._dispatch()
        await confirmed

    async def tell(self, kind: str, message: WorkerSeen | ProbeAnswered) -> None:
        """Tell the ledger something that is no report; confirmed. Raises `Unavailable`."""
        await self._publisher.publish_body(
            message.model_dump_json().encode(),
            exchange=REPORTS,
            routing_key="report",
            properties=self._properties(kind),
        )

    def _dispatch(self) -> None:
        while self._gathered and self._may_send():
            batch = [self._gathered.popleft() for _ in range(min(MAX_BATCH, len(self._gathered)))]
            task = asyncio.create_task(self._publish(batch))
            self._in_flight.add(task)
            task.add_done_callback(self._landed)

    def _may_send(self) -> bool:
        return not self._in_flight or (len(self._in_flight) < MAX_IN_FLIGHT and len(self._gathered) >= MAX_BATCH)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._dispatch()

    async def _publish(self, batch: list[tuple[AttemptReport, asyncio.Future[None]]]) -> None:
        try:
            reports = ReportBatch(reports=tuple(report for report, _ in batch))
            await self._publisher.publish_body(
                reports.model_dump_json(exclude_none=True).encode(),
                exchange=REPORTS,
                routing_key="report",
                properties=self._properties(REPORT_TYPE),
            )
        except Exception as exc:  # noqa: BLE001 - whoever waits must hear of whatever it was
            for _, confirmed in batch:
                if not confirmed.done():
                    confirmed.set_exception(exc)
        else:
            for _, confirmed in batch:
                if not confirmed.done():
                    confirmed.set_result(None)

    def _properties(self, kind: str) -> Basic.Properties:
        return Basic.Properties(
            content_type="application/json",
            delivery_mode=PERSISTENT,
            message_id=str(new_id()),
            message_type=kind,
            app_id=self.worker,
            timestamp=datetime.now(UTC),
        )
