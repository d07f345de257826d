"""What is refused when the gateway falls behind, the least needed first: 503, so that the rest is answered in time."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import Counter

from services.catalog.limits.costs import cost_of
from services.catalog.limits.models import Cost
from services.catalog.limits.pressure import Pressure
from shared.errors import Unavailable
from shared.web.problems import Handler
from shared.web.server import FromMemory


class Rank(StrEnum):
    """How long something is still done, the longest first. Health has a port of its own and is never refused."""

    ADMIN = "admin"
    WRITE = "write"
    READ = "read"
    SEARCH = "search"
    REPORT = "report"


PATIENCE_SECONDS: Final[Mapping[Rank, float]] = MappingProxyType(
    {Rank.ADMIN: 8.0, Rank.WRITE: 4.0, Rank.READ: 2.5, Rank.SEARCH: 1.5, Rank.REPORT: 1.0}
)
"""So far behind, in seconds, a rank is refused."""
SHED: Final = Counter("souk_shed_total", "Requests refused because the gateway had fallen behind, by rank.", ["rank"])
_ADMIN_ROUTES: Final = ("/api/admin/", "/admin", "/internal/")
_RANKS: Final = {Cost.REPORT: Rank.REPORT, Cost.SEARCH: Rank.SEARCH, Cost.READ: Rank.READ}


class FallenBehind(Unavailable):
    """The gateway has more to do than it can; the same request may succeed after `Retry-After`."""

    code = "overloaded"


def shedding_middleware(pressure: Pressure, *, in_need: FromMemory) -> Middleware:
    """Outside of all that costs something. Where `in_need` has an answer, though an old one, that is given instead."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        behind = pressure.behind_seconds
        if behind < PATIENCE_SECONDS[Rank.REPORT]:
            return await handler(request)
        resource = request.match_info.route.resource
        rank = rank_of(request.method, "" if resource is None else resource.canonical)
        if behind < PATIENCE_SECONDS[rank]:
            return await handler(request)
        SHED.labels(rank.value).inc()
        if (answer := in_need(request)) is not None:
            return answer
        raise FallenBehind("There is more to do than can be done now.", retry_after_seconds=max(1.0, behind))

    return middleware


def rank_of(method: str, route: str) -> Rank:
    """What a route, by its template, is to us in need."""
    cost = cost_of(method, route)
    if cost is not Cost.REPORT and route.startswith(_ADMIN_ROUTES):
        return Rank.ADMIN
    return _RANKS.get(cost, Rank.WRITE)
