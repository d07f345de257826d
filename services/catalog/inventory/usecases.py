"""What can be done to stock. Every change is a movement, and the sum of a product's movements is its level."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final
from uuid import UUID

from services.catalog import audit
from services.catalog.inventory import store
from services.catalog.inventory.errors import LevelNotFound, OutOfRange, StaleQuantity, UnknownProducts
from services.catalog.inventory.models import Level, Moved, Movement, MovementKind
from services.catalog.models import Actor
from shared.contracts.base import Event
from shared.contracts.events import (
    LowProduct,
    StockChanged,
    StockLow,
    StockLowDigest,
    StockRecovered,
    StockThresholdSet,
)
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool, connection, transaction

ALERTS_PER_RUN: Final = 5000


async def move(
    conn: Connection,
    outbox: Outbox,
    held: Sequence[Level],
    deltas: Mapping[UUID, int],
    kind: MovementKind,
    *,
    reference: str,
    actor: Actor,
) -> list[Moved]:
    """Move levels that `store.lock` holds, in the caller's transaction, with their movements and events.

    A level that would fall below zero (or rise above a billion) stays and is missing in the answer: the caller
    decides whether that undoes all.
    """
    moved = await store.move(conn, deltas)
    await store.add_movements(conn, moved, deltas, kind, reference=reference, account_id=actor.account_id)
    recovered = await store.close_alerts(conn, [one.product_id for one in moved if deltas[one.product_id] > 0])
    vendors = {level.product_id: level.vendor_id for level in held}
    facts: list[Event] = []
    for one in moved:
        vendor_id = vendors[one.product_id]
        facts.append(
            StockChanged(
                vendor_id=vendor_id,
                product_id=one.product_id,
                delta=deltas[one.product_id],
                on_hand=one.on_hand,
                version=one.version,
                cause=kind.value,
            )
        )
        if one.product_id in recovered:
            facts.append(StockRecovered(vendor_id=vendor_id, product_id=one.product_id, on_hand=one.on_hand))
    if facts:
        await outbox.add(conn, *facts)
    return moved


@dataclass(frozen=True, slots=True)
class LowStockCount:
    """What one check did."""

    alerts: int
    vendors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Stock, as vendors and the low-stock check use it."""

    pool: Pool
    outbox: Outbox

    async def levels(self, vendor_id: UUID, *, below: UUID | None, limit: int, only_low: bool = False) -> list[Level]:
        """A vendor's levels, newest product first."""
        async with connection(self.pool) as conn:
            return await store.of_vendor(conn, vendor_id, below=below, limit=limit, only_low=only_low)

    async def level(self, vendor_id: UUID, product_id: UUID) -> Level:
        """A vendor's level of one product. Raises `LevelNotFound`."""
        async with connection(self.pool) as conn:
            found = await store.levels(conn, [product_id])
        if not found or found[0].vendor_id != vendor_id:
            raise LevelNotFound.any()
        return found[0]

    async def movements(self, vendor_id: UUID, product_id: UUID, *, below: int | None, limit: int) -> list[Movement]:
        """A product's movements, newest first. Raises `LevelNotFound`."""
        async with connection(self.pool) as conn:
            if not await store.is_vendors(conn, product_id, vendor_id):
                raise LevelNotFound.any()
            return await store.movements(conn, product_id, below=below, limit=limit)

    async def set_level(self, actor: Actor, product_id: UUID, *, on_hand: int, expected_on_hand: int) -> Level:
        """Correct a level to what was counted. Raises `LevelNotFound`, and `StaleQuantity` if it moved meanwhile."""
        async with transaction(self.pool) as conn:
            level = await _held(conn, actor, product_id)
            if level.on_hand != expected_on_hand:
                raise StaleQuantity.of(expected_on_hand, level.on_hand)
            if on_hand != level.on_hand:
                deltas = {product_id: on_hand - level.on_hand}
                await move(conn, self.outbox, [level], deltas, MovementKind.ADJUST, reference="counted", actor=actor)
            return (await store.levels(conn, [product_id]))[0]

    async def adjust(self, actor: Actor, adjustments: Mapping[UUID, int], *, note: str) -> list[Level]:
        """Add to levels or take from them (pieces by product), all or nothing.

        Raises `UnknownProducts` for what is not this vendor's, `OutOfRange` naming what cannot move that far.
        """
        async with transaction(self.pool) as conn:
            held = await store.lock(conn, list(adjustments))
            own = [level for level in held if level.vendor_id == actor.vendor_id]
            if len(own) < len(adjustments):
                raise UnknownProducts.of(list(adjustments), {level.product_id for level in own})
            moved = await move(conn, self.outbox, own, adjustments, MovementKind.ADJUST, reference=note, actor=actor)
            if len(moved) < len(adjustments):
                raise OutOfRange.of(list(adjustments), {one.product_id for one in moved})
            return await store.levels(conn, list(adjustments))

    async def set_threshold(self, actor: Actor, product_id: UUID, *, threshold: int) -> Level:
        """Say where low begins; the alert goes if the level is above it. Raises `LevelNotFound`."""
        async with transaction(self.pool) as conn:
            level = await _held(conn, actor, product_id)
            version = await store.set_threshold(conn, product_id, threshold)
            said = StockThresholdSet(
                vendor_id=level.vendor_id, product_id=product_id, threshold=threshold, version=version
            )
            await self.outbox.add(conn, said)
            if await store.close_alerts(conn, [product_id]):
                recovered = StockRecovered(vendor_id=level.vendor_id, product_id=product_id, on_hand=level.on_hand)
                await self.outbox.add(conn, recovered)
            await audit.record(
                conn, actor, "stock.threshold_set", kind="product", object_id=product_id, threshold=threshold
            )
            return (await store.levels(conn, [product_id]))[0]

    async def check_low_stock(self) -> LowStockCount:
        """Open an alert for each low product that has none, and tell each vendor once, however many products.

        Alerts and events commit together. Run again, or twice at once, it finds only what has no alert yet.
        """
        async with transaction(self.pool) as conn:
            opened = await store.open_alerts(conn, limit=ALERTS_PER_RUN)
            low = await store.levels(conn, opened)
            digests = [_digest(vendor_id, list(of)) for vendor_id, of in groupby(low, lambda one: one.vendor_id)]
            facts: list[Event] = [
                StockLow(
                    vendor_id=one.vendor_id, product_id=one.product_id, on_hand=one.on_hand, threshold=one.threshold
                )
                for one in low
            ]
            if low:
                await self.outbox.add(conn, *facts, *digests)
        return LowStockCount(alerts=len(low), vendors=len(digests))


async def _held(conn: Connection, actor: Actor, product_id: UUID) -> Level:
    """The level, held, if it is the actor's."""
    levels = await store.lock(conn, [product_id])
    if not levels or levels[0].vendor_id != actor.vendor_id:
        raise LevelNotFound.any()
    return levels[0]


def _digest(vendor_id: UUID, low: Sequence[Level]) -> StockLowDigest:
    return StockLowDigest(
        vendor_id=vendor_id,
        products=tuple(
            LowProduct(
                product_id=one.product_id, sku=one.sku, title=one.title, on_hand=one.on_hand, threshold=one.threshold
            )
            for one in low
        ),
    )
