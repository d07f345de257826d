"""Events that never came: a reader compares what relays announce with its inbox, and asks for what is missing.

The senders' side is `shared.db.replay`. See docs/adr/0006.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from aiormq.abc import DeliveredMessage
from prometheus_client import Counter

from shared.contracts.events import PublisherSeen
from shared.db.outbox import Inbox
from shared.db.pool import Pool, connection
from shared.db.replay import MAX_IDS, ask_for, ask_for_all
from shared.lifecycle import background, every
from shared.log import get_logger
from shared.messaging.broker import Broker
from shared.messaging.publisher import Publisher
from shared.messaging.reader import HandleBatch, parse_event, reading
from shared.messaging.subscription import Subscription
from shared.messaging.topology import ANNOUNCEMENT, Topology, is_read_by

log = get_logger(__name__)

LONGEST_SILENCE_TICKS: Final = 60
PRUNE_SECONDS: Final = 3600.0

MISSED = Counter("souk_events_missed", "Events asked for again, because they never came.", ["reader"])


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
            await ask_for(self._publisher, publisher, ids, source=self._schema)
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
