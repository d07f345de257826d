"""A shop's own system says how much there is: one run from a real HTTP server, with what is right and what is not."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from deploy.local.catalogue.goods import GOODS
from deploy.local.demo.people import Person
from deploy.local.demo.stage import Stage, check, words

AT = "/api/vendor/sync-sources"
NAME = "Warehouse"
SHOP = 1
Rows = Sequence[Mapping[str, Any]]


async def bring_in(stage: Stage) -> None:
    """The first run brings the shop's numbers; the second has one changed, one older and one unknown row."""
    vendor = stage.vendors[SHOP]
    await _put_away(vendor)
    chair, lamp = [good.sku for good in GOODS if good.shop == SHOP][:2]
    now = int(time.time() * 1000)
    async with _warehouse(stage.depot_port) as stock:
        source = await vendor.post(
            AT,
            {
                "name": NAME,
                "url": f"http://127.0.0.1:{stage.depot_port}/stock.json",
                "layout": {"version": "version"},
                "credentials": {"value": "Bearer of the warehouse"},
            },
            expect=201,
        )
        check("Bearer" not in str(source), "the credentials of a source are shown")
        stock[:] = [_row(chair, 40, now), _row(lamp, 41, now)]
        await _run(stage, vendor, source)
        stock[:] = [_row(chair, 39, now + 1), _row(lamp, 0, now - 1), _row("NOT-OURS", 7, now + 1)]
        run = await _run(stage, vendor, source)
    seen = {name: run[name] for name in ("changed", "older", "unmatched")}
    check(set(seen.values()) == {1}, f"of a changed, an older and an unknown row came {seen}")
    levels = {sku: await _on_hand(stage, vendor, sku) for sku in (chair, lamp)}
    check(levels == {chair: 39, lamp: 41}, f"the levels are {levels}")
    unknown = ", ".join(run["unmatched_skus"])
    stage.show.fact("stock", f"{chair} 39; {lamp} still 41, for an older row said 0; nobody knows {unknown}")


def _row(sku: str, quantity: int, version: int) -> Mapping[str, Any]:
    return {"sku": sku, "quantity": quantity, "version": version}


@asynccontextmanager
async def _warehouse(port: int) -> AsyncIterator[list[Mapping[str, Any]]]:
    """The shop's system: it answers whoever knows the password with the rows of the list."""
    rows: list[Mapping[str, Any]] = []

    async def stock(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer of the warehouse":
            return web.Response(status=401)
        return web.json_response(rows)

    app = web.Application()
    app.router.add_get("/stock.json", stock)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield rows
    finally:
        await runner.cleanup()


async def _run(stage: Stage, vendor: Person, source: Mapping[str, Any]) -> Mapping[str, Any]:
    asked = await vendor.post(f"{AT}/{source['id']}/run", expect=202)

    async def over() -> Mapping[str, Any] | None:
        run: Mapping[str, Any] = await vendor.get(f"{AT}/{source['id']}/runs/{asked['id']}", quiet=True)
        return run if run["finished_at"] else None

    run = await stage.until("the source's run is over", over)
    check(run["state"] == "completed", f"the run {run['state']}: {run['problem']}")
    counts = {name: run[name] for name in ("rows", "changed", "unchanged", "older", "unmatched", "invalid")}
    stage.show.fact("sync", f"{NAME}: {words(counts)}")
    return run


async def _on_hand(stage: Stage, vendor: Person, sku: str) -> int:
    level = await vendor.get(f"/api/vendor/inventory/{stage.seeded[sku]['id']}", quiet=True)
    return int(level["on_hand"])


async def _put_away(vendor: Person) -> None:
    """Delete what an earlier demo left."""
    for source in (await vendor.get(AT, quiet=True))["items"]:
        if source["name"] == NAME:
            await vendor.delete(f"{AT}/{source['id']}")
