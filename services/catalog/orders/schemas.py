"""What is sent to and answered by the addresses of orders."""

from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from services.catalog.inventory.models import MAX_PIECES
from services.catalog.orders.errors import OrderInTheFuture
from services.catalog.orders.models import Order, OrderStatus, Placing, Wanted
from services.catalog.products.schemas import MoneyShown, PriceBody
from shared.clock import utc_now
from shared.web.bodies import Body, Moment

MAX_LINES: Final = 200
CLOCKS_DIFFER: Final = timedelta(minutes=5)


class LineBody(Body):
    """One line; `unit_price` is what the buyer paid for one piece."""

    product_id: UUID
    quantity: Annotated[int, Field(ge=1, le=MAX_PIECES // MAX_LINES)]
    unit_price: PriceBody


class OrderBody(Body):
    """An order of a channel, by the channel's own number."""

    external_id: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,100}$")]
    placed_at: Moment | None = None
    lines: Annotated[list[LineBody], Field(min_length=1, max_length=MAX_LINES)]

    def placing(self) -> Placing:
        """The same as a value. Raises `OrderInTheFuture`."""
        if self.placed_at is not None and self.placed_at > utc_now() + CLOCKS_DIFFER:
            raise OrderInTheFuture
        return Placing(
            self.external_id,
            self.placed_at,
            tuple(Wanted(line.product_id, line.quantity, line.unit_price.money()) for line in self.lines),
        )


class OrderLineShown(TypedDict):
    """One line, with the product's title when it was sold."""

    product_id: UUID
    title: str
    quantity: int
    unit_price: MoneyShown


class OrderShown(TypedDict):
    """An order as its channel sees it."""

    id: UUID
    external_id: str
    status: OrderStatus
    placed_at: datetime
    cancelled_at: datetime | None
    lines: list[OrderLineShown]


def order_shape(order: Order) -> OrderShown:
    """An order as its channel sees it."""
    return {
        "id": order.id,
        "external_id": order.external_id,
        "status": order.status,
        "placed_at": order.placed_at,
        "cancelled_at": order.cancelled_at,
        "lines": [
            {
                "product_id": line.product_id,
                "title": line.title,
                "quantity": line.quantity,
                "unit_price": {
                    "amount_minor": line.unit_price.amount_minor,
                    "currency": line.unit_price.currency,
                },
            }
            for line in order.lines
        ],
    }
