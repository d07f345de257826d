"""Filling the catalogue of a real gateway on a real database; no broker and nobody behind it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.local.accounts import seed
from deploy.local.catalogue.filling import FillingFailed, fill, pictures_ready
from deploy.local.catalogue.goods import GOODS, SALES
from deploy.local.catalogue.selling import DAYS, sell_history
from deploy.local.run_file import RunFile
from services.catalog.gateway import open_app
from services.catalog.settings import GatewaySettings
from shared.db.pool import open_pool
from shared.web.server import serving
from tests.pictures import photo
from tests.servers import Database

NOBODY_THERE = "http://127.0.0.1:9"
BEHIND = ("jobs", "notifier", "reporting", "scheduler")
KEY = "k" * 40
ROWS = """
    SELECT (SELECT count(*) FROM catalog.products), (SELECT count(*) FROM catalog.images),
           (SELECT count(*) FROM catalog.orders), (SELECT count(*) FROM catalog.outbox)
"""


class Run:
    """A gateway's run file, its database, and where the pictures are kept."""

    def __init__(self, file: RunFile, database: Database, paintings: Path) -> None:
        self.file = file
        self.database = database
        self.paintings = paintings

    async def fill(self) -> int:
        """Fill, and say how many products were new."""
        filled = await fill(self.file, self.paintings)
        assert set(filled.products) == {good.sku for good in GOODS}
        return filled.added

    async def rows(self) -> tuple[int, ...]:
        """Products, pictures, orders and events."""
        async with open_pool(self.database.url("catalog"), name="tests") as pool, pool.acquire() as conn:
            row = await conn.fetchrow(ROWS)
            assert row is not None
            return tuple(row)

    async def ask(self, method: str, path: str, key: str = "", **body: Any) -> Any:
        """One request of the gateway."""
        signed = {"Authorization": f"Bearer {key}"} if key else {}
        url = f"{self.file.gateway}{path}"
        async with aiohttp.ClientSession() as http, http.request(method, url, headers=signed, **body) as response:
            assert response.status < 300, await response.text()
            return await response.json()


@pytest.fixture
async def run(database: Database, tmp_path: Path) -> AsyncIterator[Run]:
    """A gateway with its seeded accounts. The pictures are small, and painted already."""
    paintings = tmp_path / "pictures"
    paintings.mkdir()
    for number in range(len(GOODS)):
        (paintings / f"{number:02}.jpg").write_bytes(photo(number, 64, 48))
    values = {
        "amqp_url": "amqp://guest:guest@127.0.0.1:9/",
        "public_url": "http://127.0.0.1:8080",
        "catalog_database_url": database.url("catalog"),
        "blobs_url": (tmp_path / "blobs").as_uri(),
        "catalog_key": KEY,
        "sync_key": KEY,
        **{f"{service}_url": NOBODY_THERE for service in BEHIND},
        **{f"{service}_key": KEY for service in BEHIND},
    }
    settings = GatewaySettings.model_validate(values)
    secrets = tmp_path / "secrets"
    secrets.mkdir(mode=0o700)
    accounts = await seed(database.url("catalog"), secrets)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(database.url("catalog"), name="tests"))
        app = await stack.enter_async_context(open_app(settings, pool))
        port = await stack.enter_async_context(serving(app, host="127.0.0.1", port=0, grace_seconds=0.5))
        file = RunFile(
            gateway=f"http://127.0.0.1:{port}",
            mailbox=NOBODY_THERE,
            management=None,
            amqp_url="",
            database_url="",
            supervisor=0,
            processes=(),
            accounts=accounts,
        )
        yield Run(file, database, paintings)


async def test_a_second_run_finds_everything_and_adds_nothing(run: Run) -> None:
    assert await run.fill() == 48
    filled = await run.rows()
    assert filled[:3] == (48, 48, len(SALES))
    assert await run.fill() == 0
    assert await run.rows() == filled


async def test_the_catalogue_shows_all_of_them(run: Run) -> None:
    await run.fill()
    page = await run.ask("GET", "/api/products?limit=48")
    assert {product["sku"] for product in page["items"]} == {good.sku for good in GOODS}
    assert {product["sku"] for product in page["items"] if not product["in_stock"]} == {"PL-THEATRE"}
    assert page["next"] is None


async def test_what_somebody_moved_is_brought_back(run: Run) -> None:
    await run.fill()
    admin, vendor = run.file.accounts.admin.api_key, run.file.accounts.vendors[0].api_key
    first, second, third = (await run.ask("GET", "/api/vendor/products?limit=3", vendor))["items"]
    await run.ask("POST", f"/api/admin/products/{first['id']}/suspend", admin)
    await run.ask("POST", f"/api/vendor/products/{second['id']}/archive", vendor)
    counted = {"on_hand": 1, "expected_on_hand": third["on_hand"]}
    await run.ask("PUT", f"/api/vendor/inventory/{third['id']}", vendor, json=counted)
    assert await run.fill() == 1, "the archived one is offered anew"
    shown = (await run.ask("GET", "/api/products?limit=100"))["items"]
    assert {product["sku"] for product in shown} == {good.sku for good in GOODS}
    assert {first["id"], third["id"]} <= {product["id"] for product in shown}
    again = await run.ask("GET", f"/api/vendor/products/{third['id']}", vendor)
    assert again["on_hand"] == 1, "what is there stays as it is"


async def test_an_interrupted_run_is_taken_up_where_it_ended(run: Run) -> None:
    (run.paintings / "05.jpg").unlink()
    (run.paintings / "05.jpg").mkdir()
    with pytest.raises(IsADirectoryError):
        await fill(run.file, run.paintings)
    (run.paintings / "05.jpg").rmdir()
    (run.paintings / "05.jpg").write_bytes(photo(5, 64, 48))
    await run.fill()
    assert (await run.rows())[:3] == (48, 48, len(SALES))


async def test_a_refusal_is_told_with_the_request_and_the_answer(run: Run) -> None:
    vendors = tuple(vendor.model_copy(update={"api_key": "souk_nobody_x"}) for vendor in run.file.accounts.vendors)
    accounts = run.file.accounts.model_copy(update={"vendors": vendors})
    with pytest.raises(FillingFailed, match=r"GET /api/vendor/products\S* answered 401"):
        await fill(run.file.model_copy(update={"accounts": accounts}), run.paintings)


async def test_a_picture_that_failed_is_named(run: Run) -> None:
    await run.fill()
    async with open_pool(run.database.url("catalog"), name="tests") as pool, pool.acquire() as conn:
        await conn.execute("UPDATE catalog.images SET status = 'failed', failure = 'not a picture'")
    with pytest.raises(FillingFailed, match="failed: not a picture"):
        await pictures_ready(run.file)


async def test_two_months_of_orders_are_placed_once_and_leave_stock_as_it_was(run: Run) -> None:
    filled = await fill(run.file, run.paintings)
    before = (await run.rows())[2]
    made = await sell_history(run.file, filled.products)
    assert made > DAYS
    assert (await run.rows())[2] == before + made
    assert await sell_history(run.file, filled.products) == 0
    assert (await run.rows())[2] == before + made
    async with open_pool(run.database.url("catalog"), name="tests") as pool, pool.acquire() as conn:
        cancelled = await conn.fetchval("SELECT count(*) FROM catalog.orders WHERE cancelled_at IS NOT NULL")
    assert 0 < cancelled < made / 4
    sold_out = [
        product for product in (await run.ask("GET", "/api/products?limit=48"))["items"] if not product["in_stock"]
    ]
    assert [product["sku"] for product in sold_out] == ["PL-THEATRE"]
