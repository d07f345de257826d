"""Dropping what nobody needs any more: old delivery guards and old inbox lines."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from services.notifier import store
from shared.clock import Clock
from shared.db.pool import Pool, connection
from shared.ids import id_at
from shared.log import get_logger

log = get_logger(__name__)

BATCH: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruner:
    """Deletes in batches without long locks. Any number may run; a crash leaves whole batches done."""

    pool: Pool
    delivery_days: int
    notification_days: int
    clock: Clock

    async def run_once(self) -> None:
        """Delete all that is over its time."""
        now = self.clock()
        before, below = now - timedelta(days=self.delivery_days), id_at(now - timedelta(days=self.notification_days))
        deliveries = notifications = 0
        async with connection(self.pool) as conn:
            while count := await store.forget_deliveries(conn, before=before, limit=BATCH):
                deliveries += count
            while count := await store.forget_notifications(conn, below=below, limit=BATCH):
                notifications += count
        if deliveries or notifications:
            log.info("pruned", deliveries=deliveries, notifications=notifications)
