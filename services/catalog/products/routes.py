"""The addresses of products: a vendor's own, and the catalogue that everybody reads."""

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.addresses import parsed_id
from services.catalog.answers import answer, answer_page, answer_unless_known, uuid_in_path
from services.catalog.cache.caches import Caches
from services.catalog.cache.floors import Rows
from services.catalog.cache.models import (
    ABSENT,
    SHOWN,
    Answer,
    Loaded,
    body_etag,
    product_row,
    slug_row,
    stock_row,
    stocks_row,
    vendor_row,
)
from services.catalog.cache.responses import PublicRead, respond
from services.catalog.idempotency import REPLAYED, once_key
from services.catalog.models import is_slug
from services.catalog.products.errors import ProductNotFound
from services.catalog.products.models import Product
from services.catalog.products.schemas import (
    CatalogueQuery,
    ChangesBody,
    OfferBody,
    VendorListQuery,
    product_for_all,
    product_for_vendor,
    timeline_entry,
)
from services.catalog.products.shown import ShownProducts
from services.catalog.products.usecases import Products
from services.catalog.versions import expected_version
from shared.encoding import to_json
from shared.ids import TOP
from shared.web.bodies import read_body, read_query
from shared.web.identity import IDENTITY
from shared.web.paging import PageQuery, position_in


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRoutes:
    """A vendor's own products, and the catalogue that everybody reads."""

    products: Products
    shown: ShownProducts
    caches: Caches

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.post("/api/vendor/products", self.create),
            web.get("/api/vendor/products", self.list_own),
            web.get("/api/vendor/products/{id}", self.show_own),
            web.patch("/api/vendor/products/{id}", self.change),
            web.delete("/api/vendor/products/{id}", self.delete),
            web.post("/api/vendor/products/{id}/submit", self.submit),
            web.post("/api/vendor/products/{id}/withdraw", self.withdraw),
            web.post("/api/vendor/products/{id}/archive", self.archive),
            web.get("/api/vendor/products/{id}/timeline", self.timeline),
            web.get("/api/admin/products/{id}/timeline", self.timeline),
            web.get("/api/products", self.catalogue),
            web.get("/api/products/{id}", self.show),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """`POST /api/vendor/products`: 201 with the product and the address of its jobs."""
        body = await read_body(request, OfferBody)
        actor = actor_of(request)
        once = await once_key(request, request[IDENTITY].account_id)
        made = await self.products.create(actor, body.offer(), once=once)
        self.caches.forget(stocks_row(made.product.vendor.id))  # a draft without stock is told to nobody
        return answer(
            product_for_vendor(made.product),
            status=201,
            etag=made.product.etag,
            headers={"Location": f"/api/vendor/products/{made.product.id}", **({} if made.is_new else REPLAYED)},
        )

    async def list_own(self, request: web.Request) -> web.Response:
        """`GET /api/vendor/products`."""
        query = read_query(request, VendorListQuery)
        found = await self.products.of_vendor(
            _vendor_id(request), status=query.status, below=_id_behind(request, query), limit=query.limit + 1
        )
        return answer_page(request, query, found, shape=product_for_vendor, position=_id_of)

    async def show_own(self, request: web.Request) -> web.Response:
        """`GET /api/vendor/products/{id}`."""
        product = await self.products.one(uuid_in_path(request), vendor_id=_vendor_id(request))
        return answer_unless_known(request, product_for_vendor(product), etag=product.etag)

    async def change(self, request: web.Request) -> web.Response:
        """`PATCH /api/vendor/products/{id}`, with `If-Match`."""
        version = expected_version(request)
        body = await read_body(request, ChangesBody)
        products = self.products
        product = await products.change(actor_of(request), uuid_in_path(request), body.changes(), version=version)
        return answer(product_for_vendor(product), etag=product.etag)

    async def delete(self, request: web.Request) -> web.Response:
        """`DELETE /api/vendor/products/{id}`: archives it; orders and reports still know it."""
        await self.products.archive(actor_of(request), uuid_in_path(request))
        return web.Response(status=204)

    async def submit(self, request: web.Request) -> web.Response:
        """`POST /api/vendor/products/{id}/submit`."""
        product = await self.products.submit(actor_of(request), uuid_in_path(request))
        return answer(product_for_vendor(product), etag=product.etag)

    async def withdraw(self, request: web.Request) -> web.Response:
        """`POST /api/vendor/products/{id}/withdraw`."""
        product = await self.products.withdraw(actor_of(request), uuid_in_path(request))
        return answer(product_for_vendor(product), etag=product.etag)

    async def archive(self, request: web.Request) -> web.Response:
        """`POST /api/vendor/products/{id}/archive`."""
        product = await self.products.archive(actor_of(request), uuid_in_path(request))
        return answer(product_for_vendor(product), etag=product.etag)

    async def timeline(self, request: web.Request) -> web.Response:
        """`GET /api/vendor/products/{id}/timeline` and the same for admins."""
        query = read_query(request, PageQuery)
        entries = await self.products.timeline(
            uuid_in_path(request),
            vendor_id=request[IDENTITY].vendor_id,
            below=_id_behind(request, query) or TOP,
            limit=query.limit + 1,
        )
        return answer_page(request, query, entries, shape=timeline_entry, position=lambda entry: [str(entry.id)])

    async def catalogue(self, request: web.Request) -> web.Response:
        """`GET /api/products`."""
        key, lists = request.raw_path, self.caches.lists
        found = lists.known(key) or await lists.read(key, partial(self._load_catalogue, request))
        assert found is not None, "a list may be empty but is always there"
        return respond(request, found)

    async def _load_catalogue(self, request: web.Request) -> Loaded:
        page = await self._catalogue_page(request)
        assert isinstance(page.body, bytes)
        return Loaded(Answer(page.body, body_etag(page.body), page.headers.get("Link")), {SHOWN: None})

    async def _catalogue_page(self, request: web.Request) -> web.Response:
        query = read_query(request, CatalogueQuery)
        products, limit = self.products, query.limit + 1
        if query.sort == "newest":
            found = await products.newest(query.wanted(), below=_id_behind(request, query), limit=limit)
            return answer_page(request, query, found, shape=product_for_all, position=_id_of)
        found = await products.by_price(
            query.wanted(), dearest_first=query.sort == "-price", behind=_price_behind(request, query), limit=limit
        )
        return answer_page(
            request, query, found, shape=product_for_all, position=lambda one: [one.price.amount_minor, str(one.id)]
        )

    async def show(self, request: web.Request) -> web.Response:
        """`GET /api/products/{id}`, by id or slug."""
        return await self.public.answer(request, request.match_info["id"])

    @property
    def public(self) -> PublicRead:
        """How everybody reads one."""
        return PublicRead("/api/products", self.caches.product, self._load_shown, ProductNotFound.any)

    async def _load_shown(self, key: str) -> Loaded:
        id_or_slug = _id_or_slug(key)
        try:
            product = await self.shown.one(id_or_slug)
        except ProductNotFound:
            row = product_row(id_or_slug) if isinstance(id_or_slug, UUID) else slug_row(id_or_slug)
            return Loaded(None, {row: None, ABSENT: None})
        rows: Rows = {
            product_row(product.id): product.version,
            stock_row(product.id): product.stock_version,
            vendor_row(product.vendor.id): product.vendor.version,
        }
        return Loaded(Answer(to_json(product_for_all(product)), f'"{product.etag}"'), rows)


def _vendor_id(request: web.Request) -> UUID:
    vendor_id = request[IDENTITY].vendor_id
    assert vendor_id is not None, "the access table lets only vendors in here"
    return vendor_id


def _id_of(product: Product) -> list[str | int]:
    return [str(product.id)]


def _id_behind(request: web.Request, query: PageQuery) -> UUID | None:
    position = position_in(request, query)
    return None if position is None else UUID(str(position[0]))


def _price_behind(request: web.Request, query: PageQuery) -> tuple[int, UUID] | None:
    position = position_in(request, query)
    return None if position is None else (int(position[0]), UUID(str(position[1])))


def _id_or_slug(key: str) -> UUID | str:
    """What a path names. Raises `ProductNotFound` for what can be neither."""
    identifier = parsed_id(key)
    if identifier is None and not is_slug(key):
        raise ProductNotFound.any()
    return identifier or key
