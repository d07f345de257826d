"""The scheduler, put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.scheduler.routes import new_api
from services.scheduler.schedule import read_schedule
from services.scheduler.settings import Settings
from services.scheduler.ticker import Ticker
from services.scheduler.usecases import Schedules
from shared.contracts import events
from shared.db.gaps import reading_all
from shared.db.outbox import Outbox, relaying
from shared.db.pool import open_pool
from shared.db.replay import announcing
from shared.lifecycle import background, every
from shared.messaging.broker import open_broker
from shared.messaging.reader import one_by_one
from shared.messaging.topology import build
from shared.web.checks import all_consuming, database_answers
from shared.web.ops import operations_port
from shared.web.server import serving

PRUNE_SECONDS = 3600


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """Open everything the scheduler needs, in order; close it in reverse when the block ends.

    Raises `ScheduleInvalid` before anything is opened. Slots that pass while the broker is away wait in the outbox.
    """
    schedule = read_schedule(settings.schedule_file, default_zone=settings.time_zone)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_pool(settings.scheduler_database_url.get_secret_value(), name="scheduler")
        )
        broker = await stack.enter_async_context(open_broker(settings.amqp_url.get_secret_value(), name="scheduler"))
        topology = build(settings.tiers, ())
        relay = await stack.enter_async_context(relaying(pool, broker.publisher, schema="scheduler"))
        await stack.enter_async_context(
            announcing(
                pool,
                broker,
                relay,
                schema="scheduler",
                topology=topology,
                seconds=settings.announce_seconds,
            )
        )
        outbox = Outbox("scheduler")
        schedules = Schedules(pool=pool, outbox=outbox, entries=schedule)
        api = new_api(schedules, key=settings.scheduler_key.get_secret_value())
        await stack.enter_async_context(serving(api, host=settings.http_host, port=settings.http_port))
        ticker = Ticker(pool, outbox, schedule)
        await stack.enter_async_context(background(ticker.run(), name="ticker"))
        await stack.enter_async_context(background(every(PRUNE_SECONDS, ticker.prune_once), name="tick prune"))
        hearing = await stack.enter_async_context(
            reading_all(
                broker,
                "scheduler",
                one_by_one({events.JobFinished: schedules.job_finished}),
                pool=pool,
                schema="scheduler",
                topology=topology,
                grace_seconds=settings.grace_seconds,
                announce_seconds=settings.announce_seconds,
            )
        )
        checks = {"database": database_answers(pool), "broker": all_consuming((hearing,))}
        await stack.enter_async_context(operations_port(settings, checks, refresh=[relay.tell_age]))
        yield
