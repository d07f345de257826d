"""How many reads the caches of two gateways answer, while one product in a hundred reads is sold.

Readers like some products more than others (Zipf: the n-th is read 1/n times as often as the first); sales go by the
same law, to either gateway, and the other has to hear of them. The caches are empty at first, which counts.
"""

import asyncio
from itertools import accumulate
from random import Random
from uuid import UUID

import aiohttp

from tests.bench.figures import Figure
from tests.bench.shop import Server, called, get, open_shop, post
from tests.bench.stage import Stage

PRODUCTS = 5000
READS = 100_000
"""By each gateway; one in twenty is the first of its product. A cache that lost nothing would answer 93 %."""
WRITES_EVERY = 100


async def measure(stage: Stage) -> list[Figure]:
    """Both gateways at once, each by 16 connections."""
    async with open_shop(stage) as shop, shop.another_gateway() as other:
        await shop.fill(1, PRODUCTS)
        ids = await shop.newest_ids(PRODUCTS)
        gateways = (shop.gateway, other)
        for gateway in gateways:
            await shop.is_live("/api/products", gateway)
        seller = f"Authorization: Bearer {shop.accounts.vendors[0].api_key}"
        told = await asyncio.gather(
            *(
                called(gateway.port, _requests(ids, seller, seed=seed), READS)
                for seed, gateway in enumerate(gateways, start=1)
            )
        )
        for one in told:
            assert one["statuses"] == {"200": READS}, one["statuses"]
        admin = f"Bearer {shop.accounts.admin.api_key}"
        rates = [await _hit_rate(gateway, admin) for gateway in gateways]
    name = f"{PRODUCTS:,} products read by Zipf's law, 1 % sold, two gateways: answered by the caches"
    shown = " and ".join(f"{rate:.1f} %" for rate in rates)
    return [Figure(name, shown, "-", sum(rates) / len(rates), 90, "%")]


def _requests(ids: list[UUID], seller: str, *, seed: int) -> list[str]:
    chance = Random(seed)
    ranks = list(accumulate(1 / rank for rank in range(1, len(ids) + 1)))
    requests = []
    for number, product_id in enumerate(chance.choices(ids, cum_weights=ranks, k=READS)):
        if number % WRITES_EVERY == WRITES_EVERY - 1:
            sold = {"lines": [{"product_id": str(product_id), "delta": 1}]}
            requests.append(post("/api/vendor/inventory/adjust", sold, seller))
        else:
            requests.append(get(f"/api/products/{product_id}"))
    return requests


async def _hit_rate(gateway: Server, admin: str) -> float:
    """Of the cache of products, in percent, as the gateway itself tells."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": admin}) as http,
        http.get(f"http://127.0.0.1:{gateway.port}/api/admin/cache") as answer,
    ):
        replicas = (await answer.json())["replicas"]
    [own] = [replica for replica in replicas if replica["is_this"]]
    return float(own["caches"]["product"]["hit_rate"]) * 100
