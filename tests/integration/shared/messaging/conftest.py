"""A broker with the queues of two job types and one reader of events, each retry one second long."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson
import pytest

from shared.clock import utc_now
from shared.contracts import jobs
from shared.contracts.base import Event, Job
from shared.contracts.envelope import Envelope, wrap
from shared.contracts.reports import AttemptReport, ReportBatch
from shared.ids import new_id
from shared.messaging.attempt import HandlerTable
from shared.messaging.broker import Broker, open_broker
from shared.messaging.declare import apply
from shared.messaging.reader import HandleBatch, reading
from shared.messaging.subscription import Subscription
from shared.messaging.topology import CHECK_LOW_STOCK, CLEANUP_CACHE, EVENTS, Topology, build, parse_tiers
from shared.messaging.work import JobMessage
from shared.messaging.working import working
from tests.eventually import eventually
from tests.servers import Vhost

TIERS = parse_tiers("1s")
WORK = (CHECK_LOW_STOCK, CLEANUP_CACHE)
READER = "events.catalog"
WHOLE = build(TIERS, WORK)
USED = {
    "jobs.ledger",
    READER,
    f"{READER}.dead",
    *(queue.name for queue in WHOLE.queues if any(queue.name.startswith(work.name) for work in WORK)),
}
PART = WHOLE.only(USED)
TOPOLOGY = Topology(WHOLE.exchanges, PART.queues, PART.bindings)


@dataclass
class Bench:
    """A broker to be worked on and looked into."""

    broker: Broker
    vhost: Vhost

    async def order(self, job: Job | None = None, **numbers: int) -> UUID:
        """Publish a job as the ledger would; returns its id."""
        message = a_job(job or jobs.CheckLowStock(), **numbers)
        await message.publish(self.broker.publisher)
        return message.envelope.id

    async def tell(self, event: Event) -> UUID:
        """Publish an event as a relay would; returns its id."""
        envelope = wrap(
            event, identifier=new_id(), kind=event.type, source="test", subject=event.subject, time=utc_now()
        )
        await self.broker.publisher.publish(envelope, exchange=EVENTS, routing_key=event.type)
        return envelope.id

    def working(
        self, handlers: HandlerTable, *, grace_seconds: float = 5
    ) -> AbstractAsyncContextManager[tuple[Subscription, ...]]:
        """Consume jobs while the block runs."""
        return working(self.broker, handlers, worker="w", tiers=TIERS, grace_seconds=grace_seconds)

    def reading(self, handle: HandleBatch, **options: Any) -> AbstractAsyncContextManager[Subscription]:
        """Read events while the block runs."""
        return reading(self.broker, READER, handle, topology=TOPOLOGY, grace_seconds=5, **options)

    def taken(self, queue: str, count: int = 100) -> list[dict[str, Any]]:
        """Take what waits in a queue, as the management API shows messages."""
        body = {"count": count, "ackmode": "ack_requeue_false", "encoding": "auto"}
        found: list[dict[str, Any]] = self.vhost.management.call(
            "POST", "queues", self.vhost.name, queue, "get", body=body
        )
        return found

    def reports(self) -> list[AttemptReport]:
        """Take the reports that wait for the ledger."""
        bodies = [message["payload"] for message in self.taken("jobs.ledger") if '"reports"' in message["payload"]]
        return [report for body in bodies for report in ReportBatch.model_validate_json(body).reports]

    async def reported(self, count: int) -> list[AttemptReport]:
        """Wait for so many reports."""
        found: list[AttemptReport] = []

        def enough() -> bool:
            found.extend(self.reports())
            return len(found) >= count

        await eventually(enough, 15)
        return found

    async def lose_connections(self) -> int:
        """Have the broker close every connection of the vhost."""
        names = await eventually(self._connections, 15)
        for name in names:
            self.vhost.management.call("DELETE", "connections", name)
        return len(names)

    def _connections(self) -> list[str]:
        found = self.vhost.management.call("GET", "vhosts", self.vhost.name, "connections")
        return [connection["name"] for connection in found if "name" in connection]

    def delete_queue(self, queue: str) -> None:
        """Delete a queue as an administrator might by mistake."""
        self.vhost.management.call("DELETE", "queues", self.vhost.name, queue)


def a_job(job: Job, **numbers: Any) -> JobMessage:
    """A message as the ledger makes it."""
    envelope = Envelope(id=new_id(), source="jobs", type=job.type, time=utc_now(), data=job.model_dump(mode="json"))
    plain = JobMessage(envelope=envelope, priority=2, attempt=1, max_attempts=3, fence=1, timeout_ms=10_000)
    return replace(plain, **numbers)


def data_of(message: dict[str, Any]) -> dict[str, Any]:
    """The `data` of a taken message."""
    found: dict[str, Any] = orjson.loads(message["payload"])["data"]
    return found


@pytest.fixture
async def bare(vhost: Vhost) -> AsyncIterator[Broker]:
    """An empty vhost."""
    async with open_broker(vhost.amqp_url, name="test") as opened:
        yield opened


@pytest.fixture
async def bench(bare: Broker, vhost: Vhost) -> Bench:
    await apply(bare.consuming, TOPOLOGY)
    return Bench(bare, vhost)
