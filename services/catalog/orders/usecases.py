"""Placing and cancelling orders: the order, the stock and the events change together or not at all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.catalog import audit
from services.catalog.inventory import store as stock
from services.catalog.inventory.errors import OutOfRange
from services.catalog.inventory.models import Level, MovementKind
from services.catalog.inventory.usecases import move
from services.catalog.models import Actor
from services.catalog.orders import store
from services.catalog.orders.errors import (
    InsufficientStock,
    NotForSale,
    OrderDiffers,
    OrderNotFound,
    UnknownProduct,
)
from services.catalog.orders.models import Line, Order, Placing
from shared.clock import Clock, utc_now
from shared.contracts.events import OrderCancelled, OrderLine, OrderPlaced
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool, transaction
from shared.errors import FieldError
from shared.ids import new_id


@dataclass(frozen=True, slots=True)
class Placed:
    """An order, and whether this very request placed it."""

    order: Order
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Orders, as channels send them."""

    pool: Pool
    outbox: Outbox
    clock: Clock = utc_now

    async def place(self, actor: Actor, placing: Placing) -> Placed:
        """Sell, once per channel and its number: sent again, however often and at once, it is the same order.

        The lines take from stock all or nothing. Raises `OrderDiffers`, `UnknownProduct`, `NotForSale`,
        `InsufficientStock`; each leaves everything as it was.
        """
        account_id = _account_of(actor)
        async with transaction(self.pool) as conn:
            order_id = new_id()
            is_new = await store.insert(
                conn,
                order_id,
                account_id=account_id,
                external_id=placing.external_id,
                fingerprint=placing.fingerprint,
                placed_at=placing.placed_at or self.clock(),
            )
            if is_new:
                await self._sell(conn, actor, order_id, placing)
            order = await store.by_number(conn, account_id, placing.external_id)
            assert order is not None, "written just now, or found by the conflict"
            if order.fingerprint != placing.fingerprint:
                raise OrderDiffers
            if is_new:
                await self.outbox.add(conn, _placed(order))
            return Placed(order, is_new)

    async def _sell(self, conn: Connection, actor: Actor, order_id: UUID, placing: Placing) -> None:
        held = {level.product_id: level for level in await stock.lock(conn, list(placing.pieces))}
        _refuse_unsellable(placing, held)
        deltas = {product_id: -pieces for product_id, pieces in placing.pieces.items()}
        sold = await move(
            conn,
            self.outbox,
            list(held.values()),
            deltas,
            MovementKind.SALE,
            reference=f"order {order_id}",
            actor=actor,
        )
        if len(sold) < len(deltas):
            raise _short(placing, held)
        await store.insert_lines(conn, order_id, [_line(held, placing, index) for index in range(len(placing.lines))])

    async def cancel(self, actor: Actor, order_id: UUID) -> Order:
        """Take an order back and return its stock; cancelled before, it stays as it was.

        Raises `OrderNotFound`, and `OutOfRange` for a level that cannot take it back.
        """
        account_id = _account_of(actor)
        async with transaction(self.pool) as conn:
            is_changed = await store.cancel(conn, order_id, account_id=account_id)
            order = await store.one(conn, account_id, order_id)
            if order is None:
                raise OrderNotFound
            if is_changed:
                await self._return(conn, actor, order)
                await self.outbox.add(conn, _cancelled(order))
                await audit.record(conn, actor, "order.cancelled", kind="order", object_id=order_id)
            return order

    async def _return(self, conn: Connection, actor: Actor, order: Order) -> None:
        deltas: dict[UUID, int] = {}
        for line in order.lines:
            deltas[line.product_id] = deltas.get(line.product_id, 0) + line.quantity
        held = await stock.lock(conn, list(deltas))
        reference = f"order {order.id}"
        moved = await move(conn, self.outbox, held, deltas, MovementKind.RETURN, reference=reference, actor=actor)
        if len(moved) < len(deltas):
            raise OutOfRange.of(list(deltas), {one.product_id for one in moved})


def _account_of(actor: Actor) -> UUID:
    assert actor.account_id is not None, "the access table lets only channels in here"
    return actor.account_id


def _refuse_unsellable(placing: Placing, held: Mapping[UUID, Level]) -> None:
    unknown = _wrong_lines(placing, "unknown_product", "no such product", lambda product_id: product_id not in held)
    if unknown:
        raise UnknownProduct("The order names products that do not exist.", errors=unknown)
    hidden = _wrong_lines(
        placing, "not_for_sale", "not in the catalogue", lambda product_id: not held[product_id].is_for_sale
    )
    if hidden:
        raise NotForSale("The order names products that are not for sale.", errors=hidden)


def _wrong_lines(placing: Placing, code: str, detail: str, is_wrong: Callable[[UUID], bool]) -> list[FieldError]:
    return [
        FieldError(f"/lines/{index}/product_id", code, detail)
        for index, line in enumerate(placing.lines)
        if is_wrong(line.product_id)
    ]


def _short(placing: Placing, held: Mapping[UUID, Level]) -> InsufficientStock:
    """Each line whose product has less than the order asks for."""
    asked = placing.pieces
    return InsufficientStock(
        "There is not enough in stock.",
        errors=[
            FieldError(
                f"/lines/{index}/quantity",
                "insufficient_stock",
                f"{asked[line.product_id]} wanted, {held[line.product_id].on_hand} in stock",
            )
            for index, line in enumerate(placing.lines)
            if asked[line.product_id] > held[line.product_id].on_hand
        ],
    )


def _line(held: Mapping[UUID, Level], placing: Placing, index: int) -> Line:
    wanted = placing.lines[index]
    level = held[wanted.product_id]
    return Line(wanted.product_id, level.vendor_id, level.title, wanted.quantity, wanted.unit_price)


def _told(lines: Sequence[Line]) -> tuple[OrderLine, ...]:
    return tuple(
        OrderLine(
            product_id=line.product_id,
            vendor_id=line.vendor_id,
            quantity=line.quantity,
            unit_price=line.unit_price,
            title=line.title,
        )
        for line in lines
    )


def _placed(order: Order) -> OrderPlaced:
    return OrderPlaced(
        order_id=order.id, channel=str(order.account_id), placed_at=order.placed_at, lines=_told(order.lines)
    )


def _cancelled(order: Order) -> OrderCancelled:
    assert order.cancelled_at is not None
    return OrderCancelled(
        order_id=order.id,
        channel=str(order.account_id),
        placed_at=order.placed_at,
        cancelled_at=order.cancelled_at,
        lines=_told(order.lines),
    )
