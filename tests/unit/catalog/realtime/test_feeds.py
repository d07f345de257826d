"""Feeds by their rules: who hears what, from where one goes on, and who is cut off."""

from collections.abc import Sequence
from uuid import UUID

import pytest

from services.catalog.realtime.feeds import BEAT_SECONDS, Feed, LiveFeeds, TooManyFeeds
from services.catalog.realtime.models import (
    DESK,
    EVERYBODY,
    JOBS,
    Key,
    Notice,
    keys_of,
    notices_of,
    product_key,
    vendor_key,
)
from shared.clock import utc_now
from shared.contracts.base import Audience, Event, Money
from shared.contracts.envelope import wrap
from shared.contracts.events import (
    JobFailed,
    JobsChanged,
    NotificationCreated,
    ProductChanged,
    ProductSubmitted,
    StockChanged,
)
from shared.ids import new_id
from shared.messaging.reader import Received
from shared.messaging.stream import Position
from shared.web.identity import Identity, Role

VENDOR, OTHER, PRODUCT = new_id(), new_id(), new_id()


class FakeStream:
    """A stream that the test moves."""

    def __init__(self) -> None:
        self.is_live = True
        self.position: Position | None = Position("e", 10)


class FakeClient:
    """What a client received; it keeps up until told otherwise."""

    def __init__(self) -> None:
        self.got = b""
        self.keeps_up = True

    def send(self, frame: bytes) -> bool:
        if self.keeps_up:
            self.got += frame
        return self.keeps_up

    @property
    def names(self) -> list[str]:
        return [line[7:].decode() for line in self.got.split(b"\n") if line.startswith(b"event: ")]


class Room:
    """Feeds on a fake stream."""

    def __init__(self, **limits: int) -> None:
        self.stream = FakeStream()
        self.now = 0.0
        self.feeds = LiveFeeds(self.stream, clock=lambda: self.now, **limits)

    def hear(self, event: Event, *, epoch: str = "e") -> Position:
        """The next event of the stream."""
        last = self.stream.position
        position = Position(epoch, 0 if last is None or last.epoch != epoch else last.offset + 1)
        self.stream.position = position
        envelope = wrap(
            event, identifier=new_id(), kind=event.type, source="catalog", subject=event.subject, time=utc_now()
        )
        self.feeds.heard(Received(event=event, envelope=envelope), position)
        return position

    def join(self, *keys: Key, last: Position | None = None, credential: str | None = None) -> tuple[FakeClient, Feed]:
        client = FakeClient()
        feed = Feed(keys, client, credential=credential)
        self.feeds.join(feed, last=last)
        return client, feed


@pytest.fixture
async def room() -> Room:
    """In a running loop, as feeds need one."""
    return Room()


def changed(status: str = "approved", *, vendor_id: UUID = VENDOR, product_id: UUID = PRODUCT) -> ProductChanged:
    return ProductChanged(vendor_id=vendor_id, product_id=product_id, version=3, slug="oak-chair", status=status)


def sold(on_hand: int, delta: int) -> StockChanged:
    return StockChanged(vendor_id=VENDOR, product_id=PRODUCT, delta=delta, on_hand=on_hand, version=2, cause="sale")


def told(event: Event) -> set[Key]:
    return {key for notice in notices_of(event) for key in notice.to}


PUBLIC = {EVERYBODY, product_key(PRODUCT)}
OWN = {vendor_key(VENDOR), DESK}


@pytest.mark.parametrize(
    ("event", "hears"),
    [
        (changed("draft"), OWN),
        (changed("pending"), OWN),
        (changed("rejected"), OWN),
        (changed("approved"), OWN | PUBLIC),
        (changed("suspended"), OWN | PUBLIC),
        (sold(4, -1), {vendor_key(VENDOR)}),
        (sold(0, -1), {vendor_key(VENDOR), product_key(PRODUCT)}),
        (JobsChanged(types=("send-email",)), {JOBS}),
        (
            NotificationCreated(notification_id=new_id(), audience=Audience(kind="vendor", vendor_id=VENDOR), kind="k"),
            {vendor_key(VENDOR)},
        ),
        (NotificationCreated(notification_id=new_id(), audience=Audience(kind="admins"), kind="k"), {DESK}),
    ],
)
def test_an_event_reaches_those_who_may_know(event: Event, hears: set[Key]) -> None:
    assert told(event) == hears


def test_the_public_learns_no_more_than_an_id_of_a_change() -> None:
    [shown] = [notice for notice in notices_of(changed()) if EVERYBODY in notice.to]
    assert set(shown.data) == {"id", "version"}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(
    "event",
    [
        changed(),
        sold(0, -1),
        ProductSubmitted(
            vendor_id=VENDOR,
            product_id=PRODUCT,
            version=1,
            sku="S",
            title="T",
            vendor_name="V",
            price=Money(amount_minor=1, currency="EUR"),
        ),
        JobFailed(
            vendor_id=VENDOR,
            job_id=new_id(),
            job_type="send-email",
            cause_id=None,
            target="t",
            error_class="E",
            error_message="m",
        ),
    ],
)
async def test_nobody_is_told_twice_of_one_event(room: Room, event: Event, role: Role) -> None:
    client, _ = room.join(*keys_of(Identity(new_id(), role, VENDOR if role is Role.VENDOR else None)))
    room.hear(event)
    assert len(client.names) <= 2, client.names
    assert client.names[0] == "ready"


