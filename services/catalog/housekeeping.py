"""Forgets what the gateway's tables keep for a while only."""

from dataclasses import dataclass

from services.catalog import idempotency
from services.catalog.accounts import attempts, sessions_store
from services.catalog.cache import store as caches
from services.catalog.inventory.store import prune_adjustments
from services.catalog.limits import store as shares
from services.catalog.monitoring import store as monitoring
from services.catalog.sync import runs_store
from shared.db.pool import Pool, connection


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """Any number of replicas may run it."""

    pool: Pool

    async def run_once(self) -> None:
        """Forget yesterday's idempotency keys and what they kept, sessions that are over, sign-ins that failed long
        ago, replicas that are gone, old runs of stock sources, shares that are whole, and samples that were told."""
        async with connection(self.pool) as conn:
            await idempotency.prune(conn)
            await sessions_store.prune(conn)
            await attempts.prune(conn)
            await caches.prune(conn)
            await prune_adjustments(conn)
            await runs_store.prune(conn)
            await shares.prune(conn)
            await monitoring.prune_samples(conn)
