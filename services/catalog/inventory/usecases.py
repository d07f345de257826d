"""What can be done to stock. Every change is a movement, and the sum of a product's movements is its level."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.catalog import audit
from services.catalog.idempotency import OnceKey, keep, made_before
from services.catalog.inventory import store
from services.catalog.inventory.errors import LevelNotFound, OutOfRange, StaleQuantity, UnknownProducts
from services.catalog.inventory.models import (
    Adjusted,
    Adjustment,
    Crossing,
    Defaults,
    Level,
    Moved,
    Movement,
    MovementKind,
    SourceVersions,
)
from services.catalog.models import Actor
from shared.contracts.base import Event
from shared.contracts.events import StockChanged, StockLow, StockRecovered, StockThresholdSet, VendorChanged
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool, connection, transaction
from shared.ids import new_id


async def move(
    conn: Connection,
    outbox: Outbox,
    held: Sequence[Level],
    deltas: Mapping[UUID, int],
    kind: MovementKind,
    *,
    reference: str,
    actor: Actor,
    source: SourceVersions | None = None,
) -> list[Moved]:
    """Move levels that `store.lock` holds, in the caller's transaction, with their movements, alerts and events.

    A level that would fall below zero (or rise above a billion) stays and is missing in the answer: the caller
    decides whether that undoes all. `source` says which version of which stock source moves them.
    """
    moved = await store.move(conn, deltas)
    if not moved:
        return []
    await store.add_movements(
        conn, moved, deltas, kind, reference=reference, account_id=actor.account_id, source=source
    )
    levels = {level.product_id: level for level in held}
    crossings = {one.product_id: levels[one.product_id].crossing(one.on_hand) for one in moved}
    await _set_alerts(conn, crossings)
    facts: list[Event] = []
    for one in moved:
        level = levels[one.product_id]
        facts.append(
            StockChanged(
                vendor_id=level.vendor_id,
                product_id=one.product_id,
                delta=deltas[one.product_id],
                on_hand=one.on_hand,
                version=one.version,
                cause=kind.value,
            )
        )
        facts += crossed(level, one.on_hand, crossings[one.product_id])
    await outbox.add(conn, *facts)
    return moved


async def _set_alerts(conn: Connection, crossings: Mapping[UUID, Crossing | None]) -> None:
    if low := [product_id for product_id, crossing in crossings.items() if crossing is Crossing.LOW]:
        await store.open_alerts_of(conn, low)
    if recovered := [product_id for product_id, crossing in crossings.items() if crossing is Crossing.RECOVERED]:
        await store.close_alerts_of(conn, recovered)


def crossed(level: Level, on_hand: int, crossing: Crossing | None) -> list[Event]:
    """What is told of an alert that opens or closes."""
    match crossing:
        case Crossing.LOW:
            return [
                StockLow(
                    vendor_id=level.vendor_id, product_id=level.product_id, on_hand=on_hand, threshold=level.threshold
                )
            ]
        case Crossing.RECOVERED:
            return [StockRecovered(vendor_id=level.vendor_id, product_id=level.product_id, on_hand=on_hand)]
        case None:
            return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Stock, as vendors use it."""

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

    async def adjust(
        self,
        actor: Actor,
        adjustments: Mapping[UUID, int],
        *,
        kind: MovementKind,
        note: str,
        is_each: bool = False,
        once: OnceKey | None = None,
    ) -> Adjustment:
        """Add to levels or take from them (pieces by product): all or nothing, or each line that can be done.

        All or nothing, it raises `UnknownProducts` for what is not this vendor's, `OutOfRange` naming what cannot
        move that far; else the answer says so for each line. `once` makes a repeated request answer like the first.
        """
        async with transaction(self.pool) as conn:
            if (known := await made_before(conn, once)) is not None:
                return Adjustment(await store.adjustment(conn, known), is_new=False)
            own = [level for level in await store.lock(conn, list(adjustments)) if level.vendor_id == actor.vendor_id]
            if len(own) < len(adjustments) and not is_each:
                raise UnknownProducts.of(list(adjustments), {level.product_id for level in own})
            deltas = {level.product_id: adjustments[level.product_id] for level in own}
            moved = await move(conn, self.outbox, own, deltas, kind, reference=note, actor=actor)
            if len(moved) < len(adjustments) and not is_each:
                raise OutOfRange.of(list(adjustments), {one.product_id for one in moved})
            results = _line_by_line(adjustments, own, moved)
            if once is not None:
                identifier = new_id()
                await store.keep_adjustment(conn, identifier, results)
                await keep(conn, once, identifier)
            return Adjustment(results)

    async def set_threshold(self, actor: Actor, product_id: UUID, *, threshold: int | None) -> Level:
        """Say where low begins for a product; None leaves it to the vendor's default. Raises `LevelNotFound`.

        An open alert closes if the level has recovered by the new threshold; one that is due opens at the next check.
        """
        async with transaction(self.pool) as conn:
            await _held(conn, actor, product_id)
            version = await store.set_threshold(conn, product_id, threshold)
            [level] = await store.levels(conn, [product_id])
            said = StockThresholdSet(
                vendor_id=level.vendor_id, product_id=product_id, threshold=level.threshold, version=version
            )
            crossing = level.crossing(level.on_hand)
            await _set_alerts(conn, {product_id: crossing})
            await self.outbox.add(conn, said, *crossed(level, level.on_hand, crossing))
            await audit.record(
                conn, actor, "stock.threshold_set", kind="product", object_id=product_id, threshold=threshold
            )
            return (await store.levels(conn, [product_id]))[0]

    async def defaults(self, vendor_id: UUID) -> Defaults:
        """Where low begins for a vendor's products."""
        async with connection(self.pool) as conn:
            return Defaults(*await store.defaults(conn, vendor_id))

    async def set_vendor_default(self, actor: Actor, threshold: int | None) -> Defaults:
        """Set it; None leaves it to the marketplace. Alerts follow with the next check."""
        assert actor.vendor_id is not None, "the access table lets only vendors in here"
        async with transaction(self.pool) as conn:
            version = await store.set_vendor_default(conn, actor.vendor_id, threshold)
            await self.outbox.add(conn, VendorChanged(vendor_id=actor.vendor_id, version=version))
            await audit.record(
                conn, actor, "vendor.threshold_set", kind="vendor", object_id=actor.vendor_id, threshold=threshold
            )
            return Defaults(*await store.defaults(conn, actor.vendor_id))

    async def marketplace_default(self) -> int:
        """Where low begins where nobody says anything else."""
        async with connection(self.pool) as conn:
            return await store.marketplace_default(conn)

    async def set_marketplace_default(self, actor: Actor, threshold: int) -> int:
        """Set it. Alerts follow with the next check."""
        async with transaction(self.pool) as conn:
            versions = await store.set_marketplace_default(conn, threshold)
            changed = [VendorChanged(vendor_id=vendor_id, version=version) for vendor_id, version in versions.items()]
            await self.outbox.add(conn, *changed)
            await audit.record(
                conn, actor, "marketplace.threshold_set", kind="marketplace", object_id="stock", threshold=threshold
            )
            return threshold


async def _held(conn: Connection, actor: Actor, product_id: UUID) -> Level:
    """The level, held, if it is the actor's."""
    levels = await store.lock(conn, [product_id])
    if not levels or levels[0].vendor_id != actor.vendor_id:
        raise LevelNotFound.any()
    return levels[0]


def _line_by_line(adjustments: Mapping[UUID, int], own: Sequence[Level], moved: Sequence[Moved]) -> list[Adjusted]:
    """One result for each line, in the order asked."""
    levels = {level.product_id: level for level in own}
    after = {one.product_id: one for one in moved}
    results = []
    for product_id in adjustments:
        if (one := after.get(product_id)) is not None:
            results.append(Adjusted(product_id, one.on_hand, one.version))
        elif (level := levels.get(product_id)) is not None:
            results.append(Adjusted(product_id, level.on_hand, level.version, OutOfRange.code))
        else:
            results.append(Adjusted(product_id, None, None, UnknownProducts.code))
    return results
