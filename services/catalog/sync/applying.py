"""Applying a document's rows: in batches, each once or not at all, whatever is killed when."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.catalog.inventory import store as stock
from services.catalog.inventory.models import MovementKind, SourceVersions
from services.catalog.inventory.usecases import move
from services.catalog.models import Actor
from services.catalog.sync import runs_store, store
from services.catalog.sync.models import LISTED, Document, Matched, Matching, Source, match, plan
from shared.db.outbox import Outbox
from shared.db.pool import Pool, connection, transaction
from shared.web.identity import Role

BATCH: Final = 500
"""Rows of one transaction: levels are held for some 50 ms."""
SOUK: Final = Actor(None, Role.SERVICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applying:
    """Any number may work at the same source: a level is held while its row is decided on, and versions only rise."""

    pool: Pool
    outbox: Outbox

    async def matched(self, source: Source, document: Document) -> Matching:
        """The rows with their products, zeros first."""
        async with connection(self.pool) as conn:
            products = await store.match(conn, source, list({row.sku for row in document.rows}))
        return match(document.rows, products)

    async def note(self, run_id: UUID, document: Document, matching: Matching) -> None:
        """Write down what cannot be applied, once the run is in hand."""
        errors = [*document.errors, *matching.errors]
        async with connection(self.pool) as conn:
            await runs_store.note(conn, run_id, matching, errors, listed=LISTED)

    async def apply(
        self, source: Source, run_id: UUID, rows: Sequence[Matched], *, before_each: Callable[[], None] = lambda: None
    ) -> None:
        """Apply rows batch by batch. `before_each` may raise to stop between two.

        Killed anywhere, each batch is either in the levels, the movements, the positions, the run's counts and the
        outbox, or in none of them; applying the same rows again does what is left.
        """
        for start in range(0, len(rows), BATCH):
            before_each()
            await self._apply_batch(source, run_id, rows[start : start + BATCH])

    async def _apply_batch(self, source: Source, run_id: UUID, rows: Sequence[Matched]) -> None:
        product_ids = [row.product_id for row in rows]
        async with transaction(self.pool) as conn:
            held = await stock.lock(conn, product_ids)
            positions = await runs_store.positions(conn, source.id, product_ids)
            levels = {level.product_id: level.on_hand for level in held}
            planned = plan((row for row in rows if row.product_id in levels), levels, positions, run_id=run_id)
            moved = await move(
                conn,
                self.outbox,
                held,
                planned.deltas,
                MovementKind.SYNC,
                reference=f"sync {run_id}",
                actor=SOUK,
                source=SourceVersions(source.id, planned.versions),
            )
            await runs_store.set_positions(conn, source.id, planned.versions, run_id=run_id)
            await runs_store.add(conn, run_id, changed=len(moved), unchanged=planned.unchanged, older=planned.older)
