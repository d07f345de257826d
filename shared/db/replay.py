"""Events that the broker had and lost: a relay announces what it sent, a reader asks for what never came.

The broker confirms an event when it is in some queue, and forgets it when that queue is purged, deleted or wiped; an
event whose binding is gone goes into the stream and is confirmed as well. So the row of the outbox is kept for a day
after it was sent, and each relay names the ids it sent, through the same queues. Queues are FIFO: what was published
before an announcement has been delivered before it, or is gone. See docs/adr/0006.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from aiormq.abc import DeliveredMessage
from prometheus_client import Counter

from shared.clock import utc_now
from shared.contracts.base import Event
from shared.contracts.envelope import wrap
from shared.contracts.events import EventsReplayRequested, PublisherSeen, SentEvents
from shared.db.outbox import KEEP_SENT_HOURS, Inbox, OutboxRelay
from shared.db.pool import Pool, connection, transaction
from shared.errors import Unparsable
from shared.ids import new_id
from shared.lifecycle import background, every
from shared.log import get_logger
from shared.messaging.broker import Broker
from shared.messaging.publisher import Publisher
from shared.messaging.reader import HandleBatch, parse_event, reading
from shared.messaging.subscription import Subscription
from shared.messaging.topology import (
    ANNOUNCEMENT,
    EVENTS,
    OUTBOX_SCHEMAS,
    Topology,
    is_read_by,
    replay_queue,
    replay_routing_key,
)

log = get_logger(__name__)

MAX_IDS: Final = 500
SHORT_TICKS: Final = 3
LONGER_TICKS: Final = (720, 30)
"""Every so many ticks an announcement reaches twice so far back: at 10 s a tick every 5 minutes and every 2 hours."""
FULL_TIMES: Final = 2
"""All that is kept is announced twice, a tick apart: queues that come back do so one after the other."""
LONGEST_SILENCE_TICKS: Final = 60
PRUNE_SECONDS: Final = 3600.0

MISSED = Counter("souk_events_missed", "Events asked for again, because they never came.", ["reader"])
REPLAYED = Counter("souk_outbox_replayed", "Events to be published again, because a reader asked.", ["schema"])


@dataclass(frozen=True, slots=True)
class _Sent:
    seq: int
    id: UUID
    type: str
    sent_at: datetime


class Announcer:
    """Names what an outbox has sent. Any number may run: an announcement heard twice changes nothing.

    `seconds` is one tick. In each tick in which this relay sent something it names what was sent in the last three, so
    that one lost announcement loses nothing; every 30 and 720 ticks what was sent in the last 60 and 1440, for a queue
    that lost older events without a sign. After the start, after each loss of the link and when it is asked, it names
    all the outbox keeps. A crash loses the tick, and the start makes up for it.
    """

    def __init__(
        self,
        pool: Pool,
        publisher: Publisher,
        relay: OutboxRelay,
        replays: Subscription,
        *,
        schema: str,
        seconds: float,
    ) -> None:
        self._pool = pool
        self._publisher = publisher
        self._relay = relay
        self._replays = replays
        self._schema = schema
        self._seconds = seconds
        self._heard_since: float | None = None
        self._next_at = 0.0
        self._tick = 0
        self._full_left = 0
        self._page = f"""
            -- What was sent within so many seconds, oldest first, from behind a row on.
            SELECT seq, id, type, sent_at FROM {schema}.outbox
            WHERE sent_at > now() - $1 * interval '1 second' AND (sent_at, seq) > ($2, $3)
            ORDER BY sent_at, seq LIMIT {MAX_IDS}
        """  # noqa: S608 - the schema is a constant of the service

    def announce_all(self) -> None:
        """Name all the outbox keeps, at the next call of `run_once`."""
        self._full_left = FULL_TIMES
        self._next_at = 0.0

    async def run_once(self) -> int:
        """Announce if it is time; returns how many events were named. Raises `Unavailable`, and is due again then."""
        if not self._replays.is_consuming:  # nobody would hear the answers
            return 0
        if self._replays.consuming_since != self._heard_since:
            self._heard_since = self._replays.consuming_since
            self.announce_all()
        if time.monotonic() < self._next_at:
            return 0
        self._next_at = time.monotonic() + self._seconds
        if self._full_left:
            count = await self._announce(KEEP_SENT_HOURS * 3600)
            self._full_left -= 1
            return count
        ticks = reach_ticks(self._tick + 1)
        is_needed = ticks > SHORT_TICKS or self._sent_lately()
        count = await self._announce(ticks * self._seconds) if is_needed else 0
        self._tick += 1
        return count

    def _sent_lately(self) -> bool:
        last = self._relay.last_sent
        return last is not None and time.monotonic() - last < SHORT_TICKS * self._seconds

    async def _announce(self, seconds: float) -> int:
        count, behind, seq = 0, datetime.fromtimestamp(0, tz=utc_now().tzinfo), 0
        while True:
            async with connection(self._pool) as conn:
                rows = [_Sent(**row) for row in await conn.fetch(self._page, seconds, behind, seq)]
            if not rows:
                return count
            await _say(
                self._publisher, _announcement(self._schema, rows), source=self._schema, routing_key=ANNOUNCEMENT
            )
            count, behind, seq = count + len(rows), rows[-1].sent_at, rows[-1].seq


def reach_ticks(tick: int) -> int:
    """How many ticks back the announcement of a tick (from 1) reaches."""
    return next((2 * longer for longer in LONGER_TICKS if tick % longer == 0), SHORT_TICKS)


class Replays:
    """Makes events that are asked for unsent again, so that the relay publishes them as ever. Safe to run twice."""

    def __init__(self, pool: Pool, *, schema: str, seconds: float) -> None:
        self._pool = pool
        self._schema = schema
        self._seconds = seconds
        self._announcer: Announcer | None = None
        self._again = f"""
            -- What several readers miss is asked for by each of them, and sent again once.
            WITH again AS (
                UPDATE {schema}.outbox SET sent_at = NULL, claimed_until = NULL
                WHERE id = ANY($1::uuid[]) AND sent_at < now() - $2 * interval '1 second'
                RETURNING 1
            ) SELECT count(*) FROM again
        """  # noqa: S608
        self._notify = f"SELECT pg_notify('{schema}_outbox', '')"

    def announce_with(self, announcer: Announcer) -> None:
        """Whom to tell when somebody asks for no event in particular."""
        self._announcer = announcer

    async def handle(self, messages: Sequence[DeliveredMessage]) -> None:
        """Handle requests. One that can't be read is dropped: whoever made it asks again."""
        wanted: set[UUID] = set()
        for message in messages:
            try:
                received = parse_event(message)
            except Unparsable as exc:
                log.warning("replay_request_dropped", schema=self._schema, error=exc.detail)
                continue
            if received is None or not isinstance(received.event, EventsReplayRequested):
                continue
            wanted.update(received.event.ids)
            if not received.event.ids and self._announcer is not None:
                self._announcer.announce_all()
        if not wanted:
            return
        async with transaction(self._pool) as conn:
            count = await conn.fetchval(self._again, sorted(wanted), self._seconds / 10)
            await conn.execute(self._notify)
        if count:
            REPLAYED.labels(self._schema).inc(count)
            log.warning("events_sent_again", schema=self._schema, count=count, asked=len(wanted))


