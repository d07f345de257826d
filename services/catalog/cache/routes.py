"""The addresses of the caches."""

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.answers import answer
from services.catalog.cache import store
from services.catalog.cache.replica import CacheReplica
from services.catalog.cache.schemas import ClearBody, caches_shape, clearing_shape
from services.catalog.cache_clearing import CacheClearing
from shared.db.pool import Pool, connection
from shared.web.bodies import read_body

WAIT_SECONDS: Final = 6.0
"""Longer than a replica takes that has to find the request at its next report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRoutes:
    """What administrators see of the caches and do with them."""

    pool: Pool
    replica: CacheReplica
    clearing: CacheClearing

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [web.get("/api/admin/cache", self.show), web.post("/api/admin/cache/clear", self.clear)]

    async def show(self, _: web.Request) -> web.Response:
        """`GET /api/admin/cache`: this replica as it is now, the others as they last reported."""
        await self.replica.run_once()
        async with connection(self.pool) as conn:
            replicas = await store.replicas(conn)
        return answer(caches_shape(replicas, self.replica.id))

    async def clear(self, request: web.Request) -> web.Response:
        """`POST /api/admin/cache/clear`: what each replica did, and who did not answer in time."""
        body = await read_body(request, ClearBody) if request.can_read_body else ClearBody()
        asked = await self.clearing.ask(body.mode, actor=actor_of(request))
        await self.replica.run_once()
        return answer(clearing_shape(await self.clearing.outcome(asked, wait_seconds=WAIT_SECONDS)))
