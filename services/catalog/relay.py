"""Composition root of the relay: the catalog's outbox goes to exchange `events`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.catalog.settings import Settings
from services.catalog.stream_heartbeat import BEAT_SECONDS, StreamHeartbeat
from shared.db.outbox import relaying
from shared.db.pool import open_pool
from shared.db.replay import announcing
from shared.lifecycle import background, every
from shared.messaging.broker import open_broker
from shared.messaging.topology import build
from shared.web.checks import can_publish, database_answers
from shared.web.ops import operations_port

POOL_SIZE = 5  # one listens, one relays, one prunes, one looks for what waits, one announces


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """Relay while the block runs. Any number of relays share the work.

    With the broker away the rows wait, and the relay is not ready: its heartbeat tries the link every two seconds.
    """
    async with AsyncExitStack() as stack:
        url = settings.catalog_database_url.get_secret_value()
        pool = await stack.enter_async_context(open_pool(url, name="catalog relay", max_size=POOL_SIZE))
        broker = await stack.enter_async_context(
            open_broker(settings.amqp_url.get_secret_value(), name="catalog relay")
        )
        relay = await stack.enter_async_context(relaying(pool, broker.publisher, schema="catalog"))
        await stack.enter_async_context(
            announcing(
                pool,
                broker,
                relay,
                schema="catalog",
                topology=build(settings.tiers, ()),
                seconds=settings.announce_seconds,
            )
        )
        beat = StreamHeartbeat(relay, broker.publisher)
        await stack.enter_async_context(background(every(BEAT_SECONDS, beat.run_once), name="stream heartbeat"))
        checks = {"database": database_answers(pool), "broker": can_publish(broker.publishing)}
        await stack.enter_async_context(operations_port(settings, checks, refresh=[relay.tell_age]))
        yield