@asynccontextmanager
async def announcing(
    pool: Pool, broker: Broker, relay: OutboxRelay, *, schema: str, topology: Topology, seconds: float
) -> AsyncIterator[Subscription]:
    """Announce what the schema's outbox has sent, and send again what is asked for, while the block runs."""
    replays = Replays(pool, schema=schema, seconds=seconds)
    async with reading(
        broker, replay_queue(schema), replays.handle, topology=topology, grace_seconds=1
    ) as subscription:
        announcer = Announcer(pool, broker.publisher, relay, subscription, schema=schema, seconds=seconds)
        replays.announce_with(announcer)
        async with background(every(seconds / 10, announcer.run_once), name=f"{schema} announcer"):
            yield subscription


class Gaps:
    """What a reader should have seen and has not: found by announcements, asked for, and soon forgotten.

    All here is in memory: after a crash the next announcement finds the same again. `seconds` is the relays' tick. An
    id is asked for once it has been missing for a tenth of one (another replica may have it in hand just now), then not
    again for nearly one, for two, for four …: each answer is announced anew, so a second loss is noticed too, and what
    can never be had costs little.
    """

    def __init__(
        self,
        pool: Pool,
        publisher: Publisher,
        *,
        reader: str,
        schema: str,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._publisher = publisher
        self._inbox = Inbox(schema)
        self._reader = reader
        self._schema = schema
        self._seconds = seconds
        self._clock = clock
        self._suspects: dict[UUID, tuple[str, float]] = {}
        self._asked: dict[UUID, tuple[float, float]] = {}
        self._parked: set[UUID] = set()
        self._is_queue_new = False
        self._forget_at = 0.0

    def around(self, handle: HandleBatch) -> HandleBatch:
        """Handle events by `handle`, note each as seen, and compare announcements with what was noted.

        An event `handle` returned from is handled, even if it was of no interest; noting it here is enough for those.
        An effect that must not happen twice needs its inbox row in its own transaction all the same.
        """

        async def handle_and_compare(messages: Sequence[DeliveredMessage]) -> None:
            if events := [message for message in messages if not _is_announcement(message)]:
                await handle(events)
                async with connection(self._pool) as conn:
                    await self._inbox.keep(conn, [found for event in events if (found := _id_of(event)) is not None])
            for message in messages:
                if _is_announcement(message) and (received := parse_event(message)) is not None:
                    assert isinstance(received.event, PublisherSeen)
                    await self._compare(received.event)

        return handle_and_compare

    def parked(self, message: DeliveredMessage) -> None:
        """A message is with the dead: for this process it need not come again; the next one's code may know better."""
        if (found := _id_of(message)) is not None:
            self._parked.add(found)

    def queue_is_new(self) -> None:
        """The queue was not there: whatever was in it has to be named once more."""
        self._is_queue_new = True

    async def run_once(self) -> int:
        """Ask for what is due; returns for how many events. Raises `Unavailable`, and asks at the next call then."""
        if self._is_queue_new:
            await ask_for_all(self._publisher, source=self._schema)
            self._is_queue_new = False
        now = self._clock()
        self._forget(now)
        due = {identifier: publisher for identifier, (publisher, at) in self._suspects.items() if at <= now}
        if not due:
            return 0
        async with connection(self._pool) as conn:
            unknown = set(await self._inbox.unknown_of(conn, list(due)))
        for identifier in due.keys() - unknown:
            del self._suspects[identifier]
        for publisher, ids in _batches({identifier: due[identifier] for identifier in due if identifier in unknown}):
            await _ask(self._publisher, publisher, ids, source=self._schema)
            for identifier in ids:
                del self._suspects[identifier]
                _, silence = self._asked.get(identifier, (0.0, 0.4 * self._seconds))
                silence = min(2 * silence, LONGEST_SILENCE_TICKS * self._seconds)
                self._asked[identifier] = (now + silence, silence)
        if unknown:
            MISSED.labels(self._reader).inc(len(unknown))
            log.warning("events_missing", reader=self._reader, count=len(unknown))
        return len(unknown)

    async def prune_once(self) -> None:
        """Forget the ids of events that no outbox can send again."""
        async with connection(self._pool) as conn:
            await self._inbox.prune(conn)

    async def _compare(self, seen: PublisherSeen) -> None:
        now = self._clock()
        named = [
            identifier
            for sent in seen.sent
            if is_read_by(self._reader, sent.type)
            for identifier in sent.ids
            if not self._is_quiet(identifier, now)
        ]
        if not named:
            return
        async with connection(self._pool) as conn:
            unknown = await self._inbox.unknown_of(conn, named)
        for identifier in unknown:
            self._suspects[identifier] = (seen.publisher, now + self._seconds / 10)

    def _is_quiet(self, identifier: UUID, now: float) -> bool:
        until, _ = self._asked.get(identifier, (0.0, 0.0))
        return now < until or identifier in self._suspects or identifier in self._parked

    def _forget(self, now: float) -> None:
        if now < self._forget_at:
            return
        self._forget_at = now + LONGEST_SILENCE_TICKS * self._seconds
        long_ago = now - 2 * LONGEST_SILENCE_TICKS * self._seconds
        self._asked = {identifier: asked for identifier, asked in self._asked.items() if asked[0] > long_ago}


@asynccontextmanager
async def reading_all(
    broker: Broker,
    reader: str,
    handle: HandleBatch,
    *,
    pool: Pool,
    schema: str,
    topology: Topology,
    grace_seconds: float,
    announce_seconds: float,
) -> AsyncIterator[Subscription]:
    """Read `events.<reader>` while the block runs, and see to it that nothing is missing.

    `schema` is the reader's own: its inbox says what came. `handle` is safe to call twice with the same event.
    """
    gaps = Gaps(pool, broker.publisher, reader=reader, schema=schema, seconds=announce_seconds)
    async with (
        background(every(announce_seconds / 10, gaps.run_once), name=f"{reader} gaps"),
        background(every(PRUNE_SECONDS, gaps.prune_once), name=f"{schema} inbox prune"),
        reading(
            broker,
            f"events.{reader}",
            gaps.around(handle),
            topology=topology,
            grace_seconds=grace_seconds,
            on_parked=gaps.parked,
            on_new_queue=gaps.queue_is_new,
        ) as subscription,
    ):
        yield subscription


async def ask_for_all(publisher: Publisher, *, source: str) -> None:
    """Have every relay announce all it keeps. Raises `Unavailable`."""
    for schema in OUTBOX_SCHEMAS:
        await _ask(publisher, schema, (), source=source)


async def _ask(publisher: Publisher, schema: str, ids: Sequence[UUID], *, source: str) -> None:
    event = EventsReplayRequested(publisher=schema, ids=tuple(ids))
    await _say(publisher, event, source=source, routing_key=replay_routing_key(schema))


async def _say(publisher: Publisher, event: Event, *, source: str, routing_key: str) -> None:
    """Publish past the outbox: what is said here is said again as long as it matters."""
    envelope = wrap(event, identifier=new_id(), kind=event.type, source=source, subject=event.subject, time=utc_now())
    await publisher.publish(envelope, exchange=EVENTS, routing_key=routing_key)


def _announcement(schema: str, rows: Sequence[_Sent]) -> PublisherSeen:
    by_type = groupby(sorted(rows, key=lambda row: row.type), key=lambda row: row.type)
    sent = tuple(SentEvents(type=kind, ids=tuple(row.id for row in group)) for kind, group in by_type)
    return PublisherSeen(publisher=schema, sent=sent)


def _batches(wanted: Mapping[UUID, str]) -> Iterator[tuple[str, Sequence[UUID]]]:
    """The ids by who published them, at most 500 at a time."""
    for publisher in sorted(set(wanted.values())):
        ids = [identifier for identifier, by in wanted.items() if by == publisher]
        for start in range(0, len(ids), MAX_IDS):
            yield publisher, ids[start : start + MAX_IDS]


def _is_announcement(message: DeliveredMessage) -> bool:
    return message.routing_key == ANNOUNCEMENT


def _id_of(message: DeliveredMessage) -> UUID | None:
    """The id of an event by the message's properties: it has one even if its body can't be read."""
    try:
        return UUID(message.header.properties.message_id or "")
    except ValueError:
        return None
