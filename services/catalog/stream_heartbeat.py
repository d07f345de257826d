"""The heartbeat of the event stream: the proof that what was written has been published."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from shared.clock import utc_now
from shared.contracts.envelope import wrap
from shared.contracts.events import OutboxDrained
from shared.db.outbox import OutboxRelay
from shared.ids import new_id
from shared.messaging.publisher import Publisher
from shared.messaging.topology import EVENTS

BEAT_SECONDS: Final = 2.0
GRACE: Final = timedelta(seconds=1)
"""What is younger is on its way."""


@dataclass(frozen=True, slots=True)
class StreamHeartbeat:
    """Beats while nothing waits in the outbox for long; caches believe themselves for 5 s after a beat.

    Published past the outbox: a row for each beat would be the busiest writer of an idle stack.
    """

    relay: OutboxRelay
    publisher: Publisher

    async def run_once(self) -> None:
        """Beat, or be silent because something waits. Raises `Unavailable` when database or broker is away."""
        at = utc_now()
        oldest_at = await self.relay.oldest_unsent_at()
        if oldest_at is not None and at - oldest_at > GRACE:
            return
        event = OutboxDrained()
        envelope = wrap(event, identifier=new_id(), kind=event.type, source="catalog", subject=None, time=at)
        await self.publisher.publish(envelope, exchange=EVENTS, routing_key=event.type)
