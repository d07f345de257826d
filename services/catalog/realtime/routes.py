"""The addresses of the live feeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from aiohttp import web
from pydantic import Field, StringConstraints

from services.catalog.access import SESSION_COOKIE
from services.catalog.addresses import parsed_id
from services.catalog.realtime.feeds import Feed, LiveFeeds
from services.catalog.realtime.models import EVERYBODY, JOBS, Key, keys_of, product_key
from services.catalog.realtime.wire import opened
from shared.errors import FieldError, InvalidInput
from shared.messaging.stream import Position
from shared.web.bodies import Query, read_query
from shared.web.identity import IDENTITY

MAX_PRODUCTS: Final = 100
"""How many products one page may watch."""


class FeedQuery(Query):
    """Where a feed goes on, for who cannot send `Last-Event-ID`: a page that closed its feed and opens a new one."""

    last_event_id: Annotated[str, StringConstraints(max_length=100)] | None = None


_ID: Final = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_IDS: Final = f"^{_ID}(,{_ID}){{0,{MAX_PRODUCTS - 1}}}$"


class PublicQuery(FeedQuery):
    """`products` names those that are watched, by id, with commas between; without it all changes are told."""

    products: Annotated[str, Field(max_length=40 * MAX_PRODUCTS, json_schema_extra={"pattern": _IDS})] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRoutes:
    """Server-sent events: for everybody, a vendor, the admins, and those who look after the work."""

    feeds: LiveFeeds

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.get("/api/stream", self.public, allow_head=False),
            web.get("/api/vendor/stream", self.own, allow_head=False),
            web.get("/api/admin/stream", self.own, allow_head=False),
            web.get("/api/admin/jobs/stream", self.jobs, allow_head=False),
        ]

    async def public(self, request: web.Request) -> web.StreamResponse:
        """`GET /api/stream`."""
        query = read_query(request, PublicQuery)
        keys = [EVERYBODY] if query.products is None else [product_key(one) for one in _ids(query.products)]
        return await self._follow(request, query, keys)

    async def own(self, request: web.Request) -> web.StreamResponse:
        """`GET /api/vendor/stream` and `GET /api/admin/stream`: all that the caller may hear."""
        return await self._follow(request, read_query(request, FeedQuery), keys_of(request[IDENTITY]))

    async def jobs(self, request: web.Request) -> web.StreamResponse:
        """`GET /api/admin/jobs/stream`."""
        return await self._follow(request, read_query(request, FeedQuery), [JOBS])

    async def _follow(self, request: web.Request, query: FeedQuery, keys: Sequence[Key]) -> web.StreamResponse:
        """Answer until the client is gone, falls behind, is signed out, or this gateway stops."""
        last = Position.parse(request.headers.get("Last-Event-ID") or query.last_event_id or "")
        credential = None
        if IDENTITY in request:
            credential = request.headers.get("Authorization") or request.cookies.get(SESSION_COOKIE)
        response, wire = await opened(request, self.feeds.greeting())
        feed = Feed(keys, wire, credential=credential)
        self.feeds.join(feed, last=last)
        try:
            await feed.ended
        finally:
            self.feeds.leave(feed)
        return response


def _ids(given: str) -> list[UUID]:
    """Raises `InvalidInput` for what is no id, or for too many."""
    found = [parsed_id(text) for text in given.split(",")]
    ids = [one for one in found if one is not None]
    if len(ids) < len(found) or len(ids) > MAX_PRODUCTS:
        wrong = FieldError("/products", "ids", f"up to {MAX_PRODUCTS} ids with commas between")
        raise InvalidInput("The query does not fit; see errors.", errors=[wrong])
    return ids
