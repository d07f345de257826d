"""The outbox: events written with the change they tell of, and published afterwards.

Every service with a schema has this table in it (`SCHEMA_SQL`, part of its first migration) and relays it with its
own role. An event is in the outbox if and only if its change is committed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from pamqp.commands import Basic
from prometheus_client import Counter, Gauge

from shared import causes, tracing
from shared.clock import utc_now
from shared.contracts.base import Event
from shared.contracts.envelope import CONTENT_TYPE, wrap
from shared.db.pool import CONNECT_SECONDS, Connection, Pool, connection
from shared.errors import Unavailable
from shared.ids import new_id
from shared.lifecycle import background, every
from shared.log import get_logger
from shared.messaging.publisher import PERSISTENT, Publisher
from shared.messaging.topology import EVENTS

log = get_logger(__name__)

SCHEMA_SQL: Final = """
CREATE TABLE {schema}.outbox (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            uuid NOT NULL UNIQUE,
    type          text NOT NULL,
    body          text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    sent_at       timestamptz
);
CREATE INDEX outbox_unsent ON {schema}.outbox (seq) WHERE sent_at IS NULL;
CREATE INDEX outbox_sent ON {schema}.outbox (sent_at) WHERE sent_at IS NOT NULL;

CREATE FUNCTION {schema}.outbox_notify() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Equal notifications of one transaction are delivered once.
    PERFORM pg_notify('{schema}_outbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_notify AFTER INSERT ON {schema}.outbox
    FOR EACH STATEMENT EXECUTE FUNCTION {schema}.outbox_notify();

CREATE TABLE {schema}.inbox (
    message_id uuid PRIMARY KEY,
    seen_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX inbox_seen ON {schema}.inbox (seen_at);
"""
"""What a service's first migration contains, with its schema's name put in."""

CLAIM_BATCH: Final = 500
LEASE_SECONDS: Final = 15
"""Longer than a publish may take. What a killed relay had claimed waits this long; what is still under way after
it may be published twice, which readers are made for."""
BUSY_POLL_SECONDS: Final = 1.0
IDLE_POLL_SECONDS: Final = 60.0
LISTEN_CHECK_SECONDS: Final = 10.0
"""How often the connection that only listens is asked what waits: a half-open one says nothing for ever."""
KEEP_SENT_HOURS: Final = 24

OLDEST_AGE = Gauge(
    "souk_outbox_oldest_age_seconds",
    "Age of the oldest event that the broker has not confirmed; 0 when none waits. Absent while the database is away.",
    ["schema"],
)
RELAYED = Counter("souk_outbox_relayed", "Events published from the outbox and marked.", ["schema"])


class Outbox:
    """The outbox of one schema."""

    def __init__(self, schema: str, *, source: str | None = None) -> None:
        self.schema = schema
        self._source = source or schema
        self._insert = (
            f"INSERT INTO {schema}.outbox (id, type, body) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])"  # noqa: S608 - a constant
        )

    async def add(
        self,
        conn: Connection,
        *events: Event,
        traceparent: str | None = None,
        cause: UUID | None = None,
        identifier: UUID | None = None,
    ) -> tuple[UUID, ...]:
        """Write events into the caller's transaction; returns their ids.

        `identifier` is given where the first event's id is derived, so that writing it twice fails the second time.
        They belong to the trace of what is going on, unless `traceparent` names another, and are caused by the job
        whose attempt is going on, if any, unless `cause` names something else.
        """
        if not events:
            return ()
        at, trace = utc_now(), traceparent or tracing.cause_of(events[0].type)
        ids = (identifier or new_id(), *(new_id() for _ in events[1:]))
        bodies = [
            wrap(
                event,
                identifier=event_id,
                kind=event.type,
                source=self._source,
                subject=event.subject,
                time=at,
                traceparent=trace,
                cause=cause or causes.current_job(),
            ).model_dump_json(exclude_none=True)
            for event_id, event in zip(ids, events, strict=True)
        ]
        await conn.execute(self._insert, ids, [event.type for event in events], bodies)
        return ids


@dataclass(frozen=True, slots=True)
class _Row:
    seq: int
    id: UUID
    type: str
    body: str


class OutboxRelay:
    """Publishes what the outbox holds. Any number may run: rows are claimed by a lease, never by an open transaction.

    Killed after a publish and before the mark, the row is published again once its lease is over: readers keep the
    ids they have seen. Order is that of `seq` within one batch of one relay.
    """

    def __init__(self, pool: Pool, publisher: Publisher, *, schema: str) -> None:
        self._pool = pool
        self._publisher = publisher
        self._schema = schema
        self._claim = f"""
            -- Take the oldest unsent rows that nobody holds.
            UPDATE {schema}.outbox SET claimed_until = now() + $2 * interval '1 second'
            WHERE seq IN (
                SELECT seq FROM {schema}.outbox
                WHERE sent_at IS NULL AND (claimed_until IS NULL OR claimed_until < now())
                ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED
            )
            RETURNING seq, id, type, body
        """  # noqa: S608 - the schema is a constant of the service
        self._mark = f"UPDATE {schema}.outbox SET sent_at = now() WHERE seq = ANY($1::bigint[])"  # noqa: S608
        self._release = f"UPDATE {schema}.outbox SET claimed_until = NULL WHERE seq = ANY($1::bigint[])"  # noqa: S608
        self._prune = f"""
            -- What was sent long ago is needed by no replay.
            DELETE FROM {schema}.outbox WHERE seq IN (
                SELECT seq FROM {schema}.outbox WHERE sent_at < now() - $1 * interval '1 hour' LIMIT 5000
            )
        """  # noqa: S608
        self.last_sent: float | None = None
        """Monotonic seconds at which this relay last had an event confirmed; None before the first."""
        self._age = f"SELECT min(created_at) FROM {schema}.outbox WHERE sent_at IS NULL"  # noqa: S608

    async def run_once(self) -> int:
        """Publish one batch; returns how many events the broker confirmed. Raises `Unavailable` when it is away."""
        async with connection(self._pool) as conn:
            rows = [_Row(*row) for row in await conn.fetch(self._claim, CLAIM_BATCH, LEASE_SECONDS)]
        if not rows:
            return 0
        rows.sort(key=lambda row: row.seq)
        outcomes = await asyncio.gather(*(self._publish(row) for row in rows), return_exceptions=True)
        sent = [row.seq for row, outcome in zip(rows, outcomes, strict=True) if outcome is None]
        failed = {row.seq: outcome for row, outcome in zip(rows, outcomes, strict=True) if outcome is not None}
        async with connection(self._pool) as conn:
            if sent:
                self.last_sent = time.monotonic()
                await conn.execute(self._mark, sent)
            if failed:
                await conn.execute(self._release, list(failed))
        RELAYED.labels(self._schema).inc(len(sent))
        if failed:
            raise Unavailable(f"{len(failed)} of {len(rows)} events not confirmed: {next(iter(failed.values()))}")
        return len(sent)

    async def prune_once(self) -> None:
        """Delete rows that were sent over a day ago, a batch at a time."""
        async with connection(self._pool) as conn:
            await conn.execute(self._prune, KEEP_SENT_HOURS)

    async def oldest_unsent_at(self) -> datetime | None:
        """When the oldest event that still waits was written."""
        async with connection(self._pool) as conn:
            oldest: datetime | None = await conn.fetchval(self._age)
            return oldest

    async def tell_age(self) -> None:
        """Bring the gauge of the oldest event up to date. Raises `Unavailable` and leaves none."""
        OLDEST_AGE.clear()
        oldest_at = await self.oldest_unsent_at()
        age = 0.0 if oldest_at is None else max(0.0, (utc_now() - oldest_at).total_seconds())
        OLDEST_AGE.labels(self._schema).set(round(age, 1))

    async def run(self) -> None:
        """Relay for ever: at once on a notification, every second while something waits, else every minute.

        Whoever listens looks every ten seconds whether something waits that it was not told of.
        """
        wake = asyncio.Event()
        async with background(self._listen(wake), name=f"{self._schema} listen"):
            while True:
                wait_seconds = IDLE_POLL_SECONDS
                try:
                    if await self.run_once() == CLAIM_BATCH:
                        continue
                    if await self.oldest_unsent_at() is not None:  # claimed by another, which may be dead
                        wait_seconds = BUSY_POLL_SECONDS
                except Exception as exc:  # noqa: BLE001 - e.g. a schema that is not migrated yet
                    log.warning("relay_failed", schema=self._schema, error=repr(exc))
                    wait_seconds = BUSY_POLL_SECONDS
                try:
                    async with asyncio.timeout(wait_seconds):
                        await wake.wait()
                except TimeoutError:
                    pass
                wake.clear()

    async def _listen(self, wake: asyncio.Event) -> None:
        while True:
            try:
                await self._listen_until_lost(wake)
            except Exception as exc:  # noqa: BLE001 - whatever it is, nobody else would look any more
                log.warning("listen_lost", schema=self._schema, error=repr(exc))
            wake.set()
            await asyncio.sleep(BUSY_POLL_SECONDS)

    async def _listen_until_lost(self, wake: asyncio.Event) -> None:
        gone = asyncio.Event()
        channel = f"{self._schema}_outbox"

        def on_lost(_: object) -> None:
            gone.set()

        def on_notify(*_: object) -> None:
            wake.set()

        async with self._pool.acquire(timeout=CONNECT_SECONDS) as conn:
            conn.add_termination_listener(on_lost)
            await conn.add_listener(channel, on_notify)
            is_silent = False
            try:
                wake.set()
                while not await _is_set_within(gone, LISTEN_CHECK_SECONDS):
                    if await conn.fetchval(self._age, timeout=CONNECT_SECONDS) is not None:
                        wake.set()
            except TimeoutError:
                is_silent = True
                raise
            finally:
                if is_silent:
                    conn.terminate()  # it would not hear a good-bye
                else:
                    conn.remove_termination_listener(on_lost)
                    if not conn.is_closed():
                        await conn.remove_listener(channel, on_notify)

    async def _publish(self, row: _Row) -> None:
        cause, message_id = tracing.in_envelope(row.body), str(row.id)
        with tracing.span(f"publish {row.type}", parent=cause, kind=tracing.Kind.PRODUCER):
            await self._publisher.publish_body(
                row.body.encode(),
                exchange=EVENTS,
                routing_key=row.type,
                properties=Basic.Properties(
                    content_type=CONTENT_TYPE,
                    delivery_mode=PERSISTENT,
                    message_id=message_id,
                    message_type=row.type,
                    app_id=self._schema,
                    timestamp=utc_now(),
                    headers={**tracing.message_headers()},
                ),
            )
            log.info("event_published", type=row.type, message_id=message_id)


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


@asynccontextmanager
async def relaying(pool: Pool, publisher: Publisher, *, schema: str) -> AsyncIterator[OutboxRelay]:
    """Relay the schema's outbox while the block runs."""
    relay = OutboxRelay(pool, publisher, schema=schema)
    async with (
        background(relay.run(), name=f"{schema} relay"),
        background(every(600, relay.prune_once), name=f"{schema} outbox prune"),
    ):
        yield relay


class Inbox:
    """The ids of messages a schema has seen, kept 48 hours: a second delivery is then without effect.

    That is a day longer than an outbox can send an event again.
    """

    def __init__(self, schema: str) -> None:
        self._insert = f"INSERT INTO {schema}.inbox (message_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING 1"  # noqa: S608
        self._insert_all = f"""
            -- Note messages, in the order of their ids so that two writers never wait for each other in a ring.
            INSERT INTO {schema}.inbox (message_id) SELECT id FROM unnest($1::uuid[]) AS m (id) ORDER BY id
            ON CONFLICT DO NOTHING RETURNING message_id
        """  # noqa: S608
        self._keep = f"""
            -- Note what came; what came before is remembered from now on for as long as what is new.
            INSERT INTO {schema}.inbox AS known (message_id) SELECT DISTINCT id FROM unnest($1::uuid[]) AS m (id)
            ORDER BY id
            ON CONFLICT (message_id) DO UPDATE SET seen_at = now() WHERE known.seen_at < now() - interval '1 hour'
        """  # noqa: S608
        self._unknown = f"""
            -- Which of these never came.
            SELECT id FROM unnest($1::uuid[]) AS m (id)
            WHERE NOT EXISTS (SELECT FROM {schema}.inbox known WHERE known.message_id = id)
        """  # noqa: S608
        self._prune = f"DELETE FROM {schema}.inbox WHERE seen_at < now() - interval '48 hours'"  # noqa: S608

    async def first_time(self, conn: Connection, message_id: UUID) -> bool:
        """Note the message in the caller's transaction; False when it was noted before."""
        return await conn.fetchval(self._insert, message_id) is not None

    async def first_of(self, conn: Connection, message_ids: Sequence[UUID]) -> frozenset[UUID]:
        """Note a batch of messages in the caller's transaction; returns those that were not noted before."""
        if not message_ids:
            return frozenset()
        return frozenset(row["message_id"] for row in await conn.fetch(self._insert_all, message_ids))

    async def keep(self, conn: Connection, message_ids: Sequence[UUID]) -> None:
        """Note what is handled, whoever noted it before: its time to be remembered begins anew."""
        await conn.execute(self._keep, message_ids)

    async def unknown_of(self, conn: Connection, message_ids: Sequence[UUID]) -> list[UUID]:
        """Which of these messages never came."""
        return [row["id"] for row in await conn.fetch(self._unknown, message_ids)]

    async def prune(self, conn: Connection) -> None:
        """Forget what is older than any redelivery."""
        await conn.execute(self._prune)
