"""Publishing tells the truth."""

import asyncio

import pytest
from pamqp.commands import Basic

from shared.contracts import jobs
from shared.errors import Unavailable
from shared.messaging.broker import open_broker
from shared.messaging.publisher import NotConfirmed
from tests.eventually import eventually
from tests.integration.shared.messaging.conftest import Bench, a_job

PROPERTIES = Basic.Properties(delivery_mode=2)


async def test_what_no_queue_takes_is_not_confirmed(bench: Bench) -> None:
    with pytest.raises(NotConfirmed, match="nobody"):
        await bench.broker.publisher.publish_body(b"x", exchange="jobs", routing_key="nobody.p1", properties=PROPERTIES)


async def test_an_exchange_that_is_not_there_is_not_confirmed_and_harms_no_later_publish(bench: Bench) -> None:
    publisher = bench.broker.publisher
    with pytest.raises(NotConfirmed):
        await publisher.publish_body(b"x", exchange="none", routing_key="x", properties=PROPERTIES)
    await bench.order()
    assert len(bench.taken("jobs.check-low-stock")) == 1


async def test_a_broker_that_is_away_is_not_confirmed() -> None:
    async with open_broker("amqp://guest:guest@127.0.0.1:1/", name="test") as broker:
        with pytest.raises(Unavailable):
            await a_job(jobs.CheckLowStock()).publish(broker.publisher)


async def test_what_is_confirmed_is_there_and_the_rest_raises_when_the_connection_is_lost(bench: Bench) -> None:
    await bench.order()

    async def publish(number: int) -> bool:
        await asyncio.sleep(number / 1000)
        try:
            await bench.order(jobs.CheckLowStock())
        except NotConfirmed:
            return False
        return True

    publishing = [asyncio.ensure_future(publish(number)) for number in range(300)]
    assert await bench.lose_connections() >= 1
    confirmed = sum(await asyncio.gather(*publishing))
    await eventually(lambda: publish(0), 5)
    assert len(bench.taken("jobs.check-low-stock", 1000)) >= confirmed + 2


async def test_a_job_carries_its_numbers_and_its_priority(bench: Bench) -> None:
    job_id = await bench.order(attempt=2, fence=3, priority=1, max_attempts=5, timeout_ms=1500)
    [message] = bench.taken("jobs.check-low-stock")
    properties = message["properties"]
    assert message["routing_key"] == "check-low-stock.p1"
    assert (properties["priority"], properties["delivery_mode"], properties["message_id"]) == (5, 2, str(job_id))
    assert (properties["type"], properties["content_type"]) == ("check-low-stock", "application/cloudevents+json")
    assert properties["headers"] == {
        "souk-attempt": 2,
        "souk-max-attempts": 5,
        "souk-fence": 3,
        "souk-timeout-ms": 1500,
    }
