"""Live feeds of two replicas on a real broker: what one began, the other goes on with."""

from tests.factories import make_approved, make_product
from tests.faults.proxy import FaultProxy
from tests.integration.catalog.cache.conftest import Replicas
from tests.integration.catalog.conftest import Client
from tests.integration.catalog.feeds import following


async def test_a_feed_goes_on_at_another_replica_where_it_broke_off(
    replicas: Replicas, vendor: Client, other_vendor: Client
) -> None:
    async with following(vendor, f"{replicas.a}/api/vendor/stream") as feed:
        assert (await feed.next())[0] == "ready"
        await make_product(other_vendor)
        first = await make_product(vendor)
        assert (await feed.until("product"))["id"] == first["id"]
    async with following(vendor, f"{replicas.b}/api/vendor/stream") as watch:  # B has heard as much by now
        second = await make_product(vendor)
        assert (await watch.until("product"))["id"] == second["id"]
    async with following(vendor, f"{replicas.b}/api/vendor/stream", last_id=feed.last_id) as again:
        missed = []
        while (told := await again.next())[0] != "ready":
            missed.append(told)
    assert [data["id"] for name, data in missed if name == "product"] == [second["id"]]


async def test_the_public_hears_of_what_it_can_see_alone(replicas: Replicas, vendor: Client, admin: Client) -> None:
    async with following(replicas.nobody, f"{replicas.b}/api/stream") as feed:
        await feed.next()
        await make_product(vendor)
        shown = await make_approved(vendor, admin)
        assert (await feed.until("product"))["id"] == shown["id"]


async def test_a_feed_tells_when_the_broker_goes_and_comes_back(replicas: Replicas, way: FaultProxy) -> None:
    async with following(replicas.nobody, f"{replicas.a}/api/stream") as feed:
        assert await feed.next() == ("ready", {"live": True})
        way.cut()
        assert await feed.until("live") == {"live": False}
        await way.join()
        assert await feed.until("live") == {"live": True}
