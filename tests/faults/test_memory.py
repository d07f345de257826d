"""What runs for months keeps nothing of what it has passed on."""

import gc
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest

from deploy.local.ports import free_ports
from services.catalog import relay
from services.catalog.settings import Settings
from shared.contracts.events import ImageAdded
from shared.db.outbox import Outbox
from shared.db.pool import Pool, open_pool, transaction
from shared.ids import new_id
from shared.messaging.broker import open_broker
from shared.messaging.declare import apply
from shared.messaging.topology import build, parse_tiers
from tests.eventually import eventually
from tests.servers import Database, Vhost

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]
TIERS: Final = "1s"
EVENTS: Final = 5_000
AT_ONCE: Final = 50
MOST_GROWN_BYTES: Final = 512 * 1024
"""Of thousands of events each of which is a kilobyte here; what is in flight comes and goes."""


@pytest.fixture
async def outbox(database: Database, vhost: Vhost) -> AsyncIterator[Pool]:
    """The database of a relay that runs."""
    given: dict[str, Any] = {
        "amqp_url": vhost.amqp_url,
        "retry_tiers": TIERS,
        "http_port": 0,
        "ops_port": free_ports(1)[0],
        "catalog_database_url": database.url("catalog"),
    }
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(open_broker(vhost.amqp_url, name="test"))
        await apply(broker.consuming, build(parse_tiers(TIERS)))
        await stack.enter_async_context(relay.running(Settings.model_validate(given)))
        yield await stack.enter_async_context(open_pool(database.url("catalog"), name="test"))


async def relayed(pool: Pool) -> int:
    """Have thousands of events relayed; the bytes that Python has in use afterwards."""
    for _ in range(EVENTS // AT_ONCE):
        async with transaction(pool) as conn:
            told = (
                ImageAdded(vendor_id=new_id(), image_id=new_id(), product_id=new_id(), source="blob:x")
                for _ in range(AT_ONCE)
            )
            await Outbox("catalog").add(conn, *told)

    async def is_empty() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM catalog.outbox WHERE sent_at IS NULL") == 0)

    await eventually(is_empty, 120, every=0.1)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def test_a_relay_keeps_nothing_of_what_it_has_relayed(outbox: Pool) -> None:
    tracemalloc.start()
    try:
        first = await relayed(outbox)
        grown = [await relayed(outbox) - first for _ in range(2)]
    finally:
        tracemalloc.stop()
    assert max(grown) < MOST_GROWN_BYTES, grown
