"""When a batch of reports goes out, and that everybody who waits hears of it."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from shared.contracts.reports import AttemptReport, Outcome, ReportBatch
from shared.ids import new_id
from shared.messaging.publisher import NotConfirmed, Publisher
from shared.messaging.reporter import Reporter
from tests.eventually import eventually

AT = datetime(2026, 1, 1, tzinfo=UTC)


class FakePublisher:
    """Holds every publish until the test lets it land."""

    def __init__(self) -> None:
        self.batches: list[ReportBatch] = []
        self.landing: list[asyncio.Future[None]] = []
        self.message_ids: list[str] = []

    async def publish_body(self, body: bytes, *, exchange: str, routing_key: str, properties: Any) -> None:
        assert (exchange, routing_key) == ("jobs.reports", "report")
        assert properties.delivery_mode == 2
        self.batches.append(ReportBatch.model_validate_json(body))
        self.message_ids.append(properties.message_id)
        landed = asyncio.get_running_loop().create_future()
        self.landing.append(landed)
        await landed

    @property
    def sizes(self) -> list[int]:
        return [len(batch.reports) for batch in self.batches]


def report() -> AttemptReport:
    return AttemptReport(
        job_id=new_id(),
        job_type="send-email",
        attempt=1,
        fence=1,
        outcome=Outcome.COMPLETED,
        worker="test",
        started_at=AT,
    )


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
def reporter(publisher: FakePublisher) -> Reporter:
    return Reporter(cast(Publisher, publisher), worker="test", spacing_seconds=0)


async def turns(count: int = 5) -> None:
    """Let what is ready run."""
    for _ in range(count):
        await asyncio.sleep(0)


async def sent(reporter: Reporter, count: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(reporter.send(report())) for _ in range(count)]
    await turns()
    return tasks


async def test_a_report_goes_at_once_when_none_is_in_flight(publisher: FakePublisher, reporter: Reporter) -> None:
    [waiting] = await sent(reporter, 1)
    assert publisher.sizes == [1]
    assert not waiting.done()
    publisher.landing[0].set_result(None)
    await waiting


async def test_what_one_turn_of_the_loop_makes_goes_together(publisher: FakePublisher, reporter: Reporter) -> None:
    waiting = await sent(reporter, 100)
    assert publisher.sizes == [100]
    publisher.landing[0].set_result(None)
    await asyncio.gather(*waiting)


async def test_what_gathers_meanwhile_goes_together_when_it_lands(publisher: FakePublisher, reporter: Reporter) -> None:
    first = await sent(reporter, 1)
    rest = await sent(reporter, 150)
    assert publisher.sizes == [1]
    publisher.landing[0].set_result(None)
    await turns()
    assert publisher.sizes == [1, 150]
    publisher.landing[1].set_result(None)
    await asyncio.gather(*first, *rest)
    assert len(set(publisher.message_ids)) == 2


async def test_a_full_batch_goes_beside_the_one_in_flight_and_never_a_third(
    publisher: FakePublisher, reporter: Reporter
) -> None:
    first = await sent(reporter, 1)
    rest = await sent(reporter, 650)
    assert publisher.sizes == [1, 200]
    publisher.landing[0].set_result(None)
    await turns()
    assert publisher.sizes == [1, 200, 200]
    for index in range(2, 5):
        publisher.landing[index - 1].set_result(None)
        await turns()
    assert publisher.sizes == [1, 200, 200, 200, 50]
    for landed in publisher.landing:
        if not landed.done():
            landed.set_result(None)
    await asyncio.gather(*first, *rest)


@pytest.mark.parametrize("error", [NotConfirmed("gone"), ValueError("a bug")], ids=["away", "bug"])
async def test_a_failure_reaches_everybody_who_waits_and_stops_nobody_after(
    publisher: FakePublisher, reporter: Reporter, error: Exception
) -> None:
    first = await sent(reporter, 1)
    rest = await sent(reporter, 3)
    publisher.landing[0].set_result(None)
    await asyncio.gather(*first)
    await turns()
    publisher.landing[1].set_exception(error)
    assert await asyncio.gather(*rest, return_exceptions=True) == [error] * 3
    [later] = await sent(reporter, 1)
    publisher.landing[2].set_result(None)
    await later


async def test_whoever_gave_up_waiting_does_not_stop_the_others(publisher: FakePublisher, reporter: Reporter) -> None:
    first, second = await sent(reporter, 2)
    first.cancel()
    await turns()
    for landed in publisher.landing:
        landed.set_result(None)
    await turns()
    for landed in publisher.landing[1:]:
        if not landed.done():
            landed.set_result(None)
    await second
    assert first.cancelled()


async def test_batches_that_are_not_full_keep_a_distance(publisher: FakePublisher) -> None:
    reporter = Reporter(cast(Publisher, publisher), worker="test", spacing_seconds=0.05)
    began = time.monotonic()
    first = await sent(reporter, 1)
    publisher.landing[0].set_result(None)
    rest = await sent(reporter, 3)
    assert publisher.sizes == [1]
    await eventually(lambda: publisher.sizes == [1, 3])
    assert time.monotonic() - began >= 0.05
    publisher.landing[1].set_result(None)
    await asyncio.gather(*first, *rest)


async def test_a_full_batch_waits_for_no_distance(publisher: FakePublisher) -> None:
    reporter = Reporter(cast(Publisher, publisher), worker="test", spacing_seconds=60)
    first = await sent(reporter, 1)
    publisher.landing[0].set_result(None)
    rest = await sent(reporter, 200)
    assert publisher.sizes == [1, 200]
    publisher.landing[1].set_result(None)
    await asyncio.gather(*first, *rest)
