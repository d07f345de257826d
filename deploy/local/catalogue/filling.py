"""Filling the catalogue of a running stack, by the gateway's HTTP API alone: as its vendors, admin and channel."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp

from deploy.local.catalogue.goods import CURRENCY, GOODS, SALES, Good, Sale
from deploy.local.catalogue.paintings import Paintings, open_paintings
from deploy.local.run_file import RunFile

AT_ONCE: Final = 6
"""Products under way at the same time: enough to keep the painters busy, little beside what the gateway bears."""
PATIENCE_SECONDS: Final = 300.0
CALL_SECONDS: Final = 60.0
IN_HAND_SECONDS: Final = 20.0
IN_FLIGHT: Final = ":idempotency_key_in_flight"
ARCHIVED: Final = "archived"

Tell = Callable[[int, int], None]
"""Hears how many are done, and of how many."""


def tell_nobody(done: int, total: int) -> None:
    """For who shows no progress."""


class FillingFailed(Exception):
    """The catalogue did not become what it should be; the message says which request was answered how."""


class StillInHand(FillingFailed):
    """An earlier request with the same key, of a run that was interrupted, is not done yet: ask again."""


@dataclass(slots=True)
class Filled:
    """The seeded products by sku, and how many of them are new."""

    products: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    added: int = 0


async def fill(run: RunFile, paintings: Path, *, tell: Tell = tell_nobody) -> Filled:
    """Bring all goods into the catalogue, with a picture each, and place the orders.

    A product that exists is only brought forward to `approved` if somebody left it elsewhere; one that its vendor
    archived is offered anew. Safe to run twice and after an interruption. Renditions are not waited for:
    `pictures_ready` does. Raises FillingFailed.
    """
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_SECONDS)) as http:
        with open_paintings(paintings) as opened:
            filling = _Filling(Gateway(http, run.gateway), run, opened, tell)
            return await filling.run()


async def pictures_ready(run: RunFile, *, tell: Tell = tell_nobody) -> None:
    """Return once every picture of the seeded products is ready. Raises FillingFailed for one that failed."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=CALL_SECONDS)) as http:
        gateway = Gateway(http, run.gateway)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            are_ready = [each for vendor in run.accounts.vendors for each in await _pictures(gateway, vendor.api_key)]
            tell(sum(are_ready), len(are_ready))
            if all(are_ready):
                return
            if time.monotonic() > deadline:
                raise FillingFailed(f"some pictures are not ready after {PATIENCE_SECONDS:g} s")
            await asyncio.sleep(0.5)


async def _pictures(gateway: "Gateway", key: str) -> list[bool]:
    """Of each picture of a vendor's seeded products whether it is ready."""
    seeded = {good.sku for good in GOODS}
    images = [
        image for product in await gateway.products(key) if product["sku"] in seeded for image in product["images"]
    ]
    failed = next((image for image in images if image["status"] == "failed"), None)
    if failed is not None:
        raise FillingFailed(f"the picture “{failed['alt']}” failed: {failed['failure']}")
    return [image["status"] == "ready" for image in images]


