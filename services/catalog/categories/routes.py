"""HTTP edge of categories."""

from aiohttp import web

from services.catalog.answers import answer
from services.catalog.categories import store
from shared.db.pool import Pool, connection


def routes(pool: Pool) -> list[web.RouteDef]:
    """GET /api/categories."""

    async def list_categories(_: web.Request) -> web.Response:
        async with connection(pool) as conn:
            categories = await store.categories(conn)
        return answer({"items": categories, "next": None}, headers={"Cache-Control": "public, max-age=60"})

    return [web.get("/api/categories", list_categories)]
