"""What a request costs the gateway, to the bare library that answers the same: CPU a request, whoever is in the way.

Both servers are processes of their own under uvloop; the clients are a third. CPU of the server (and of PostgreSQL,
where it is asked) is what limits how many are answered, and is measured well on a machine with other work.
"""

from collections.abc import Sequence
from statistics import median

import aiohttp

from tests.bench.figures import Figure
from tests.bench.shop import Server, Shop, Spent, called, get, open_shop, post, spent
from tests.bench.stage import Stage
from tests.factories import offer

PRODUCTS = 6_000
"""More than the cache of products holds: read in turn, none is there when it is asked for again."""
ROUNDS = 5
CACHED = 10_000
UNCACHED = 2_000
CREATED = 500
CROWD = 200
LIST = "/api/products?limit=48"


async def measure(stage: Stage) -> list[Figure]:
    """Interleaved runs of both, the median of each."""
    async with open_shop(stage) as shop:
        await shop.fill(1, PRODUCTS)
        ids = [str(identifier) for identifier in await shop.newest_ids(PRODUCTS)]
        one = f"/api/products/{ids[0]}"
        async with shop.bare(one, LIST) as bare:
            return [
                await _cached(shop, bare, "cached product, 200", one, must=0.6),
                await _cached(shop, bare, "cached product, 304", one, must=0.6, etag=await _etag(shop, one)),
                await _cached(shop, bare, "cached list of 48", LIST, must=0.7),
                await _crowd(shop),
                await _uncached(shop, bare, ids),
                await _created(shop, bare),
            ]


async def _cached(shop: Shop, bare: Server, name: str, path: str, *, must: float, etag: str | None = None) -> Figure:
    await shop.is_live(path)
    requests = [get(path, *([] if etag is None else [f"If-None-Match: {etag}"]))]
    expect = 200 if etag is None else 304
    ours, peers = [], []
    for _ in range(ROUNDS):
        peers.append(await spent(bare, requests, CACHED, expect=expect))
        ours.append(await spent(shop.gateway, requests, CACHED, expect=expect))
    return _ratio(f"{name} / the same bytes by bare aiohttp", ours, peers, must=must)


async def _crowd(shop: Shop) -> Figure:
    """Many clients that want the list again as soon as they have it; they share the cores with the gateway."""
    runs = [await called(shop.gateway.port, [get(LIST)], CACHED, connections=CROWD) for _ in range(ROUNDS)]
    assert all(told["statuses"] == {"200": CACHED} for told in runs)
    p95 = median(told["p95_ms"] for told in runs)
    return Figure(
        f"cached list of 48 by {CROWD} clients at once: p95", f"{p95:.1f} ms", "-", p95, 50, "ms", is_most=True
    )


async def _uncached(shop: Shop, bare: Server, ids: Sequence[str]) -> Figure:
    ours, peers = [], []
    for number in range(ROUNDS):
        some = [ids[(number * UNCACHED + at) % PRODUCTS] for at in range(UNCACHED)]
        peers.append(await spent(bare, [get(f"/db/products/{each}") for each in some], UNCACHED, expect=200))
        ours.append(await spent(shop.gateway, [get(f"/api/products/{each}") for each in some], UNCACHED, expect=200))
    return _ratio("uncached product / bare aiohttp and asyncpg, the same query", ours, peers, must=0.7)


async def _created(shop: Shop, bare: Server) -> Figure:
    key = f"Authorization: Bearer {shop.accounts.vendors[0].api_key}"
    ours, peers = [], []
    for _ in range(ROUNDS):
        peers.append(await spent(bare, _offers("/db/products"), CREATED, expect=201))
        ours.append(await spent(shop.gateway, _offers("/api/vendor/products", key), CREATED, expect=201))
    name = "create product, submitted / bare aiohttp and asyncpg, the same rows"
    return _ratio(name, ours, peers, must=0.5)


def _offers(path: str, *headers: str) -> list[str]:
    return [post(path, offer(), *headers) for _ in range(CREATED)]


async def _etag(shop: Shop, path: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{shop.gateway.port}{path}") as answer:
        return answer.headers["ETag"]


def _ratio(name: str, ours: Sequence[Spent], peers: Sequence[Spent], *, must: float) -> Figure:
    def told(runs: Sequence[Spent]) -> str:
        parts = f"{median(run.server_us for run in runs):.0f}"
        if postgres := median(run.postgres_us for run in runs):
            parts += f" + {postgres:.0f}"
        return f"{parts} us"

    cost, peer = median(run.cpu_us for run in ours), median(run.cpu_us for run in peers)
    return Figure(name, told(ours), told(peers), peer / cost, must)
