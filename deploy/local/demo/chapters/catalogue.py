"""The marketplace as it is found: 48 products, in the catalogue for everybody."""

import time
from collections.abc import Mapping
from typing import Any

from deploy.local.catalogue.filling import FillingFailed, fill
from deploy.local.catalogue.goods import GOODS
from deploy.local.demo.people import DemoFailed, Person
from deploy.local.demo.stage import SKU_PREFIX, Stage, check


async def open_shops(stage: Stage) -> None:
    """Seed the catalogue, or find it seeded, and look at it."""
    await _put_away(stage.vendor)
    started = time.monotonic()
    try:
        filled = await fill(stage.run, stage.paintings)
    except FillingFailed as failed:
        raise DemoFailed(f"the catalogue is not complete: {failed}") from failed
    stage.seeded = filled.products
    seconds = time.monotonic() - started
    if filled.added:
        done = f"{filled.added} products painted, submitted and approved in {seconds:.1f} s; imaging is at work on them"
    else:
        done = "seeded before; nothing to add"
    stage.show.fact("catalogue", done)
    await _look(stage)
    await _look_again(stage)


async def _look(stage: Stage) -> None:
    page = await stage.visitor.get("/api/products?limit=48")
    check(len(page["items"]) == 48, f"the first page of the catalogue has {len(page['items'])} products instead of 48")
    shown: list[Mapping[str, Any]] = list(page["items"])
    while page["next"] is not None:
        page = await stage.visitor.get(f"/api/products?limit=48&cursor={page['next']}", quiet=True)
        shown += page["items"]
    missing = {good.sku for good in GOODS} - {product["sku"] for product in shown}
    check(not missing, f"the catalogue lacks {', '.join(sorted(missing))}")
    categories = {product["category"] for product in shown}
    shops = {product["vendor"]["name"] for product in shown}
    stage.show.fact(
        "visitor", f"sees {len(shown)} products in {len(categories)} categories, of {', '.join(sorted(shops))}"
    )


async def _look_again(stage: Stage) -> None:
    """What is read again does not come from the database.

    While imaging is at work each new rendition drops what shows it, so that one look may not be enough.
    """
    product = stage.seeded["BB-CLOCK"]
    for what, cache, path, reads in (
        ("the same list", "lists", "/api/products?limit=48", 2),
        (f"“{product['title']}”", "product", f"/api/products/{product['id']}", 10),
    ):

        async def hits(cache: str = cache, path: str = path, reads: int = reads) -> int | None:
            before = await _hits(stage, cache)
            for _ in range(reads):
                await stage.visitor.get(path, quiet=True)
            found = await _hits(stage, cache) - before
            return found if found >= reads - 1 else None

        count = await stage.until(f"{what} comes from the cache", hits)
        stage.show.fact("cache", f"{what}, read {reads} times more: {count} answers came from the cache")


async def _hits(stage: Stage, cache: str) -> int:
    """What all replicas together counted."""
    caches = await stage.admin.get("/api/admin/cache", quiet=True)
    return int(caches["sum"]["caches"][cache]["hits"])


async def _put_away(vendor: Person) -> None:
    """Archive what an earlier demo left, so that the catalogue is what it was."""
    path: str | None = "/api/vendor/products?limit=100"
    while path is not None:
        page = await vendor.get(path, quiet=True)
        for product in page["items"]:
            if product["sku"].startswith(SKU_PREFIX) and product["status"] != "archived":
                own = f"/api/vendor/products/{product['id']}"
                if product["status"] == "pending":
                    await vendor.post(f"{own}/withdraw", quiet=True)
                await vendor.post(f"{own}/archive", quiet=True)
        path = page["next"] and f"/api/vendor/products?limit=100&cursor={page['next']}"
