"""Composition root of the catalog worker: its jobs, and the answers that pictures wait for."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from zoneinfo import ZoneInfo

from services.catalog.cache_clearing import CacheClearing
from services.catalog.handlers import check_low_stock, cleanup_cache, job_failed, sync_inventory
from services.catalog.images.chaser import PictureChaser
from services.catalog.images.usecases import Images
from services.catalog.inventory.low_stock import LowStock
from services.catalog.monitoring.sampling import measures
from services.catalog.settings import WorkerSettings
from services.catalog.sync.applying import Applying
from services.catalog.sync.poller import SyncPoller
from services.catalog.sync.runner import Runner
from services.catalog.sync.vault import Vault
from shared.clock import utc_now
from shared.contracts import events, jobs
from shared.db.gaps import reading_all
from shared.db.measures import measuring
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import open_pool
from shared.lifecycle import background, every
from shared.messaging.attempt import HandlerTable
from shared.messaging.broker import open_broker
from shared.messaging.reader import EventTable, one_by_one
from shared.messaging.topology import build
from shared.messaging.working import working
from shared.outbound import guarded_session
from shared.web.checks import all_consuming, database_answers
from shared.web.ops import operations_port

POOL_SIZE = 8
LOW_STOCK_SECONDS = 3.0
"""How often the worker looks for products that fell low and whose vendor was not told."""
SYNC_SECONDS = 5.0
"""How often the worker looks for stock sources that are due."""


@asynccontextmanager
async def running(settings: WorkerSettings) -> AsyncIterator[None]:
    """Work while the block runs. Any number of workers share the queues."""
    async with AsyncExitStack() as stack:
        url = settings.catalog_database_url.get_secret_value()
        pool = await stack.enter_async_context(open_pool(url, name="catalog worker", max_size=POOL_SIZE))
        broker = await stack.enter_async_context(
            open_broker(settings.amqp_url.get_secret_value(), name="catalog worker")
        )
        outbox = Outbox("catalog")
        images = Images(pool=pool, outbox=outbox, inbox=Inbox("catalog"))
        low_stock = LowStock(pool=pool, outbox=outbox)
        clearing = CacheClearing(pool=pool, outbox=outbox, zone=ZoneInfo(settings.time_zone), clock=utc_now)
        runner = Runner(
            pool=pool,
            outbox=outbox,
            vault=Vault(settings.sync_key.get_secret_value()),
            outbound=await stack.enter_async_context(guarded_session(allow=settings.outbound_allow)),
            applying=Applying(pool=pool, outbox=outbox),
            clock=utc_now,
        )
        heard: EventTable = {
            events.ImageProcessed: images.processed,
            events.JobFailed: partial(job_failed, images=images, runner=runner),
        }
        done: HandlerTable = {
            jobs.CheckLowStock: partial(check_low_stock, low_stock=low_stock),
            jobs.CleanupCache: partial(cleanup_cache, clearing=clearing),
            jobs.SyncInventory: partial(sync_inventory, runner=runner),
        }
        chaser = PictureChaser(
            pool=pool, outbox=outbox, patience_seconds=settings.picture_patience_seconds, clock=utc_now
        )
        await stack.enter_async_context(
            background(every(settings.picture_patience_seconds / 8, chaser.run_once), name="picture chaser")
        )
        await stack.enter_async_context(
            background(every(LOW_STOCK_SECONDS, low_stock.run_once), name="low stock digests")
        )
        poller = SyncPoller(pool=pool, outbox=outbox)
        await stack.enter_async_context(background(every(SYNC_SECONDS, poller.run_once), name="sync poller"))
        await stack.enter_async_context(measuring(pool, measures, schema="catalog"))
        hearing = await stack.enter_async_context(
            reading_all(
                broker,
                "catalog",
                one_by_one(heard),
                pool=pool,
                schema="catalog",
                topology=build(settings.tiers, ()),
                grace_seconds=settings.grace_seconds,
                announce_seconds=settings.announce_seconds,
            )
        )
        working_on = await stack.enter_async_context(
            working(
                broker,
                done,
                worker="catalog-worker",
                tiers=settings.tiers,
                grace_seconds=settings.grace_seconds,
                state_dir=settings.state_dir,
            )
        )
        checks = {"database": database_answers(pool), "broker": all_consuming((hearing, *working_on))}
        await stack.enter_async_context(operations_port(settings, checks))
        yield
