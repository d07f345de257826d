"""The job `cleanup-cache`: asked once, answered by every replica that lives, and who is missing is named."""

from zoneinfo import ZoneInfo

import pytest

from services.catalog.cache import store
from services.catalog.cache_clearing import CacheClearing
from shared.clock import utc_now
from shared.contracts.jobs import CleanupCache
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection
from shared.ids import new_id
from tests.factories import make_approved
from tests.integration.catalog.cache.conftest import Replicas
from tests.integration.catalog.conftest import Client, Gateway
from tests.integration.catalog.told import outbox, rows


@pytest.fixture
def clearing(pool: Pool) -> CacheClearing:
    return CacheClearing(pool=pool, outbox=Outbox("catalog"), zone=ZoneInfo("UTC"), clock=utc_now)


async def test_the_job_is_done_when_all_replicas_have_answered(
    replicas: Replicas, clearing: CacheClearing, vendor: Client, admin: Client, gateway: Gateway
) -> None:
    product = await make_approved(vendor, admin)
    await replicas.json(replicas.b, f"/api/products/{product['id']}")
    job_id = new_id()
    done = await clearing.work(CleanupCache(mode="clear"), job_id=job_id, wait_seconds=10)
    assert (done.replicas, done.answered, done.missing, done.total) == (2, 2, (), 1)
    again = await clearing.work(CleanupCache(mode="clear"), job_id=job_id, wait_seconds=10)
    assert again == done, "the same request, with the same answers"
    assert await rows(gateway.pool, "cache_clear_requests") == 1
    assert len(await outbox(gateway.pool, "cache.clear_requested")) == 1


async def test_a_replica_that_does_not_answer_is_named(clearing: CacheClearing, pool: Pool) -> None:
    async with connection(pool) as conn:
        await store.seen(conn, new_id(), "silent:1", is_live=True, caches={})
    done = await clearing.work(CleanupCache(mode="expire"), job_id=new_id(), wait_seconds=0.2)
    assert (done.mode, done.replicas, done.answered, done.missing) == ("expire", 1, 0, ("silent:1",))


async def test_without_a_replica_there_is_nobody_to_wait_for(clearing: CacheClearing) -> None:
    done = await clearing.work(CleanupCache(mode="clear"), job_id=new_id(), wait_seconds=5)
    assert (done.replicas, done.answered, done.missing, done.total) == (0, 0, (), 0)


async def test_a_request_nobody_heard_of_is_found_at_the_next_report(pool: Pool) -> None:
    replica = new_id()
    async with connection(pool) as conn:
        request_id, _, _ = await store.request(conn, new_id(), "expire", job_id=None)
        assert await store.seen(conn, replica, "r", is_live=False, caches={}) == [(request_id, "expire")]
        await store.answer(conn, request_id, replica, "r", {"product": 0})
        assert await store.seen(conn, replica, "r", is_live=False, caches={}) == []
        await store.prune(conn)
        await store.gone(conn, replica)
        assert await store.replicas(conn) == []
