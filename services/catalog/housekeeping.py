"""Forgets what the gateway's tables keep for a while only."""

from dataclasses import dataclass

from services.catalog import idempotency
from services.catalog.accounts import store as accounts
from shared.db.pool import Pool, connection


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """Any number of replicas may run it."""

    pool: Pool

    async def run_once(self) -> None:
        """Forget idempotency keys of yesterday and sessions that are over."""
        async with connection(self.pool) as conn:
            await idempotency.prune(conn)
            await accounts.prune_sessions(conn)
