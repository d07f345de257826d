"""Telling live pages that jobs moved: one event a second at most, whatever their number."""

from services.jobs.store import Ledger
from shared.contracts.events import JobsChanged
from shared.db.outbox import Outbox
from shared.db.pool import Pool, transaction


class ChangeTeller:
    """Emits `jobs.changed` with the types that this process moved since the last run.

    A kill loses what was gathered: pages also look by themselves now and then.
    """

    def __init__(self, pool: Pool, ledger: Ledger, outbox: Outbox) -> None:
        self._pool = pool
        self._ledger = ledger
        self._outbox = outbox

    async def run_once(self) -> None:
        """Tell of what gathered; nothing when nothing moved."""
        types = self._ledger.take_changed()
        if types:
            async with transaction(self._pool) as conn:
                await self._outbox.add(conn, JobsChanged(types=tuple(sorted(types))))
