"""Reporting, put together."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from zoneinfo import ZoneInfo

from services.reporting.counting import Counting
from services.reporting.files import Pages
from services.reporting.handlers import generate_report, record_events
from services.reporting.links import Links
from services.reporting.pdf import Pdfs
from services.reporting.routes import new_api
from services.reporting.settings import Settings
from services.reporting.usecases import Reports
from shared.clock import utc_now
from shared.contracts import jobs
from shared.db.gaps import reading_all
from shared.db.outbox import Inbox, Outbox, relaying
from shared.db.pool import open_pool
from shared.db.replay import announcing
from shared.lifecycle import background, every
from shared.messaging.attempt import HandlerTable
from shared.messaging.broker import open_broker
from shared.messaging.topology import build
from shared.messaging.working import working
from shared.web.checks import all_consuming, database_answers
from shared.web.ops import operations_port
from shared.web.server import serving

REVISE_SECONDS = 30
"""How long late events of one rush are gathered before the reports of their days are built again."""


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """Open everything reporting needs, in order; close it in reverse when the block ends."""
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_pool(settings.reporting_database_url.get_secret_value(), name="reporting")
        )
        broker = await stack.enter_async_context(open_broker(settings.amqp_url.get_secret_value(), name="reporting"))
        topology = build(settings.tiers, ())
        relay = await stack.enter_async_context(relaying(pool, broker.publisher, schema="reporting"))
        await stack.enter_async_context(
            announcing(pool, broker, relay, schema="reporting", topology=topology, seconds=settings.announce_seconds)
        )
        outbox = Outbox("reporting")
        counting = Counting(pool=pool, inbox=Inbox("reporting"), outbox=outbox)
        key = settings.reporting_key.get_secret_value()
        reports = Reports(
            pool=pool,
            outbox=outbox,
            links=Links(key),
            zone=ZoneInfo(settings.time_zone),
            clock=utc_now,
        )
        await stack.enter_async_context(background(every(REVISE_SECONDS, reports.revise), name="reviser"))
        pdfs = Pdfs()
        stack.push_async_callback(pdfs.close)
        api = new_api(reports, Pages(), pdfs, key=key)
        await stack.enter_async_context(serving(api, host=settings.http_host, port=settings.http_port))
        events_read = await stack.enter_async_context(
            reading_all(
                broker,
                "reporting",
                partial(record_events, counting=counting),
                pool=pool,
                schema="reporting",
                topology=topology,
                grace_seconds=settings.grace_seconds,
                announce_seconds=settings.announce_seconds,
            )
        )
        handlers: HandlerTable = {
            jobs.GenerateReport: partial(generate_report, reports=reports),
        }
        jobs_read = await stack.enter_async_context(
            working(
                broker,
                handlers,
                worker="reporting",
                tiers=settings.tiers,
                grace_seconds=settings.grace_seconds,
                state_dir=settings.state_dir,
            )
        )
        checks = {"database": database_answers(pool), "broker": all_consuming([events_read, *jobs_read])}
        await stack.enter_async_context(operations_port(settings, checks, refresh=[relay.tell_age]))
        yield
