"""Asking again for renditions that nobody answers for.

Imaging has no outbox: an answer of its that the broker lost is lost. So whoever waits for it asks once more, in a
higher round, and imaging answers once more: rendering twice stores the same bytes under the same keys.

From here a lost answer and a long backlog look alike, and asking for a whole backlog again would double it. But all
pictures wait in one queue: when one that was asked for later has been answered, those before it are lost, or slow. So
only the picture that waits longest is asked for unasked, and its answer tells what became of the others.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.catalog.images import store
from services.catalog.images.models import NewPicture
from shared.clock import Clock
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection, transaction
from shared.ids import id_at
from shared.log import get_logger

log = get_logger(__name__)

AT_ONCE: Final = 100
DOUBLINGS: Final = 9
"""From round 10 on it waits as long as for round 10: 512 times the first patience."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureChaser:
    """Asks again for pictures pending too long. Any number may run; a crash leaves whole batches asked.

    The n-th round waits 2^(n-1) times `patience_seconds`: while imaging is away or has a long backlog, one picture at a
    time is asked for again, less and less often. A picture whose job failed is not pending.
    """

    pool: Pool
    outbox: Outbox
    patience_seconds: float
    clock: Clock

    async def run_once(self) -> int:
        """Ask again for at most a hundred pictures; returns for how many."""
        too_young = self._too_young()
        async with connection(self.pool) as conn:
            if not await store.has_overdue(conn, too_young[0]):
                return 0
        async with transaction(self.pool) as conn:
            overdue = await store.overtaken(conn, too_young, limit=AT_ONCE)
            overdue = overdue or await store.longest_waiting(conn, too_young)
            if not overdue:
                return 0
            asked = [
                NewPicture(picture.id, picture.product_id, 0, "", picture.source).added(
                    picture.vendor_id, round_=picture.round + 1
                )
                for picture in overdue
            ]
            ids = await self.outbox.add(conn, *asked)
            await store.ask_all_again(conn, [picture.id for picture in overdue], ids)
        log.warning("pictures_asked_again", count=len(overdue))
        return len(overdue)

    def _too_young(self) -> list[UUID]:
        """By round, the id of an event that has not waited long enough."""
        now = self.clock()
        return [
            id_at(now - timedelta(seconds=self.patience_seconds * 2**doubling)) for doubling in range(DOUBLINGS + 1)
        ]
