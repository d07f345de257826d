"""What a reader does with announcements, without a broker: it asks for what never came, and for nothing else."""

from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from aiormq.abc import DeliveredMessage

from shared.clock import utc_now
from shared.contracts.base import Event
from shared.contracts.envelope import Envelope, wrap
from shared.contracts.events import EventsReplayRequested, JobFailed, PublisherSeen, SentEvents
from shared.db.gaps import Gaps
from shared.db.outbox import Inbox
from shared.db.pool import Pool, open_pool, transaction
from shared.db.replay import reach_ticks
from shared.errors import Unavailable
from shared.ids import new_id
from shared.messaging.publisher import NotConfirmed, Publisher
from shared.messaging.topology import OUTBOX_SCHEMAS
from tests.servers import Database

TICK_SECONDS = 10.0


class FakePublisher:
    """Notes what is asked for, and of whom; while `is_away` it raises as the real one does."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[UUID, ...]]] = []
        self.is_away = False

    async def publish(self, envelope: Envelope, *, exchange: str, routing_key: str) -> None:
        if self.is_away:
            raise NotConfirmed("away")
        event = EventsReplayRequested.model_validate_json(envelope.model_dump_json(include={"data"})[8:-1])
        assert (exchange, routing_key) == ("events", f"events.replay_requested.{event.publisher}")
        self.asked.append((event.publisher, event.ids))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    async with open_pool(database.url("catalog"), name="test") as opened:
        yield opened


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gaps(pool: Pool, publisher: FakePublisher, clock: Clock) -> Gaps:
    return Gaps(pool, cast(Publisher, publisher), reader="catalog", schema="catalog", seconds=TICK_SECONDS, clock=clock)


def delivered(event: Event, identifier: UUID | None = None) -> DeliveredMessage:
    envelope = wrap(
        event,
        identifier=identifier or new_id(),
        kind=event.type,
        source="jobs",
        subject=event.subject,
        time=utc_now(),
    )
    message: Any = SimpleNamespace(
        body=envelope.model_dump_json(exclude_none=True).encode(),
        routing_key=event.type,
        header=SimpleNamespace(properties=SimpleNamespace(message_id=str(envelope.id), headers={})),
    )
    return cast(DeliveredMessage, message)


def failure() -> JobFailed:
    return JobFailed(job_id=new_id(), job_type="x", cause_id=None, target="t", error_class="E", error_message="")


def announced(*ids: UUID, kind: str = "job.failed", by: str = "jobs") -> DeliveredMessage:
    return delivered(PublisherSeen(publisher=by, sent=(SentEvents(type=kind, ids=ids),)))


async def ignore(_: Sequence[DeliveredMessage]) -> None:
    """A reader to which nothing is of interest."""


async def test_what_never_came_is_asked_for_after_a_moment(gaps: Gaps, publisher: FakePublisher, clock: Clock) -> None:
    missing = [new_id(), new_id()]
    await gaps.around(ignore)([announced(*missing)])
    assert await gaps.run_once() == 0  # another replica may have them in hand
    clock.now += 1
    assert await gaps.run_once() == 2
    assert publisher.asked == [("jobs", tuple(missing))]
    assert await gaps.run_once() == 0


async def test_what_came_is_not_asked_for_even_if_nobody_cared(
    gaps: Gaps, publisher: FakePublisher, clock: Clock, pool: Pool
) -> None:
    mine, of_a_replica, late = new_id(), new_id(), new_id()
    async with transaction(pool) as conn:
        await Inbox("catalog").first_time(conn, of_a_replica)
    await gaps.around(ignore)([announced(mine, of_a_replica, late), delivered(failure(), mine)])
    async with transaction(pool) as conn:
        await Inbox("catalog").first_time(conn, late)
    clock.now += 1
    assert await gaps.run_once() == 0
    assert publisher.asked == []


async def test_types_the_reader_is_not_bound_to_are_none_of_its_business(
    gaps: Gaps, publisher: FakePublisher, clock: Clock
) -> None:
    await gaps.around(ignore)([announced(new_id(), kind="order.placed"), announced(new_id(), kind="image.added")])
    clock.now += 1
    assert await gaps.run_once() == 0


async def test_each_silence_is_twice_the_one_before(gaps: Gaps, publisher: FakePublisher, clock: Clock) -> None:
    missing, handle = new_id(), gaps.around(ignore)
    asked_at = []
    for _ in range(1200):
        await handle([announced(missing)])
        clock.now += 1
        if await gaps.run_once():
            asked_at.append(clock.now)
    waits = [later - earlier for earlier, later in pairwise(asked_at)]
    assert waits == [9, 17, 33, 65, 129, 257, 513]  # the silence, and a second to make sure


async def test_a_parked_event_is_not_asked_for(gaps: Gaps, publisher: FakePublisher, clock: Clock) -> None:
    parked = new_id()
    gaps.parked(delivered(failure(), parked))
    await gaps.around(ignore)([announced(parked)])
    clock.now += 1
    assert await gaps.run_once() == 0


async def test_what_the_handler_failed_at_is_not_noted(gaps: Gaps, publisher: FakePublisher, clock: Clock) -> None:
    async def fail(_: Sequence[DeliveredMessage]) -> None:
        raise Unavailable("The database did not answer.")

    failed = new_id()
    with pytest.raises(Unavailable):
        await gaps.around(fail)([delivered(failure(), failed)])
    await gaps.around(ignore)([announced(failed)])
    clock.now += 1
    assert await gaps.run_once() == 1


async def test_a_request_that_is_not_confirmed_is_made_again(
    gaps: Gaps, publisher: FakePublisher, clock: Clock
) -> None:
    missing = new_id()
    await gaps.around(ignore)([announced(missing)])
    clock.now += 1
    publisher.is_away = True
    with pytest.raises(Unavailable):
        await gaps.run_once()
    publisher.is_away = False
    assert await gaps.run_once() == 1
    assert publisher.asked == [("jobs", (missing,))]


async def test_requests_go_to_each_publisher_in_bounded_messages(
    gaps: Gaps, publisher: FakePublisher, clock: Clock
) -> None:
    of_jobs, of_catalog = [new_id() for _ in range(1100)], new_id()
    handle = gaps.around(ignore)
    for start in range(0, 1100, 500):
        await handle([announced(*of_jobs[start : start + 500])])
    await handle([announced(of_catalog, by="catalog")])
    clock.now += 1
    assert await gaps.run_once() == 1101
    assert [(by, len(ids)) for by, ids in publisher.asked] == [
        ("catalog", 1),
        ("jobs", 500),
        ("jobs", 500),
        ("jobs", 100),
    ]


async def test_a_new_queue_asks_everybody_for_all(gaps: Gaps, publisher: FakePublisher) -> None:
    gaps.queue_is_new()
    await gaps.run_once()
    await gaps.run_once()
    assert publisher.asked == [(schema, ()) for schema in OUTBOX_SCHEMAS]


@pytest.mark.parametrize(
    ("tick", "reach"), [(1, 3), (29, 3), (30, 60), (60, 60), (719, 3), (720, 1440), (1440, 1440), (750, 60)]
)
def test_now_and_then_an_announcement_reaches_far_back(tick: int, reach: int) -> None:
    assert reach_ticks(tick) == reach
