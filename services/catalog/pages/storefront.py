"""The shop: the home page, the catalogue, a product, a vendor. Everybody gets the same, from the caches."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from aiohttp import web
from pydantic import ValidationError

from services.catalog.addresses import parsed_id
from services.catalog.answers import answer
from services.catalog.cache.caches import Caches
from services.catalog.cache.floors import Rows
from services.catalog.cache.models import ABSENT, SHOWN, Loaded, product_row, slug_row, stock_row, vendor_row
from services.catalog.pages import store, structured
from services.catalog.pages.kept import kept, respond_kept
from services.catalog.pages.paging import Listed, Paging
from services.catalog.pages.shelves import ShelfNames
from services.catalog.pages.shop import SORTS, Chip, ShopQuery, literally
from services.catalog.pages.store import Shelf
from services.catalog.pages.view import View
from services.catalog.pages.wording import money
from services.catalog.products.errors import ProductNotFound
from services.catalog.products.models import Product
from services.catalog.products.shown import ShownProducts
from services.catalog.products.store import Filter
from services.catalog.products.usecases import Products
from services.catalog.vendors.errors import UnknownVendor
from services.catalog.vendors.usecases import Vendors
from shared.db.pool import Pool, connection
from shared.errors import InvalidInput
from shared.web.bodies import pointed

A_PAGE: Final = 48
ON_HOME: Final = 12
BESIDE: Final = 6
SUGGESTED: Final = 8
FEWEST_LETTERS: Final = 3
"""An index of trigrams finds no fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorefrontPages:
    """`/`, `/products`, `/products/{slug}`, `/vendors/{slug}`."""

    view: View
    products: Products
    shown: ShownProducts
    vendors: Vendors
    caches: Caches
    pool: Pool
    shelf_names: ShelfNames

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.get("/", self.home),
            web.get("/products", self.catalogue),
            web.get("/products/suggestions", self.suggestions),
            web.get("/products/{slug}", self.product),
            web.get("/vendors/{slug}", self.vendor),
        ]

    async def home(self, request: web.Request) -> web.Response:
        """`/`: the shelves, and what is new on them."""
        return await self._kept(request, "/", partial(self._load_home, request))

    async def catalogue(self, request: web.Request) -> web.Response:
        """`/products`: 48 a page, searched, filtered and sorted."""
        query = _shop_query(request)
        paging = Paging(request, _filters(request))
        return await self._kept(request, paging.key, partial(self._load_catalogue, request, query, paging))

    async def product(self, request: web.Request) -> web.Response:
        """`/products/{slug}`; by id it leads to the address with the slug. Raises `ProductNotFound`."""
        key = request.match_info["slug"]
        if (product_id := parsed_id(key)) is not None:
            raise web.HTTPMovedPermanently(f"/products/{(await self.shown.one(product_id)).slug}")
        return await self._kept(request, f"/products/{key}", partial(self._load_product, request, key))

    async def vendor(self, request: web.Request) -> web.Response:
        """`/vendors/{slug}`. Raises `UnknownVendor`."""
        slug, paging = request.match_info["slug"], Paging(request, {})
        return await self._kept(request, paging.key, partial(self._load_vendor, request, slug, paging))

    async def suggestions(self, request: web.Request) -> web.Response:
        """`/products/suggestions?q=`: for the letters typed so far."""
        letters = request.query.get("q", "").strip()[:100]
        found: Sequence[store.Suggestion] = ()
        if len(letters) >= FEWEST_LETTERS and "\x00" not in letters:
            async with connection(self.pool) as conn:
                found = await store.suggestions(conn, literally(letters), limit=SUGGESTED)
        items = [{"title": one.title, "detail": money(one.price), "url": f"/products/{one.slug}"} for one in found]
        return answer({"items": items}, headers={"Cache-Control": "public, max-age=30"})

    async def _kept(self, request: web.Request, key: str, load: Callable[[], Awaitable[Loaded]]) -> web.Response:
        pages = self.caches.pages
        page = pages.known(key) or await pages.read(key, load)
        if page is None:
            raise ProductNotFound.any()
        return respond_kept(request, page)

    async def _load_home(self, request: web.Request) -> Loaded:
        newest = await self.products.newest(Filter(), below=None, limit=ON_HOME)
        body = self.view.filled(
            "home.html.jinja",
            path=request.path,
            shelves=[shelf for shelf in await self._shelves(Filter()) if shelf.count],
            newest=newest,
            data=[structured.site(self.view.public_url)],
        )
        return kept(body, {SHOWN: None})

    async def _load_catalogue(self, request: web.Request, query: ShopQuery, paging: Paging) -> Loaded:
        listed = await self._listed(query, paging)
        shelves = await self._shelves(query.wanted(without_category=True))
        body = self.view.filled(
            "products.html.jinja",
            path=request.path,
            query=query,
            typed=_filters(request),
            listed=listed,
            shelves=shelves,
            shelf=next((shelf for shelf in shelves if shelf.slug == query.category), None),
            sorts=SORTS,
            chips=_chips(request, paging, listed, shelves),
            address=paging.address,
            data=[structured.crumbs([("Home", "/"), ("Products", "/products")], self.view.public_url)],
        )
        return kept(body, {SHOWN: None})

    async def _listed(self, query: ShopQuery, paging: Paging) -> Listed[Product]:
        behind, wanted = paging.behind(), query.wanted()
        if query.sort == "newest":
            below = None if behind is None else UUID(str(behind[0]))
            found = await self.products.newest(wanted, below=below, limit=A_PAGE + 1)
            return paging.listed(found, A_PAGE, lambda one: [str(one.id)])
        place = None if behind is None else (int(behind[0]), UUID(str(behind[1])))
        found = await self.products.by_price(
            wanted, dearest_first=query.sort == "-price", behind=place, limit=A_PAGE + 1
        )
        return paging.listed(found, A_PAGE, lambda one: [one.price.amount_minor, str(one.id)])

    async def _load_product(self, request: web.Request, slug: str) -> Loaded:
        try:
            shown = await self.shown.one(slug)
        except ProductNotFound:
            return Loaded(None, {slug_row(slug): None, ABSENT: None})
        beside = await self.products.newest(Filter(vendor=shown.vendor.slug), below=None, limit=BESIDE)
        base = self.view.public_url
        steps = [("Home", "/"), ("Products", "/products"), (shown.title, f"/products/{shown.slug}")]
        body = self.view.filled(
            "product.html.jinja",
            path=request.path,
            product=shown,
            shelf=(await self.shelf_names.all())[shown.category],
            pictures=[picture for picture in shown.pictures if picture.renditions],
            beside=[one for one in beside if one.id != shown.id][: BESIDE - 1],
            feed=f"/api/stream?products={shown.id}",
            preview=structured.preview(shown, base),
            data=[structured.product(shown, base), structured.crumbs(steps, base)],
        )
        rows: Rows = {
            product_row(shown.id): shown.version,
            stock_row(shown.id): shown.stock_version,
            vendor_row(shown.vendor.id): shown.vendor.version,
            SHOWN: None,
        }
        return kept(body, rows)

    async def _load_vendor(self, request: web.Request, slug: str, paging: Paging) -> Loaded:
        try:
            shown = await self.vendors.read_shown(slug)
        except UnknownVendor:
            return Loaded(None, {ABSENT: None})
        behind = paging.behind()
        below = None if behind is None else UUID(str(behind[0]))
        found = await self.products.newest(Filter(vendor=shown.slug), below=below, limit=A_PAGE + 1)
        body = self.view.filled(
            "vendor.html.jinja",
            path=request.path,
            vendor=shown,
            listed=paging.listed(found, A_PAGE, lambda one: [str(one.id)]),
            data=[structured.vendor(shown, self.view.public_url)],
        )
        return kept(body, {vendor_row(shown.id): shown.version, SHOWN: None})

    async def _shelves(self, wanted: Filter) -> Sequence[Shelf]:
        async with connection(self.pool) as conn:
            return await store.shelves(conn, wanted)


