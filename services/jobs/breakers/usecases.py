"""What the ledger does with breakers: it keeps who tries, and tells the others."""

from typing import Final

from services.jobs.breakers.store import BreakerStore
from services.jobs.control.store import ControlStore
from shared.clock import utc_now
from shared.contracts.control import Control
from shared.contracts.events import JobsChanged
from shared.contracts.reports import BreakerMoved
from shared.db.outbox import Outbox
from shared.db.pool import Connection
from shared.log import get_logger

log = get_logger(__name__)

_DETAIL_CHARS: Final = 500


class Breakers:
    """Follows what workers tell of their dependencies. A change is one transaction with what the workers are told."""

    def __init__(self, store: BreakerStore, control: ControlStore, outbox: Outbox) -> None:
        self._store = store
        self._control = control
        self._outbox = outbox

    async def moved(self, conn: Connection, move: BreakerMoved) -> None:
        """Record a worker's word. Told twice it changes nothing."""
        if move.is_open:
            if await self._store.open(conn, move):
                why = "" if move.error is None else f"{move.error.error_class}: {move.error.message}"[:_DETAIL_CHARS]
                await self._changed(conn, move.job_type, "breaker_opened", worker=move.worker, detail=why)
        elif await self._store.close(conn, move):
            await self._changed(conn, move.job_type, "breaker_closed", worker=move.worker)

    async def hand_over(self, conn: Connection) -> None:
        """Have another worker try where the one that did is gone."""
        for job_type, worker in await self._store.hand_over(conn):
            await self._changed(conn, job_type, "breaker_handed_over", worker=worker)

    async def _changed(
        self, conn: Connection, job_type: str, what: str, *, worker: str, detail: str | None = None
    ) -> None:
        log.warning(what, type=job_type, worker=worker, detail=detail)
        await self._store.note(conn, job_type, what, actor=worker, detail=detail)
        is_closed = what == "breaker_closed"
        word = Control(
            kind="mend" if is_closed else "break",
            issued_at=utc_now(),
            job_type=job_type,
            worker=None if is_closed else worker,
        )
        await self._control.add(conn, word)
        await self._outbox.add(conn, JobsChanged(types=(job_type,)))
