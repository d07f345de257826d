"""Low stock: which alerts open and close by themselves, and the one digest that tells a vendor of them.

A movement opens and closes the alert of its own product (`usecases.move`). What is left is here: alerts that open or
close without a movement (a threshold was changed, a product approved, a vendor reinstated), and telling the vendors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from services.catalog.inventory import low_stock_store as store
from services.catalog.inventory.models import Crossing, Level
from services.catalog.inventory.store import close_alerts_of, levels
from services.catalog.inventory.usecases import crossed
from shared.contracts.base import Event
from shared.contracts.events import LowProduct, StockLowDigest
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool, connection, transaction

ALERTS_PER_RUN: Final = 50_000
TOLD_PER_RUN: Final = 50_000
"""What is beyond it follows with the next run. As many take about two seconds."""
LISTED: Final = 200
"""Products that a digest names; the rest it counts. A message stays far below 1 MB."""


@dataclass(frozen=True, slots=True)
class LowStockCount:
    """What one check did: alerts it opened and closed, vendors it told of how many products, alerts open after it."""

    alerts: int
    recovered: int
    vendors: int
    products: int
    open_alerts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LowStock:
    """Any number may run: one at a time tells, and what is told is marked in the same transaction.

    A product is named in one digest per `quiet_seconds` however often its alert opens and closes. Between two checks
    a vendor gets at most one digest per `spacing_seconds`, `settle_seconds` after the last alert opened: what a rush
    of orders sells out comes in one mail.
    """

    pool: Pool
    outbox: Outbox
    settle_seconds: float = 2.0
    spacing_seconds: float = 600.0
    quiet_seconds: float = 6 * 3600.0

    async def check(self) -> LowStockCount:
        """Open and close what is due, and tell each vendor once, however many products.

        Alerts and events commit together. Run again, or twice at once, it finds only what is still to be done.
        """
        async with transaction(self.pool) as conn:
            await store.one_at_a_time(conn)
            recovered = await self._close_recovered(conn)
            opened = await self._open_missed(conn)
            told = await self._tell(conn, is_check=True)
            return LowStockCount(
                alerts=opened,
                recovered=recovered,
                vendors=len({level.vendor_id for level in told}),
                products=len(told),
                open_alerts=await store.open_alerts(conn),
            )

    async def run_once(self) -> int:
        """Tell what fell low since; returns how many products. Cheap when there is nothing."""
        async with connection(self.pool) as conn:
            if not await store.is_any_untold(conn):
                return 0
        async with transaction(self.pool) as conn:
            await store.one_at_a_time(conn)
            return len(await self._tell(conn, is_check=False))

    async def _close_recovered(self, conn: Connection) -> int:
        recovered = await levels(conn, await store.hold_recovered(conn, limit=ALERTS_PER_RUN))
        if recovered:
            await close_alerts_of(conn, [level.product_id for level in recovered])
            facts = [fact for level in recovered for fact in crossed(level, level.on_hand, Crossing.RECOVERED)]
            await self.outbox.add(conn, *facts)
        return len(recovered)

    async def _open_missed(self, conn: Connection) -> int:
        low = await levels(conn, await store.open_missed(conn, limit=ALERTS_PER_RUN))
        if low:
            await self.outbox.add(conn, *(fact for one in low for fact in crossed(one, one.on_hand, Crossing.LOW)))
        return len(low)

    async def _tell(self, conn: Connection, *, is_check: bool) -> list[Level]:
        due = await store.due_vendors(
            conn,
            quiet_seconds=self.quiet_seconds,
            settle_seconds=self.settle_seconds,
            spacing_seconds=self.spacing_seconds,
            is_check=is_check,
        )
        if not due:
            return []
        marked = await store.mark_told(conn, due, quiet_seconds=self.quiet_seconds, limit=TOLD_PER_RUN)
        told = [level for level in await levels(conn, marked) if level.is_for_sale]
        digests: list[Event] = [_digest(list(of)) for _, of in groupby(told, lambda one: one.vendor_id)]
        if digests:
            await store.mark_vendors(conn, list({level.vendor_id for level in told}))
            await self.outbox.add(conn, *digests)
        return told


def _digest(low: Sequence[Level]) -> StockLowDigest:
    """The most urgent first: nothing left, then the smallest part of the threshold left."""
    urgent = sorted(low, key=lambda one: (one.on_hand / max(one.threshold, 1), one.product_id))[:LISTED]
    return StockLowDigest(
        vendor_id=low[0].vendor_id,
        products=tuple(
            LowProduct(
                product_id=one.product_id, sku=one.sku, title=one.title, on_hand=one.on_hand, threshold=one.threshold
            )
            for one in urgent
        ),
        more=len(low) - len(urgent),
    )