async def test_another_vendor_hears_nothing(room: Room) -> None:
    own, _ = room.join(vendor_key(VENDOR))
    other, _ = room.join(vendor_key(OTHER))
    room.hear(changed())
    assert (own.names, other.names) == (["ready", "product"], ["ready"])


async def test_a_client_that_comes_back_hears_what_it_missed_and_nothing_twice(room: Room) -> None:
    room.join(DESK)
    seen = room.hear(changed("pending"))
    room.hear(sold(0, -1))
    room.hear(changed("approved"))
    client, _ = room.join(vendor_key(VENDOR), last=seen)
    assert client.names == ["stock", "product", "ready"]


async def test_a_replica_that_is_behind_repeats_nothing(room: Room) -> None:
    room.join(DESK)
    client, _ = room.join(DESK, last=Position("e", 12))
    room.hear(changed("pending"))
    room.hear(changed("approved"))
    room.hear(changed("suspended"))
    assert client.names == ["ready", "product"]


@pytest.mark.parametrize("last", [Position("e", 3), Position("another", 11)])
async def test_what_is_older_than_the_ring_is_a_reset(room: Room, last: Position) -> None:
    room.hear(changed())
    client, _ = room.join(DESK, last=last)
    assert client.names == ["reset"]


async def test_the_ring_is_bounded() -> None:
    room = Room(ring_notices=2)
    positions = [room.hear(sold(1, -1)) for _ in range(5)]
    late, _ = room.join(vendor_key(VENDOR), last=positions[1])
    recent, _ = room.join(vendor_key(VENDOR), last=positions[2])
    assert (late.names, recent.names) == (["reset"], ["stock", "stock", "ready"])


async def test_a_gap_in_the_stream_tells_everybody_to_look_anew(room: Room) -> None:
    client, _ = room.join(DESK)
    room.feeds.lost()
    room.hear(changed(), epoch="new")
    assert client.names == ["ready", "reset", "product"]


async def test_a_client_that_does_not_keep_up_is_let_go_alone(room: Room) -> None:
    slow, feed = room.join(DESK)
    quick, _ = room.join(DESK)
    slow.keeps_up = False
    room.hear(changed())
    assert feed.ended.done()
    assert quick.names == ["ready", "product"]
    assert len(room.feeds.feeds) == 1


async def test_feeds_say_when_they_are_not_live_and_when_they_are_again(room: Room) -> None:
    client, _ = room.join(EVERYBODY)
    for is_live in (False, False, True):
        room.stream.is_live = is_live
        await room.feeds.beat_once()
    assert client.got.count(b'event: live\ndata: {"live":false}') == 1
    assert client.got.count(b'event: live\ndata: {"live":true}') == 1


async def test_what_a_new_feed_is_told_of_being_live_the_others_have_been_told(room: Room) -> None:
    room.stream.is_live = False
    first, _ = room.join(EVERYBODY)
    room.stream.is_live = True
    room.join(EVERYBODY)
    room.stream.is_live = False
    await room.feeds.beat_once()
    said = [line for line in first.got.splitlines() if line.startswith(b"data")]
    assert said == [b'data: {"live":false}', b'data: {"live":true}', b'data: {"live":false}']


async def test_a_quiet_feed_is_kept_open_and_its_position_new(room: Room) -> None:
    client, _ = room.join(EVERYBODY)
    room.stream.position = Position("e", 99)
    await room.feeds.beat_once()
    assert b": beat" not in client.got
    room.now = BEAT_SECONDS
    await room.feeds.beat_once()
    assert client.got.endswith(b": beat\nid: e-99\n\n")


async def test_there_is_an_end_to_how_many_are_followed() -> None:
    room = Room(max_feeds=1)
    _, feed = room.join(EVERYBODY)
    with pytest.raises(TooManyFeeds):
        room.feeds.greeting()
    room.feeds.leave(feed)
    assert room.feeds.greeting().startswith(b"retry: ")


async def test_who_stops_ends_all_feeds(room: Room) -> None:
    feeds: Sequence[Feed] = [room.join(DESK)[1] for _ in range(3)]
    room.feeds.close()
    assert all(feed.ended.done() for feed in feeds)


async def test_what_is_told_beside_the_stream_moves_no_position(room: Room) -> None:
    client, _ = room.join(JOBS)
    room.feeds.tell(Notice("health", {"score": 90}, (JOBS,)))
    assert client.got.endswith(b'event: health\ndata: {"score":90}\n\n')
    assert client.got.count(b"id: ") == 1
