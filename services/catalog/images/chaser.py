"""Asking again for renditions that nobody answers for.

Imaging has no outbox: an answer of its that the broker lost is lost. So whoever waits for it asks once more, in a
higher round, and imaging answers once more: rendering twice stores the same bytes under the same keys.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from services.catalog.images import store
from services.catalog.images.models import NewPicture
from shared.clock import Clock
from shared.db.outbox import Outbox
from shared.db.pool import Pool, transaction
from shared.ids import id_at
from shared.log import get_logger

log = get_logger(__name__)

AT_ONCE: Final = 100
DOUBLINGS: Final = 9
"""From round 10 on it waits as long as for round 10: 512 times the first patience."""
OVERTAKEN_SHARE: Final = 0.25
"""So much of its patience is enough for a picture when one that was asked for later has been answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureChaser:
    """Asks again for pictures pending too long. Any number may run; a crash leaves whole batches asked.

    The n-th round waits 2^(n-1) times `patience_seconds`: while imaging is away or has a long backlog, each picture
    costs a few jobs more, not one every two minutes. Pictures wait in one queue, so one that others have overtaken is
    not in a backlog but lost, or slow: a quarter of the time is enough. A picture whose job failed is not pending.
    """

    pool: Pool
    outbox: Outbox
    patience_seconds: float
    clock: Clock

    async def run_once(self) -> int:
        """Ask again for at most a hundred pictures; returns for how many."""
        async with transaction(self.pool) as conn:
            overdue = await store.overdue(
                conn,
                self._too_young(self.patience_seconds),
                too_young_if_overtaken=self._too_young(self.patience_seconds * OVERTAKEN_SHARE),
                limit=AT_ONCE,
            )
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

    def _too_young(self, patience_seconds: float) -> list[UUID]:
        """By round, the id of an event that has not waited long enough."""
        now = self.clock()
        return [id_at(now - timedelta(seconds=patience_seconds * 2**doubling)) for doubling in range(DOUBLINGS + 1)]