class _Filling:
    def __init__(self, gateway: "Gateway", run: RunFile, paintings: Paintings, tell: Tell) -> None:
        self._gateway = gateway
        self._accounts = run.accounts
        self._paintings = paintings
        self._tell = tell
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._filled = Filled()

    async def run(self) -> Filled:
        known = [await self._gateway.products(vendor.api_key) for vendor in self._accounts.vendors]
        try:
            async with asyncio.TaskGroup() as group:
                for number, good in enumerate(GOODS):
                    group.create_task(self._bring(number, good, known[good.shop]))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        opened_at = min(datetime.fromisoformat(one["created_at"]) for one in self._filled.products.values())
        for sale in SALES:
            await self._sell(sale, opened_at)
        return self._filled

    async def _bring(self, number: int, good: Good, known: Sequence[Mapping[str, Any]]) -> None:
        """One product, from wherever it stands to the catalogue."""
        async with self._slots:
            same = [product for product in known if product["sku"] == good.sku]
            product = next((each for each in same if each["status"] != ARCHIVED), None)
            if product is None:
                product = await self._offer(good, attempt=len(same))
                self._filled.added += 1
            if not product["images"] and product["status"] != "approved":
                product = await self._picture(number, good, product)
            product = await self._approve(good, product)
            self._filled.products[good.sku] = product
            self._tell(len(self._filled.products), len(GOODS))

    async def _offer(self, good: Good, *, attempt: int) -> Mapping[str, Any]:
        async def offer() -> Mapping[str, Any]:
            return await self._gateway.post(
                "/api/vendor/products", self._key(good), good.offer, once=f"seed-{good.sku}-{attempt}", expect={201}
            )

        return await _settled(offer)

    async def _picture(self, number: int, good: Good, product: Mapping[str, Any]) -> Mapping[str, Any]:
        content = await self._paintings.of(number)
        path = f"/api/vendor/products/{product['id']}/images"

        async def upload() -> Mapping[str, Any]:
            form = aiohttp.FormData()
            form.add_field("file", content, filename=f"{good.sku.lower()}.jpg", content_type="image/jpeg")
            form.add_field("alt", good.title)
            once = f"seed-{product['id']}-image"
            return await self._gateway.post(path, self._key(good), form, once=once, expect={201})

        return await _settled(upload)

    async def _approve(self, good: Good, product: Mapping[str, Any]) -> Mapping[str, Any]:
        own, admins = f"/api/vendor/products/{product['id']}", f"/api/admin/products/{product['id']}"
        vendor, admin = self._key(good), self._accounts.admin.api_key
        if product["status"] in {"draft", "rejected"}:
            product = await self._moved(f"{own}/submit", vendor, own, vendor)
        if product["status"] == "pending":
            product = await self._moved(f"{admins}/approve", admin, own, vendor)
        if product["status"] == "suspended":
            product = await self._moved(f"{admins}/reinstate", admin, own, vendor)
        if product["status"] != "approved":
            raise FillingFailed(f"{good.sku} is {product['status']}, not approved: somebody else decides, too")
        return product

    async def _moved(self, action: str, key: str, own: str, vendor: str) -> Mapping[str, Any]:
        """The product after a transition; one that an interrupted run left in hand may have made it already."""
        await self._gateway.post(action, key, None, expect={200, 409})
        return await self._gateway.get(own, vendor)

    async def _sell(self, sale: Sale, opened_at: datetime) -> None:
        """Place an order, dated by the oldest product so that each run says the same.

        One that differs from what was placed before under its number (a product was offered anew) stays as it was.
        """
        prices = {good.sku: good.price_minor for good in GOODS}
        order = {
            "external_id": f"seed-{sale.number:03}",
            "placed_at": (opened_at - timedelta(hours=sale.hours_before)).isoformat(),
            "lines": [
                {
                    "product_id": self._filled.products[sku]["id"],
                    "quantity": quantity,
                    "unit_price": {"amount_minor": prices[sku], "currency": CURRENCY},
                }
                for sku, quantity in sale.lines
            ],
        }
        await self._gateway.post("/api/orders", self._accounts.channel.api_key, order, expect={200, 201, 409})

    def _key(self, good: Good) -> str:
        return self._accounts.vendors[good.shop].api_key


async def _settled(call: Callable[[], Awaitable[Mapping[str, Any]]]) -> Mapping[str, Any]:
    """Call until no earlier request with the same key is in hand any more."""
    deadline = time.monotonic() + IN_HAND_SECONDS
    while True:
        try:
            return await call()
        except StillInHand:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


class Gateway:
    """HTTP as somebody, told by the key of each call. Raises FillingFailed for an answer that was not expected."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self._url = url

    async def products(self, key: str) -> list[Mapping[str, Any]]:
        """All of a vendor's, page by page."""
        products: list[Mapping[str, Any]] = []
        path = "/api/vendor/products?limit=100"
        cursor: str | None = ""
        while cursor is not None:
            page = await self._call("GET", f"{path}&cursor={cursor}" if cursor else path, key, expect={200})
            products += page["items"]
            cursor = page["next"]
        return products

    async def get(self, path: str, key: str) -> Mapping[str, Any]:
        """What is there."""
        answer: Mapping[str, Any] = await self._call("GET", path, key, expect={200})
        return answer

    async def post(
        self,
        path: str,
        key: str,
        content: Mapping[str, Any] | aiohttp.FormData | None,
        *,
        once: str | None = None,
        expect: Collection[int] = (200,),
    ) -> Mapping[str, Any]:
        """What became of it."""
        body = {"data": content} if isinstance(content, aiohttp.FormData) else {"json": content} if content else {}
        headers = {} if once is None else {"Idempotency-Key": once}
        answer: Mapping[str, Any] = await self._call("POST", path, key, headers=headers, expect=expect, **body)
        return answer

    async def _call(
        self,
        method: str,
        path: str,
        key: str,
        *,
        expect: Collection[int],
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> Any:
        signed = {"Authorization": f"Bearer {key}", **(headers or {})}
        async with self._http.request(method, f"{self._url}{path}", headers=signed, **body) as response:
            answer = await response.json(content_type=None)
        if response.status == 409 and str(answer.get("type", "")).endswith(IN_FLIGHT):
            raise StillInHand(f"{method} {path} is still in hand")
        if response.status not in expect:
            raise FillingFailed(f"{method} {path} answered {response.status}: {answer}")
        return answer
