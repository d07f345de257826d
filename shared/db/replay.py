"""Events that the broker had and lost: a relay announces what it sent, and sends again what a reader asks for.

The broker confirms an event when it is in some queue, and forgets it when that queue is purged, deleted or wiped; an
event whose binding is gone goes into the stream and is confirmed as well. So the row of the outbox is kept for a day
after it was sent, and each relay names the ids it sent, through the same queues. Queues are FIFO: what was published
before an announcement has been delivered before it, or is gone. The readers' side is `shared.db.gaps`. See
docs/adr/0006.
"""

import time
from collections.abc import AsyncIterator, Sequence
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
from shared.db.outbox import KEEP_SENT_HOURS, OutboxRelay
from shared.db.pool import Pool, connection, transaction
from shared.errors import Unparsable
from shared.ids import new_id
from shared.lifecycle import background, every
from shared.log import get_logger
from shared.messaging.broker import Broker
from shared.messaging.publisher import Publisher
from shared.messaging.reader import parse_event, reading
from shared.messaging.subscription import Subscription
from shared.messaging.topology import (
    ANNOUNCEMENT,
    EVENTS,
    OUTBOX_SCHEMAS,
    Topology,
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


async def ask_for_all(publisher: Publisher, *, source: str) -> None:
    """Have every relay announce all it keeps. Raises `Unavailable`."""
    for schema in OUTBOX_SCHEMAS:
        await ask_for(publisher, schema, (), source=source)


async def ask_for(publisher: Publisher, schema: str, ids: Sequence[UUID], *, source: str) -> None:
    """Have a schema's relays send these again, at most 500; none means: announce all you keep. Raises `Unavailable`."""
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
