"""Asking for runs: those that are due, once, and those that nobody seems to work at, again."""

from dataclasses import dataclass
from typing import Final

from services.catalog.sync import runs_store
from services.catalog.sync.models import Cause, RunState
from shared.contracts.events import SyncRequested
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool, connection, transaction
from shared.ids import new_id
from shared.log import get_logger

log = get_logger(__name__)

AT_ONCE: Final = 50
MOST_ROUNDS: Final = 6
"""A push that was asked for so often (over ten hours with the usual patience) is given up, and its vendor sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPoller:
    """Any number may run: a source's row is claimed, and its run and the request for it are written with the claim.

    A pull that nobody worked at for `patience_seconds` is given up: the next one brings newer numbers. A push has
    what nobody sends again, so it is asked for again, each time after twice the time.
    """

    pool: Pool
    outbox: Outbox
    patience_seconds: float = 600.0

    async def run_once(self) -> int:
        """Ask for what is due; returns how many runs."""
        async with connection(self.pool) as conn:
            if not await runs_store.is_any_to_ask_for(conn, patience_seconds=self.patience_seconds):
                return 0
        async with transaction(self.pool) as conn:
            return await self._begin_due(conn) + await self._revive_silent(conn)

    async def _begin_due(self, conn: Connection) -> int:
        asked = []
        for source_id, vendor_id in await runs_store.take_due(conn, limit=AT_ONCE):
            run_id = new_id()
            if await runs_store.insert(conn, run_id, source_id, Cause.INTERVAL) is not None:
                asked.append(SyncRequested(vendor_id=vendor_id, source_id=source_id, run_id=run_id))
        if asked:
            await self.outbox.add(conn, *asked)
        return len(asked)

    async def _revive_silent(self, conn: Connection) -> int:
        asked = []
        for run in await runs_store.take_silent(conn, patience_seconds=self.patience_seconds, limit=AT_ONCE):
            log.warning("sync_run_silent", run_id=str(run.id), cause=run.cause.value, round=run.round)
            if run.cause is not Cause.PUSH or run.round >= MOST_ROUNDS:
                await runs_store.finish(conn, run.id, RunState.FAILED, problem="No worker ended this run in time.")
                continue
            await runs_store.ask_again(conn, run.id)
            asked.append(
                SyncRequested(vendor_id=run.vendor_id, source_id=run.source_id, run_id=run.id, round=run.round + 1)
            )
        if asked:
            await self.outbox.add(conn, *asked)
        return len(asked)
