"""Two months of sales for the seeded catalogue, by the gateway's HTTP API alone: as its vendors and channel."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import aiohttp

from deploy.local.catalogue.filling import AT_ONCE, CALL_SECONDS, Gateway, Tell, tell_nobody
from deploy.local.catalogue.goods import GOODS
from deploy.local.catalogue.history import ForSale, PastOrder, history
from deploy.local.run_file import RunFile

DAYS: Final = 60
ORDERS_A_DAY: Final = 3
SEED: Final = 11


async def sell_history(run: RunFile, products: Mapping[str, Mapping[str, Any]], *, tell: Tell = tell_nobody) -> int:
    """Place the orders of the last `DAYS` days, each once, and say how many; 0 if they are there.

    First the goods for them come in, so that stock is what it was. An interrupted run leaves a shorter history.
    `products` are the seeded ones by sku. Raises FillingFailed.
    """
    today = datetime.now(UTC).date()
    orders = list(
        history(
            [_for_sale(run, good.shop, products[good.sku]) for good in GOODS],
            first=today - timedelta(days=DAYS),
            last=today - timedelta(days=1),
            orders_a_day=ORDERS_A_DAY,
            seed=SEED,
        )
    )
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_SECONDS)) as http:
        selling = _Selling(Gateway(http, run.gateway), run, tell)
        return await selling.run(orders)


class _Selling:
    def __init__(self, gateway: Gateway, run: RunFile, tell: Tell) -> None:
        self._gateway = gateway
        self._accounts = run.accounts
        self._tell = tell
        self._placed = 0
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def run(self, orders: Sequence[PastOrder]) -> int:
        if not await self._deliver(orders):
            return 0
        async with asyncio.TaskGroup() as group:
            for number, order in enumerate(orders):
                group.create_task(self._place(number, order, of=len(orders)))
        return len(orders)

    async def _deliver(self, orders: Sequence[PastOrder]) -> bool:
        """Bring in what will be kept of the orders; False if that was done before."""
        pieces = Counter[ForSale]()
        for order in orders:
            pieces.update({line.product: line.quantity for line in order.lines})
        for vendor in self._accounts.vendors:
            own = [
                (product, count)
                for product, count in pieces.most_common()
                if str(product.vendor_id) == vendor.vendor_id
            ]
            if not own or await self._has_come(own[-1][0], vendor.api_key):
                return False
            lines = [{"product_id": str(product.product_id), "delta": count} for product, count in own]
            await self._gateway.post(
                "/api/vendor/inventory/adjust", vendor.api_key, {"kind": "receive", "lines": lines}
            )
        return True

    async def _has_come(self, rarest: ForSale, key: str) -> bool:
        """Whether goods came in after the first ones, among the last hundred movements of what sells least."""
        page = await self._gateway.get(f"/api/vendor/inventory/{rarest.product_id}/movements?limit=100", key)
        return any(each["kind"] == "receive" and each["version"] > 1 for each in page["items"])

    async def _place(self, number: int, order: PastOrder, *, of: int) -> None:
        async with self._slots:
            body = {
                "external_id": f"history-{number:04}",
                "placed_at": order.placed_at.isoformat(),
                "lines": [
                    {
                        "product_id": str(line.product.product_id),
                        "quantity": line.quantity,
                        "unit_price": {"amount_minor": line.product.price_minor, "currency": line.product.currency},
                    }
                    for line in order.lines
                ],
            }
            key = self._accounts.channel.api_key
            placed = await self._gateway.post("/api/orders", key, body, expect={200, 201})
            if order.cancelled_at is not None:
                await self._gateway.post(f"/api/orders/{placed['id']}/cancel", key, None)
            self._placed += 1
            self._tell(self._placed, of)


def _for_sale(run: RunFile, shop: int, product: Mapping[str, Any]) -> ForSale:
    price = product["price"]
    return ForSale(
        UUID(product["id"]),
        UUID(run.accounts.vendors[shop].vendor_id),
        product["title"],
        price["amount_minor"],
        price["currency"],
    )
