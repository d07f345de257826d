"""The catalog worker on the real broker and database: its jobs, and the answers it applies."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from services.catalog import worker
from services.catalog.settings import WorkerSettings
from shared.clock import utc_now
from shared.contracts import events, jobs
from shared.contracts.base import Event, Job
from shared.contracts.envelope import wrap
from shared.db.pool import Pool
from shared.ids import new_id
from shared.messaging.broker import Broker, open_broker
from shared.messaging.declare import apply
from shared.messaging.topology import (
    CHECK_LOW_STOCK,
    CLEANUP_CACHE,
    EVENTS,
    SYNC_INVENTORY,
    WorkQueue,
    build,
    parse_tiers,
)
from shared.messaging.work import JobMessage
from tests.eventually import eventually
from tests.factories import make_approved, make_product
from tests.integration.catalog.conftest import KEY, Client
from tests.integration.catalog.told import outbox, rows
from tests.servers import Database, Vhost

TIERS = "1s"


@pytest.fixture
async def broker(vhost: Vhost) -> AsyncIterator[Broker]:
    """A broker with all that the worker needs."""
    async with open_broker(vhost.amqp_url, name="tests") as opened:
        await apply(opened.publishing, build(parse_tiers(TIERS), (CHECK_LOW_STOCK, CLEANUP_CACHE, SYNC_INVENTORY)))
        yield opened


@pytest.fixture
async def working(database: Database, vhost: Vhost, broker: Broker) -> AsyncIterator[None]:
    """A worker in the test's own loop."""
    settings = WorkerSettings.model_validate(
        {
            "amqp_url": vhost.amqp_url,
            "catalog_database_url": database.url("catalog"),
            "sync_key": KEY,
            "retry_tiers": TIERS,
            "ops_port": 0,
            "grace_seconds": 5,
        }
    )
    async with worker.running(settings):
        yield


async def _tell(broker: Broker, event: Event) -> None:
    envelope = wrap(event, identifier=new_id(), kind=event.type, source="tests", subject=None, time=utc_now())
    await broker.publisher.publish(envelope, exchange=EVENTS, routing_key=event.type)


async def _order(broker: Broker, work: WorkQueue, job: Job) -> None:
    envelope = wrap(job, identifier=new_id(), kind=job.type, source="tests", subject=None, time=utc_now())
    message = JobMessage(envelope, work.priority, 1, work.attempts, 1, round(work.timeout_seconds * 1000))
    await message.publish(broker.publisher)


async def _images(vendor: Client, product_id: str) -> list[dict[str, Any]]:
    async with vendor.get(f"/api/vendor/products/{product_id}") as answer:
        images: list[dict[str, Any]] = (await answer.json())["images"]
        return images


async def test_answers_of_imaging_and_of_the_ledger_reach_the_product(
    vendor: Client, pool: Pool, broker: Broker, working: None
) -> None:
    pictures = [{"url": f"https://example.com/{number}.jpg"} for number in range(2)]
    product = await make_product(vendor, images=pictures)
    first, second = (UUID(image["id"]) for image in product["images"])
    asked = {told["data"]["image_id"]: told["id"] for told in await outbox(pool, "image.added")}
    await _tell(
        broker,
        events.ImageProcessed(
            image_id=first,
            product_id=UUID(product["id"]),
            round=1,
            original_key="originals/ab/ab.jpg",
            width=1600,
            height=1200,
            placeholder="data:,",
            renditions=(),
        ),
    )
    await _tell(
        broker,
        events.JobFailed(
            job_id=new_id(),
            job_type="process-image",
            cause_id=UUID(asked[str(second)]),
            target=str(second),
            error_class="Crashed",
            error_message="The worker died of it.",
        ),
    )

    async def settled() -> bool:
        return [image["status"] for image in await _images(vendor, product["id"])] == ["ready", "failed"]

    await eventually(settled)
    assert len(await outbox(pool, "product.changed")) == 2
    assert len(await outbox(pool, "image.failed")) == 1


async def test_the_low_stock_check_and_the_cache_clearing_are_worked(
    vendor: Client, admin: Client, pool: Pool, broker: Broker, working: None
) -> None:
    await make_approved(vendor, admin, on_hand=0)
    await _order(broker, CHECK_LOW_STOCK, jobs.CheckLowStock())
    await _order(broker, CLEANUP_CACHE, jobs.CleanupCache(mode="clear"))

    async def worked() -> bool:
        return bool(await outbox(pool, "stock.low_digest")) and await rows(pool, "cache_clear_requests") == 1

    await eventually(worked)
    [asked] = await outbox(pool, "cache.clear_requested")
    assert asked["data"]["mode"] == "clear"
