"""The topology on a real broker."""

import asyncio
from typing import Any

import pytest

from shared.clock import utc_now
from shared.contracts.jobs import CheckLowStock
from shared.messaging.broker import Broker
from shared.messaging.declare import TopologyDiffers, apply, keeping_topology
from shared.messaging.publisher import NotConfirmed
from shared.messaging.topology import CHECK_LOW_STOCK, JOBS, SEND_EMAIL, Exchange, Topology, build, parse_tiers
from tests.eventually import eventually
from tests.integration.shared.messaging.conftest import TOPOLOGY, a_job
from tests.servers import Vhost


def shape(vhost: Vhost) -> tuple[dict[str, Any], set[tuple[str, str, str]]]:
    """Queues with their arguments, and bindings."""
    queues = {queue["name"]: queue["arguments"] for queue in vhost.management.queues(vhost.name)}
    bindings = vhost.management.call("GET", "bindings", vhost.name)
    return queues, {(b["source"], b["destination"], b["routing_key"]) for b in bindings if b["source"]}


async def test_declaring_the_whole_twice_leaves_what_the_data_say(bare: Broker, vhost: Vhost) -> None:
    whole = build(parse_tiers("1s"), [SEND_EMAIL])
    await apply(bare.consuming, whole)
    first = shape(vhost)
    await apply(bare.consuming, whole)
    assert shape(vhost) == first
    queues, bindings = first
    assert queues == {queue.name: dict(queue.arguments) for queue in whole.queues}
    assert bindings == {(b.exchange, b.queue, b.routing_key) for b in whole.bindings}


async def test_a_queue_with_other_arguments_is_named_and_left_as_it_is(bare: Broker, vhost: Vhost) -> None:
    other = {"durable": True, "arguments": {"x-max-priority": 9}}
    vhost.management.call("PUT", "queues", vhost.name, "jobs.check-low-stock", body=other)
    with pytest.raises(TopologyDiffers, match=r"'jobs\.check-low-stock'"):
        await apply(bare.consuming, TOPOLOGY)
    assert shape(vhost)[0]["jobs.check-low-stock"] == {"x-max-priority": 9}


async def test_an_exchange_of_another_type_is_named(bare: Broker, vhost: Vhost) -> None:
    vhost.management.call("PUT", "exchanges", vhost.name, "events", body={"type": "fanout", "durable": True})
    with pytest.raises(TopologyDiffers, match="'events'"):
        await apply(bare.consuming, TOPOLOGY)


async def test_a_difference_stops_the_keeper_of_the_topology(bare: Broker, vhost: Vhost) -> None:
    vhost.management.call("PUT", "exchanges", vhost.name, "events", body={"type": "fanout", "durable": True})
    with pytest.raises(TopologyDiffers):
        async with keeping_topology(bare.consuming, TOPOLOGY):
            pytest.fail("it went on")


async def test_a_deleted_binding_comes_back_by_itself(bare: Broker, vhost: Vhost) -> None:
    async with keeping_topology(bare.consuming, TOPOLOGY, check_seconds=0.2):
        whole = shape(vhost)
        place = ("bindings", vhost.name, "e", "events", "q", "events.catalog", "job.failed")
        vhost.management.call("DELETE", *place)
        await eventually(lambda: shape(vhost) == whole, 10, every=0.1)


async def test_a_deleted_binding_comes_back_when_a_message_found_no_queue(bare: Broker, vhost: Vhost) -> None:
    returned = bare.publisher.returned
    async with keeping_topology(bare.consuming, TOPOLOGY, returned=returned, check_seconds=3600):
        whole = shape(vhost)
        binding = next(b for b in TOPOLOGY.bindings if (b.exchange, b.queue) == (JOBS, CHECK_LOW_STOCK.name))
        place = ("bindings", vhost.name, "e", binding.exchange, "q", binding.queue, binding.routing_key)

        async def is_returned() -> bool:
            if shape(vhost) == whole:  # the keeper applies it twice when it begins
                vhost.management.call("DELETE", *place)
            try:
                await a_job(CheckLowStock(due_at=utc_now())).publish(bare.publisher)
            except NotConfirmed as exc:
                return "reaches no queue" in exc.detail
            return False

        await eventually(is_returned, 10)
        await eventually(lambda: shape(vhost) == whole and not returned.is_set(), 10, every=0.1)


async def test_a_deleted_queue_comes_back_and_is_told_once_it_is_there(bare: Broker, vhost: Vhost) -> None:
    found_missing: list[bool] = []

    async def on_found_missing() -> None:
        found_missing.append("events.catalog" in shape(vhost)[0])

    await apply(bare.consuming, TOPOLOGY)
    keeping = keeping_topology(bare.consuming, TOPOLOGY, on_found_missing=on_found_missing, check_seconds=0.2)
    async with keeping:
        vhost.management.call("DELETE", "queues", vhost.name, "events.catalog")
        await eventually(lambda: found_missing, 10)
    assert found_missing == [True]


async def test_a_queue_that_was_gone_before_the_keeper_came_is_told_too(bare: Broker, vhost: Vhost) -> None:
    told = asyncio.Event()

    async def on_found_missing() -> None:
        told.set()

    await apply(bare.consuming, TOPOLOGY)
    vhost.management.call("DELETE", "queues", vhost.name, "events.catalog")
    async with keeping_topology(bare.consuming, TOPOLOGY, on_found_missing=on_found_missing):
        await eventually(told.is_set, 10)


async def test_what_is_lost_comes_back_with_the_next_connection(bare: Broker, vhost: Vhost) -> None:
    small = Topology((Exchange("events", "topic"),), (), ())
    async with keeping_topology(bare.consuming, small):
        vhost.management.call("DELETE", "exchanges", vhost.name, "events")
        names = await eventually(
            lambda: [
                c["name"] for c in vhost.management.call("GET", "vhosts", vhost.name, "connections") if "name" in c
            ],
            15,
        )
        for name in names:
            vhost.management.call("DELETE", "connections", name)

        def is_back() -> bool:
            return "events" in [e["name"] for e in vhost.management.call("GET", "exchanges", vhost.name)]

        await eventually(is_back, 10, every=0.1)
