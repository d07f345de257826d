"""From the broker's dead queues into the table, and back into their queues when an operator wants that."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final

from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from prometheus_client import Counter

from services.jobs.dead_letters.models import DEAD, Letter, NewLetter, letter_of
from services.jobs.dead_letters.store import LetterStore
from services.jobs.store import in_ledger
from shared.db.pool import Pool, connection
from shared.encoding import to_json
from shared.errors import Unavailable
from shared.lifecycle import background, every
from shared.log import get_logger
from shared.messaging.broker import Broker
from shared.messaging.publisher import PERSISTENT, Publisher
from shared.messaging.reader import reading
from shared.messaging.subscription import Subscription
from shared.messaging.topology import Topology

log = get_logger(__name__)

BATCH: Final = 20
"""Messages may have a megabyte each."""
PUT_BACK_SECONDS: Final = 5.0
FORGET_SECONDS: Final = 3600.0
KEPT_DAYS: Final = 30
KEPT_LETTERS: Final = 100_000
"""As many as each dead queue may hold."""
LETTERS = Counter("souk_dead_letters", "Dead messages that were stored, by queue and who parked them.", ["queue", "by"])


class Collector:
    """Stores what arrives in the dead queues, then acks.

    Killed between the two, the messages come again and are known by their digest.
    """

    def __init__(self, pool: Pool, store: LetterStore) -> None:
        self._pool = pool
        self._store = store

    async def handle(self, queue: str, messages: Sequence[DeliveredMessage]) -> None:
        """Store a batch of the dead queue of `queue`. Raises `Unavailable` only."""
        unique = {letter.digest: letter for letter in (letter_of(queue, message) for message in messages)}
        letters = list(unique.values())
        properties = [to_json(letter.properties).decode() for letter in letters]
        await in_ledger(self._pool, lambda conn: self._store.keep(conn, letters, properties))
        for letter in letters:
            _tell(letter)


class PutterBack:
    """Publishes letters that operators replayed into the queues they died from, confirmed, and drops them.

    Killed between the confirm and the drop, it publishes one twice: every reader behind an inbox drops the second.
    """

    def __init__(self, pool: Pool, store: LetterStore, publisher: Publisher) -> None:
        self._pool = pool
        self._store = store
        self._publisher = publisher

    async def run_once(self) -> int:
        """Put back what is asked for; returns how many the broker confirmed."""
        async with connection(self._pool) as conn:
            letters = await self._store.to_put_back(conn, BATCH)
        done = 0
        for letter in letters:
            try:
                await self._publish(letter)
            except Unavailable as exc:
                log.warning("letter_not_put_back", letter=str(letter.id), queue=letter.queue, error=exc.detail)
                continue
            async with connection(self._pool) as conn:
                await self._store.put_back(conn, letter)
            log.info("letter_put_back", letter=str(letter.id), queue=letter.queue, type=letter.type)
            done += 1
        return done

    async def forget(self) -> None:
        """Drop what is over 30 days old, and the oldest of more than 100,000."""
        async with connection(self._pool) as conn:
            await self._store.forget(conn, days=KEPT_DAYS, keep=KEPT_LETTERS)

    async def _publish(self, letter: Letter) -> None:
        await self._publisher.publish_body(
            letter.body,
            exchange="",
            routing_key=letter.queue,
            properties=Basic.Properties(
                content_type=letter.properties.get("content_type"),
                correlation_id=letter.properties.get("correlation_id"),
                app_id=letter.properties.get("app_id"),
                message_id=letter.message_id,
                message_type=letter.type,
                delivery_mode=PERSISTENT,
            ),
        )


@asynccontextmanager
async def collecting(
    pool: Pool, broker: Broker, topology: Topology, *, grace_seconds: float
) -> AsyncIterator[tuple[Subscription, ...]]:
    """Empty every dead queue into the table while the block runs; yields the subscriptions, for readiness."""
    store = LetterStore()
    collector, putter = Collector(pool, store), PutterBack(pool, store, broker.publisher)
    async with AsyncExitStack() as stack:
        subscriptions = []
        for queue in (queue.name for queue in topology.queues if queue.name.endswith(DEAD)):
            handle = partial(collector.handle, queue.removesuffix(DEAD))
            reader = reading(broker, queue, handle, topology=topology, grace_seconds=grace_seconds, max_batch=BATCH)
            subscriptions.append(await stack.enter_async_context(reader))
        await stack.enter_async_context(background(every(PUT_BACK_SECONDS, putter.run_once), name="put back"))
        await stack.enter_async_context(background(every(FORGET_SECONDS, putter.forget), name="forget letters"))
        yield tuple(subscriptions)


def _tell(letter: NewLetter) -> None:
    LETTERS.labels(letter.queue, letter.parked_by).inc()
    log.warning("dead_letter", queue=letter.queue, type=letter.type, reason=letter.reason, by=letter.parked_by)
