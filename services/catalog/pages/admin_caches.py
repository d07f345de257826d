"""`/admin/caches`: what the caches of every gateway hold and do, and clearing them."""

from dataclasses import dataclass
from typing import Final, get_args

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.cache import store
from services.catalog.cache.models import Mode
from services.catalog.cache.replica import CacheReplica
from services.catalog.cache.routes import WAIT_SECONDS
from services.catalog.cache.schemas import summed
from services.catalog.cache_clearing import CacheClearing
from services.catalog.pages.forms import read_form
from services.catalog.pages.view import View, done
from services.catalog.pages.wording import counted
from shared.db.pool import Pool, connection
from shared.web.identity import IDENTITY, Role

HERE: Final = "/admin/caches"
MODES: Final[tuple[Mode, ...]] = get_args(Mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminCaches:
    """Operators look; admins clear."""

    view: View
    replica: CacheReplica
    clearing: CacheClearing
    pool: Pool

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [web.get(HERE, self.show), web.post(f"{HERE}/clear", self.clear)]

    async def show(self, request: web.Request) -> web.Response:
        """This gateway as it is now, the others as they last reported."""
        await self.replica.run_once()
        async with connection(self.pool) as conn:
            replicas = await store.replicas(conn)
        return await self.view.page(
            request,
            "admin/caches.html.jinja",
            replicas=replicas,
            caches=summed(replicas),
            own=self.replica.id,
            may_clear=request[IDENTITY].role is Role.ADMIN,
        )

    async def clear(self, request: web.Request) -> web.StreamResponse:
        """Have all gateways do it, and say who did not answer in time."""
        given = (await read_form(request)).get("mode", "")
        mode = next((one for one in MODES if one == given), None)
        if mode is None:
            return done(HERE, "Choose what to clear.", tone="warn")
        asked = await self.clearing.ask(mode, actor=actor_of(request))
        await self.replica.run_once()
        outcome = await self.clearing.outcome(asked, wait_seconds=WAIT_SECONDS)
        said = f"{counted(outcome.total, 'entry', 'entries')} removed by {counted(outcome.answered, 'gateway')}."
        if outcome.missing:
            return done(HERE, f"{said} No answer from {', '.join(outcome.missing)}.", tone="warn")
        return done(HERE, said)
