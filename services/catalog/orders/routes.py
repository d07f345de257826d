"""The addresses of orders."""

from dataclasses import dataclass

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.answers import answer, uuid_in_path
from services.catalog.idempotency import REPLAYED
from services.catalog.orders.schemas import OrderBody, order_shape
from services.catalog.orders.usecases import Orders
from shared.web.bodies import read_body


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRoutes:
    """What channels sold."""

    orders: Orders

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.post("/api/orders", self.place),
            web.post("/api/orders/{id}/cancel", self.cancel),
        ]

    async def place(self, request: web.Request) -> web.Response:
        """`POST /api/orders`: 201, or 200 with the same answer when it was placed before.

        The channel's `external_id` is what makes it happen once; an `Idempotency-Key` adds nothing.
        """
        body = await read_body(request, OrderBody)
        placed = await self.orders.place(actor_of(request), body.placing())
        if not placed.is_new:
            return answer(order_shape(placed.order), headers=REPLAYED)
        return answer(order_shape(placed.order), status=201)

    async def cancel(self, request: web.Request) -> web.Response:
        """`POST /api/orders/{id}/cancel`."""
        order = await self.orders.cancel(actor_of(request), uuid_in_path(request))
        return answer(order_shape(order))
