"""The bare library that the gateway is measured against: `python -m tests.bench.bare PORT FILE DATABASE_URL`.

aiohttp with one middleware, asyncpg with the catalog's statements or plainer ones, and nothing else: no access table,
no validation, no cache, no log line. FILE holds the bytes of answers by path.
"""

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uvloop
from aiohttp import web
from aiohttp.typedefs import Handler

from services.catalog import audit
from services.catalog.inventory.store import OPEN
from services.catalog.products.store import SHOWN_BY_IDS
from shared.db.outbox import Outbox
from shared.db.pool import open_pool
from shared.ids import new_id

POOL_SIZE = 16
SHOWN_BY_ID = SHOWN_BY_IDS.replace("= ANY($1::uuid[])", "= $1")
INSERT = """
    INSERT INTO catalog.products
        (id, vendor_id, sku, slug, title, description, price_minor, currency, category, attributes, status, submissions)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""


@web.middleware
async def one_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """As small as one can be."""
    return await handler(request)


def static(body: bytes, etag: str) -> Handler:
    """The same bytes for everybody, or 304."""

    async def handler(request: web.Request) -> web.Response:
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=body, headers={"ETag": etag, "Content-Type": "application/json"})

    return handler


def shown(pool: "asyncpg.Pool[asyncpg.Record]") -> Handler:
    """One product, by the catalog's query."""

    async def handler(request: web.Request) -> web.Response:
        row = await pool.fetchrow(SHOWN_BY_ID, UUID(request.match_info["id"]))
        body = orjson.dumps(dict(row or {}), default=str)
        return web.Response(body=body, headers={"Content-Type": "application/json"})

    return handler


def create(pool: "asyncpg.Pool[asyncpg.Record]", vendor_id: UUID, account_id: UUID) -> Handler:
    """The rows of a new product in one transaction, one statement for each table."""
    insert_events = Outbox("catalog")._insert

    async def handler(request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json(loads=orjson.loads)
        product_id, price = new_id(), body["price"]
        told = json.dumps(body)
        async with pool.acquire() as conn, conn.transaction():
            await conn.execute(
                *(INSERT, product_id, vendor_id, body["sku"], f"p-{product_id}", body["title"], body["description"]),
                *(price["amount_minor"], price["currency"], body["category"], {}, "pending", 1),
            )
            await conn.execute(OPEN, product_id, body["on_hand"], account_id)
            await conn.execute(
                insert_events, [new_id(), new_id()], ["product.submitted", "stock.changed"], [told, told]
            )
            line = (account_id, "vendor", "product.created", "product", str(product_id), {"sku": body["sku"]}, "bench")
            await conn.executemany(audit.RECORD, [(new_id(), *line), (new_id(), *line)])
        return web.Response(status=201, body=orjson.dumps({"id": str(product_id), **body}))

    return handler


async def main(port: int, told: dict[str, Any], database_url: str) -> None:
    """Serve until killed."""
    async with open_pool(database_url, name="bare", max_size=POOL_SIZE) as pool:
        app = web.Application(middlewares=[one_middleware])
        for path, answer in told["answers"].items():
            app.router.add_get(path, static(base64.b64decode(answer["body"]), answer["etag"]))
        app.router.add_get("/db/products/{id}", shown(pool))
        app.router.add_post("/db/products", create(pool, UUID(told["vendor_id"]), UUID(told["account_id"])))
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), sys.argv[3]))
