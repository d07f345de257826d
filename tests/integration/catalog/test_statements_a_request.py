"""How often the database is asked for one request: never for what is known, at most twice for what is not."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aiohttp import ClientSession

from services.catalog.gateway import open_app, open_caches
from services.catalog.products import store
from services.catalog.products.errors import ProductNotFound
from services.catalog.products.models import Product
from services.catalog.products.shown import ShownProducts
from services.catalog.settings import GatewaySettings
from shared.db.pool import Pool
from shared.ids import new_id
from shared.web.server import serving
from tests.bench.shop import FILL
from tests.factories import make_approved
from tests.integration.catalog.conftest import Client, Gateway
from tests.servers import Database


class AlwaysLive:
    """Every change is heard of."""

    is_live = True


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What asyncpg was given to execute with arguments, by anybody of this process."""
    heard: list[str] = []
    execute = asyncpg.Connection._execute  # type: ignore[attr-defined]

    def counting(self: Any, query: str, *arguments: Any, **options: Any) -> Any:
        heard.append(query)
        return execute(self, query, *arguments, **options)

    monkeypatch.setattr(asyncpg.Connection, "_execute", counting)
    return heard


async def test_a_known_answer_asks_nothing_and_another_at_most_twice(
    gateway_settings: GatewaySettings, pool: Pool, vendor: Client, admin: Client, statements: list[str]
) -> None:
    product = await make_approved(vendor, admin)
    async with (
        open_app(gateway_settings, pool, caches=open_caches(pool, liveness=AlwaysLive())) as app,
        serving(app, host="127.0.0.1", port=0, grace_seconds=0.5) as port,
        ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        for path in (f"/api/products/{product['id']}", f"/api/products/{product['slug']}", "/api/products"):
            counts = []
            for _ in range(3):
                statements.clear()
                async with client.get(path) as answer:
                    assert answer.status == 200
                counts.append(len(statements))
            assert 1 <= counts[0] <= 2
            assert counts[1:] == [0, 0]


async def test_products_that_are_asked_for_at_once_are_read_at_once(
    pool: Pool, vendor: Client, admin: Client, statements: list[str]
) -> None:
    made = [await make_approved(vendor, admin, sku=f"SKU-{number}") for number in range(4)]
    shown = ShownProducts(pool)
    statements.clear()
    by_id = await asyncio.gather(*(shown.one(UUID(product["id"])) for product in made))
    assert [product.sku for product in by_id] == [product["sku"] for product in made]
    assert statements == [store.SHOWN_BY_IDS]
    statements.clear()
    by_slug = await asyncio.gather(*(shown.one(product["slug"]) for product in made))
    assert by_slug == by_id
    assert statements == [store.SHOWN_BY_SLUGS]


async def test_what_can_be_no_name_takes_nothing_from_what_is_asked_for_beside_it(
    pool: Pool, vendor: Client, admin: Client
) -> None:
    made = await make_approved(vendor, admin)
    shown = ShownProducts(pool)
    good, *bad = await asyncio.gather(
        shown.one(made["slug"]), *(shown.one(name) for name in ("\x00", "\ud800", "")), return_exceptions=True
    )
    assert isinstance(good, Product)
    assert [type(refused) for refused in bad] == [ProductNotFound] * 3


async def test_few_products_are_read_by_the_plan_for_any(gateway: Gateway, database: Database) -> None:
    planned = "SELECT custom_plans, generic_plans FROM pg_prepared_statements WHERE statement = $1"
    async with gateway.pool.acquire() as conn:
        await conn.execute(FILL, gateway.accounts.vendors[0].vendor_id, 1, 1000)
        await analyzed(database)
        for _ in range(9):
            assert await store.shown_by_ids(conn, [new_id(), new_id()]) == {}
            assert await store.shown_by_slugs(conn, ["no-such-product"]) == {}
        for statement in (store.SHOWN_BY_IDS, store.SHOWN_BY_SLUGS):
            custom, generic = await conn.fetchrow(planned, statement) or (0, 0)
            assert (custom, generic) == (5, 4), "five tries with a plan of its own, then one for all"


async def analyzed(database: Database) -> None:
    """Tell PostgreSQL how much there is, which autovacuum does soon of itself."""
    owner = await asyncpg.connect(database.admin_url)
    try:
        await owner.execute("ANALYZE catalog.products, catalog.vendors, catalog.stock")
    finally:
        await owner.close()
