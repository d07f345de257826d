"""Forgets what the gateway's tables keep for a while only."""

from dataclasses import dataclass

from services.catalog import idempotency
from services.catalog.accounts import store as accounts
from services.catalog.cache import store as caches
from services.catalog.inventory.store import prune_adjustments
from services.catalog.sync import runs_store
from shared.db.pool import Pool, connection


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """Any number of replicas may run it."""

    pool: Pool

    async def run_once(self) -> None:
        """Forget yesterday's idempotency keys and what they kept, sessions that are over, replicas that are gone, and
        runs of stock sources of long ago."""
        async with connection(self.pool) as conn:
            await idempotency.prune(conn)
            await accounts.prune_sessions(conn)
            await caches.prune(conn)
            await prune_adjustments(conn)
            await runs_store.prune(conn)
