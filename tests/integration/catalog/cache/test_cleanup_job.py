"""The job `cleanup-cache`: asked once, answered by every replica that lives, and who is missing is named."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.catalog.cache import store
from services.catalog.cache.models import Mode
from services.catalog.cache.replica import CacheReplica
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


async def test_off_peak_of_the_marketplace_clears_and_by_day_only_what_is_stale_goes(
    replicas: Replicas, clearing: CacheClearing, vendor: Client, admin: Client
) -> None:
    berlin = replace(clearing, zone=ZoneInfo("Europe/Berlin"))
    product = await make_approved(vendor, admin)
    for replica in (replicas.a, replicas.b):
        await replicas.json(replica, f"/api/products/{product['id']}")
    by_day = CleanupCache(due_at=datetime(2026, 7, 1, 3, tzinfo=UTC))  # five in the morning there
    done = await berlin.work(by_day, job_id=new_id(), wait_seconds=10)
    assert (done.mode, done.answered, done.missing, done.total) == ("expire", 2, (), 0)
    by_night = CleanupCache(due_at=datetime(2026, 7, 1, 1, tzinfo=UTC))  # three at night
    done = await berlin.work(by_night, job_id=new_id(), wait_seconds=10)
    assert (done.mode, done.answered, done.missing, done.total) == ("clear", 2, (), 2)


async def test_a_replica_that_stops_is_not_waited_for(clearing: CacheClearing, pool: Pool) -> None:
    stopping, killed = new_id(), new_id()
    async with connection(pool) as conn:
        await store.seen(conn, stopping, "stopping:1", is_live=True, caches={})
        await store.seen(conn, killed, "killed:1", is_live=True, caches={})
    asked = await clearing.ask("clear")
    async with connection(pool) as conn:
        await store.gone(conn, stopping)
    done = await clearing.outcome(asked, wait_seconds=0.2)
    assert (done.replicas, done.answered, done.missing) == (1, 0, ("killed:1",))


async def test_a_request_that_is_heard_and_found_at_once_is_answered_with_all_it_removed(pool: Pool) -> None:
    class FullOnce:
        """Caches with three products, until they are cleaned."""

        left = 3

        def clean(self, _: Mode) -> dict[str, int]:
            removed, self.left = self.left, 0
            return {"product": removed}

    replica = CacheReplica(pool=pool, caches=FullOnce())  # type: ignore[arg-type]
    async with connection(pool) as conn:
        request_id, _, _ = await store.request(conn, new_id(), "clear", job_id=None)
    await asyncio.gather(*(replica.answer(request_id, "clear") for _ in range(3)))
    async with connection(pool) as conn:
        assert await store.answers(conn, request_id) == {replica.id: (replica.name, {"product": 3})}


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
