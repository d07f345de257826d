"""The addresses of stock."""

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.answers import PageQuery, answer, answer_page, position_in, uuid_in_path
from services.catalog.cache.caches import Caches
from services.catalog.cache.models import Answer, Loaded, product_row, stock_row
from services.catalog.cache.responses import respond
from services.catalog.inventory.schemas import (
    AdjustBody,
    LevelBody,
    LevelsQuery,
    ThresholdBody,
    level_shape,
    movement_shape,
)
from services.catalog.inventory.usecases import Inventory
from shared.encoding import to_json
from shared.web.bodies import read_body, read_query
from shared.web.identity import IDENTITY


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
            web.get("/api/vendor/inventory/{product_id}", self.show_level),
            web.put("/api/vendor/inventory/{product_id}", self.set_level),
            web.put("/api/vendor/inventory/{product_id}/threshold", self.set_threshold),
            web.get("/api/vendor/inventory/{product_id}/movements", self.list_movements),
        ]

    async def list_levels(self, request: web.Request) -> web.Response:
        """`GET /api/vendor/inventory`."""
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
        rows = {product_row(product_id): level.product_version, stock_row(product_id): level.version}
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
        """`POST /api/vendor/inventory/adjust`: up to 250 lines, all or nothing."""
        body = await read_body(request, AdjustBody)
        deltas = {line.product_id: line.delta for line in body.lines}
        levels = await self.inventory.adjust(actor_of(request), deltas, note=body.note)
        return answer({"items": [level_shape(level) for level in levels]})

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
