"""A catalog that answers the notifier's one question, as the real one does: only to a signed service."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from services.notifier.models import Contact
from shared.web.identity import Role, identity_middleware, require
from shared.web.server import new_app, serving

KEY = "k" * 32


@dataclass
class Catalog:
    """Who there is, by audience (`admins`, or a vendor's id), and what was asked. `status` other than 200 fails.

    `meanwhile` is called between looking people up and answering.
    """

    people: dict[str, list[Contact]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    status: int = 200
    body: object = None
    meanwhile: Callable[[], None] = lambda: None
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        """Handle `GET /internal/contacts`."""
        require(request, Role.SERVICE)
        assert set(request.query) in ({"audience"}, {"vendor_id"})
        (audience,) = request.query.values()
        self.asked.append(audience)
        items = [
            {"account_id": str(each.account_id), "email": each.email, "name": each.name, "version": each.version}
            for each in self.people.get(audience, [])
        ]
        self.meanwhile()
        return web.json_response(self.body or {"items": items}, status=self.status)


@asynccontextmanager
async def running(catalog: Catalog) -> AsyncIterator[Catalog]:
    """Serve it on the loopback; `catalog.url` then tells where."""
    app = new_app(middlewares=[identity_middleware(service="catalog", key=KEY)])
    app.router.add_get("/internal/contacts", catalog.answer)
    async with serving(app, host="127.0.0.1", port=0, grace_seconds=1) as port:
        catalog.url = f"http://127.0.0.1:{port}"
        yield catalog
