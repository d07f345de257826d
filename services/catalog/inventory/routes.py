"""The addresses of stock."""

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.addresses import AN_ID
from services.catalog.answers import answer, answer_page, uuid_in_path
from services.catalog.cache.caches import Caches
from services.catalog.cache.models import (
    Answer,
    Loaded,
    body_etag,
    product_row,
    stock_row,
    stocks_row,
    vendor_row,
)
from services.catalog.cache.responses import respond
from services.catalog.idempotency import REPLAYED, once_key
from services.catalog.inventory.models import MovementKind
from services.catalog.inventory.schemas import (
    AdjustBody,
    LevelBody,
    LevelsQuery,
    MarketplaceThresholdBody,
    ThresholdBody,
    adjusted_shape,
    defaults_shape,
    level_shape,
    movement_shape,
)
from services.catalog.inventory.usecases import Inventory
from shared.encoding import to_json
from shared.web.bodies import read_body, read_query
from shared.web.identity import IDENTITY
from shared.web.paging import PageQuery, position_in


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryRoutes:
    """A vendor's stock."""

    inventory: Inventory
    caches: Caches

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.get("/api/vendor/inventory", self.list_levels),
            web.post("/api/vendor/inventory/adjust", self.adjust),
            web.get(f"/api/vendor/inventory/{{product_id:{AN_ID}}}", self.show_level),
            web.put(f"/api/vendor/inventory/{{product_id:{AN_ID}}}", self.set_level),
            web.put("/api/vendor/inventory/{product_id}/threshold", self.set_threshold),
            web.get("/api/vendor/inventory/{product_id}/movements", self.list_movements),
            web.get("/api/vendor/inventory-defaults", self.show_defaults),
            web.put("/api/vendor/inventory-defaults", self.set_default),
            web.get("/api/admin/inventory-defaults", self.show_marketplace_default),
            web.put("/api/admin/inventory-defaults", self.set_marketplace_default),
        ]

    async def list_levels(self, request: web.Request) -> web.Response:
        """`GET /api/vendor/inventory`."""
        vendor_id, cache = _vendor_id(request), self.caches.inventory
        key = f"{vendor_id}{request.raw_path}"
        found = cache.known(key) or await cache.read(key, partial(self._load_levels, request))
        assert found is not None, "a list may be empty but is always there"
        return respond(request, found)

    async def _load_levels(self, request: web.Request) -> Loaded:
        page = await self._levels_page(request)
        assert isinstance(page.body, bytes)
        answered = Answer(page.body, body_etag(page.body), page.headers.get("Link"))
        return Loaded(answered, {stocks_row(_vendor_id(request)): None})

    async def _levels_page(self, request: web.Request) -> web.Response:
        query = read_query(request, LevelsQuery)
        position = position_in(request, query)
        found = await self.inventory.levels(
            _vendor_id(request),
            below=None if position is None else UUID(str(position[0])),
            limit=query.limit + 1,
            only_low=query.low,
        )
        return answer_page(request, query, found, shape=level_shape, position=lambda one: [str(one.product_id)])

    async def show_level(self, request: web.Request) -> web.Response:
        """`GET /api/vendor/inventory/{product_id}`."""
        vendor_id, product_id, cache = _vendor_id(request), uuid_in_path(request, "product_id"), self.caches.inventory
        key = f"{vendor_id}/{product_id}"
        found = cache.known(key) or await cache.read(key, partial(self._load_level, vendor_id, product_id))
        assert found is not None, "what is not there is raised, not kept"
        return respond(request, found)

    async def _load_level(self, vendor_id: UUID, product_id: UUID) -> Loaded:
        level = await self.inventory.level(vendor_id, product_id)
        rows = {
            product_row(product_id): level.product_version,
            stock_row(product_id): level.version,
            vendor_row(vendor_id): level.vendor_version,
        }
        return Loaded(Answer(to_json(level_shape(level)), f'"{level.etag}"'), rows)

    async def set_level(self, request: web.Request) -> web.Response:
        """`PUT /api/vendor/inventory/{product_id}`."""
        body = await read_body(request, LevelBody)
        level = await self.inventory.set_level(
            actor_of(request),
            uuid_in_path(request, "product_id"),
            on_hand=body.on_hand,
            expected_on_hand=body.expected_on_hand,
        )
        return answer(level_shape(level))

    async def adjust(self, request: web.Request) -> web.Response:
        """`POST /api/vendor/inventory/adjust`: up to 250 lines, all or nothing, or each for itself."""
        body, actor = await read_body(request, AdjustBody), actor_of(request)
        assert actor.account_id is not None, "somebody is signed in"
        adjusted = await self.inventory.adjust(
            actor,
            {line.product_id: line.delta for line in body.lines},
            kind=MovementKind(body.kind),
            note=body.note,
            is_each=body.mode == "each",
            once=await once_key(request, actor.account_id),
        )
        shown = {"items": [adjusted_shape(line) for line in adjusted.lines], "next": None}
        return answer(shown, headers={} if adjusted.is_new else REPLAYED)

    async def show_defaults(self, request: web.Request) -> web.Response:
        """`GET /api/vendor/inventory-defaults`."""
        return answer(defaults_shape(await self.inventory.defaults(_vendor_id(request))))

    async def set_default(self, request: web.Request) -> web.Response:
        """`PUT /api/vendor/inventory-defaults`."""
        body = await read_body(request, ThresholdBody)
        return answer(defaults_shape(await self.inventory.set_vendor_default(actor_of(request), body.threshold)))

    async def show_marketplace_default(self, _: web.Request) -> web.Response:
        """`GET /api/admin/inventory-defaults`."""
        return answer({"threshold": await self.inventory.marketplace_default()})

    async def set_marketplace_default(self, request: web.Request) -> web.Response:
        """`PUT /api/admin/inventory-defaults`."""
        body = await read_body(request, MarketplaceThresholdBody)
        threshold = await self.inventory.set_marketplace_default(actor_of(request), body.threshold)
        return answer({"threshold": threshold})

    async def set_threshold(self, request: web.Request) -> web.Response:
        """`PUT /api/vendor/inventory/{product_id}/threshold`."""
        body = await read_body(request, ThresholdBody)
        product_id = uuid_in_path(request, "product_id")
        level = await self.inventory.set_threshold(actor_of(request), product_id, threshold=body.threshold)
        return answer(level_shape(level))

    async def list_movements(self, request: web.Request) -> web.Response:
        """`GET /api/vendor/inventory/{product_id}/movements`."""
        query = read_query(request, PageQuery)
        position = position_in(request, query)
        found = await self.inventory.movements(
            _vendor_id(request),
            uuid_in_path(request, "product_id"),
            below=None if position is None else int(position[0]),
            limit=query.limit + 1,
        )
        return answer_page(request, query, found, shape=movement_shape, position=lambda one: [one.version])


def _vendor_id(request: web.Request) -> UUID:
    vendor_id = request[IDENTITY].vendor_id
    assert vendor_id is not None, "the access table lets only vendors in here"
    return vendor_id