def _filters(request: web.Request) -> Mapping[str, str]:
    """The filters as they were typed, without what is empty or not ours."""
    known = ShopQuery.model_fields
    return {name: value.strip() for name, value in request.query.items() if name in known and value.strip()}


def _shop_query(request: web.Request) -> ShopQuery:
    """Raises `InvalidInput` with pointers."""
    try:
        return ShopQuery.model_validate(_filters(request))
    except ValidationError as exc:
        raise InvalidInput(
            "A filter does not fit; begin at all products.", errors=pointed(exc, _filters(request))
        ) from exc


def _chips(request: web.Request, paging: Paging, listed: Listed[Product], shelves: Sequence[Shelf]) -> list[Chip]:
    """The filters that are set, each to be taken away."""
    names = {shelf.slug: shelf.name for shelf in shelves}
    vendor = next((product.vendor.name for product in listed.items), None)
    chips = []
    for name, value in _filters(request).items():
        match name:
            case "q":
                text = f"“{value}”"
            case "category":
                text = names.get(value, value)
            case "vendor":
                text = f"by {vendor or value}"
            case "price_from":
                text = f"from {value}"
            case "price_to":
                text = f"up to {value}"
            case "in_stock":
                text = "In stock"
            case _:
                continue
        chips.append(Chip(text, paging.address(**{name: ""})))
    return chips
