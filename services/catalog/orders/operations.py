"""What the addresses of orders promise."""

from typing import Final

from services.catalog.orders.schemas import OrderBody, OrderShown
from shared.web.operations import Answer, Group, Operation

ORDERS: Final = Group(
    "Orders",
    "What a sales channel sold. Stock goes down with the order and comes back when it is cancelled.",
    (
        Operation(
            route="POST /api/orders",
            id="placeOrder",
            summary="Place an order",
            description="Once per `external_id`: sent again it answers 200 with the order that is there, and 409 if it "
            "differs. No `Idempotency-Key` is needed.",
            body=OrderBody,
            answers={
                201: Answer(OrderShown, "The order; its stock is taken."),
                200: Answer(OrderShown, "It was placed before.", headers=("Idempotent-Replayed",)),
            },
            errors=(409,),
        ),
        Operation(
            route="POST /api/orders/{id}/cancel",
            id="cancelOrder",
            summary="Cancel an order",
            description="Its stock comes back. Cancelling it again changes nothing.",
            answers={200: Answer(OrderShown, "The order, cancelled.")},
        ),
    ),
)
