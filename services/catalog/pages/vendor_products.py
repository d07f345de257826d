"""A vendor's products: the list, and the editor with pictures and decisions."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from aiohttp import web
from pydantic import JsonValue

from services.catalog.access import actor_of
from services.catalog.answers import uuid_in_path
from services.catalog.cache.caches import Caches
from services.catalog.cache.models import stocks_row
from services.catalog.images.models import ORIGINALS, UPLOAD_PREFIX
from services.catalog.images.uploads import uploaded
from services.catalog.images.usecases import Images
from services.catalog.pages import store
from services.catalog.pages.callers import vendor_of
from services.catalog.pages.comparing import all_pictures, listed
from services.catalog.pages.forms import Form, amount, fitted, read_form, whole_number
from services.catalog.pages.history import explained
from services.catalog.pages.paging import Paging
from services.catalog.pages.shelves import ShelfNames
from services.catalog.pages.view import View, done
from services.catalog.pages.wording import decimal
from services.catalog.products.models import CONTENT_OPEN, MAX_PICTURES, PICTURES_OPEN, Product, Status
from services.catalog.products.schemas import ChangesBody, OfferBody
from services.catalog.products.usecases import PRICE_OPEN, Products
from shared.blobs import Blobs, digest_key
from shared.db.pool import Pool, connection
from shared.errors import Conflict, FieldError, InvalidInput, Stale
from shared.ids import TOP

A_PAGE: Final = 24
CURRENCIES: Final = ("EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "PLN", "JPY")
LATEST: Final = 30
"""Lines of the history beside the editor."""
REFUSED: Final = (InvalidInput, Conflict, Stale)
"""What the person at the form can put right: it is shown again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorProducts:
    """`/vendor/products` and below."""

    view: View
    products: Products
    images: Images
    blobs: Blobs
    caches: Caches
    pool: Pool
    shelf_names: ShelfNames

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        one = "/vendor/products/{id}"
        return [
            web.get("/vendor/products", self.list_own),
            web.get("/vendor/products/new", self.ask_new),
            web.post("/vendor/products/new", self.create),
            web.get(one, self.edit),
            web.post(one, self.change),
            web.get(f"{one}/preview", self.preview),
            web.post(f"{one}/submit", self.submit),
            web.post(f"{one}/withdraw", self.withdraw),
            web.post(f"{one}/archive", self.archive),
            web.post(f"{one}/images", self.add_picture),
            web.post(f"{one}/images/{{image_id}}/delete", self.delete_picture),
            web.post(f"{one}/images/{{image_id}}/retry", self.retry_picture),
        ]

    async def list_own(self, request: web.Request) -> web.Response:
        """All, or those of one status, newest first."""
        vendor_id, status = vendor_of(request), _status(request)
        paging = Paging(request, {} if status is None else {"status": status.value})
        behind = paging.behind()
        below = None if behind is None else UUID(str(behind[0]))
        found = await self.products.of_vendor(vendor_id, status=status, below=below, limit=A_PAGE + 1)
        async with connection(self.pool) as conn:
            counts = await store.status_counts(conn, vendor_id)
        return await self.view.page(
            request,
            "vendor/products.html.jinja",
            listed=paging.listed(found, A_PAGE, lambda one: [str(one.id)]),
            status=status,
            counts=counts,
        )

    async def ask_new(self, request: web.Request) -> web.Response:
        """The empty form."""
        return await self._new(request, Form({"currency": CURRENCIES[0], "on_hand": "0"}))

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Make it, and submit it at once if that is the button."""
        form, actor = Form(await read_form(request)), actor_of(request)
        try:
            offer = fitted(OfferBody, _offered(form.values)).offer()
            made = await self.products.create(actor, offer)
        except REFUSED as exc:
            return await self._new(request, form.refused(exc), status=422)
        self.caches.forget(stocks_row(made.product.vendor.id))
        said = "Submitted. You are told as soon as it is decided." if offer.submit else "Saved. Now add pictures."
        return done(_page_of(made.product.id), said)

    async def edit(self, request: web.Request) -> web.Response:
        """The product with its form. Raises `ProductNotFound`."""
        product = await self.products.one(uuid_in_path(request), vendor_id=vendor_of(request))
        return await self._editor(request, product, Form(_shown(product)))

    async def preview(self, request: web.Request) -> web.Response:
        """The product as buyers would see it, with what is proposed. Raises `ProductNotFound`."""
        product = await self.products.one(uuid_in_path(request), vendor_id=vendor_of(request))
        pictures = [one for one in product.proposed_pictures if one.renditions]
        return await self.view.page(
            request,
            "vendor/preview.html.jinja",
            product=_proposed(product),
            pictures=pictures,
            is_waiting_for_pictures=len(pictures) < len(product.proposed_pictures),
            can_submit=product.status in CONTENT_OPEN,
        )

    async def change(self, request: web.Request) -> web.StreamResponse:
        """Save what is different, if nobody saved in between; and submit it, if that is the button."""
        form, actor = Form(await read_form(request)), actor_of(request)
        product = await self.products.one(uuid_in_path(request), vendor_id=vendor_of(request))
        said = "Nothing was different."
        try:
            if changes := _changed(product, form.values):
                version = whole_number(form.values, "version")
                wanted = fitted(ChangesBody, changes).changes()
                after = await self.products.change(actor, product.id, wanted, version=version)
                said = "Sent for approval. Until then it stays as it is." if after.is_change_pending else "Saved."
            if form.values.get("then") == "submit":
                await self.products.submit(actor, product.id)
                said = "Submitted. You are told as soon as it is decided."
        except REFUSED as exc:
            return await self._editor(request, product, form.refused(exc), status=422)
        return done(_page_of(product.id), said)

    async def submit(self, request: web.Request) -> web.StreamResponse:
        """Ask for approval."""
        product_id = uuid_in_path(request)
        said = "Submitted. You are told as soon as it is decided."
        return await _acted(product_id, self.products.submit(actor_of(request), product_id), said)

    async def withdraw(self, request: web.Request) -> web.StreamResponse:
        """Take back what waits for approval."""
        product_id = uuid_in_path(request)
        said = "Taken back. It is a draft again."
        return await _acted(product_id, self.products.withdraw(actor_of(request), product_id), said)

    async def archive(self, request: web.Request) -> web.StreamResponse:
        """Take it away for good."""
        product_id = uuid_in_path(request)
        return await _acted(product_id, self.products.archive(actor_of(request), product_id), "Archived.")

    async def add_picture(self, request: web.Request) -> web.StreamResponse:
        """Keep an upload and ask for its renditions."""
        product_id = uuid_in_path(request)
        await self.products.one(product_id, vendor_id=vendor_of(request))
        return await _acted(product_id, self._add(request, product_id), "Got it. The picture is being prepared.")

    async def delete_picture(self, request: web.Request) -> web.StreamResponse:
        """Take a picture away."""
        product_id, image_id = uuid_in_path(request), uuid_in_path(request, "image_id")
        return await _acted(product_id, self.images.delete(actor_of(request), product_id, image_id), "Taken away.")

    async def retry_picture(self, request: web.Request) -> web.StreamResponse:
        """Ask for the renditions once more."""
        product_id, image_id = uuid_in_path(request), uuid_in_path(request, "image_id")
        return await _acted(product_id, self.images.retry(actor_of(request), product_id, image_id), "Trying again.")

    async def _add(self, request: web.Request, product_id: UUID) -> None:
        async with uploaded(request) as upload:
            key = digest_key(ORIGINALS, upload.sha256, upload.extension)
            await self.blobs.put(key, upload.path)
        await self.images.add(actor_of(request), product_id, source=f"{UPLOAD_PREFIX}{key}", alt=upload.alt)

    async def _new(self, request: web.Request, form: Form, *, status: int = 200) -> web.Response:
        return await self.view.page(
            request,
            "vendor/new_product.html.jinja",
            http_status=status,
            form=form,
            shelves=await self.shelf_names.all(),
            currencies=CURRENCIES,
        )

    async def _editor(self, request: web.Request, product: Product, form: Form, *, status: int = 200) -> web.Response:
        history = await self.products.timeline(product.id, vendor_id=product.vendor.id, below=TOP, limit=LATEST)
        return await self.view.page(
            request,
            "vendor/product.html.jinja",
            http_status=status,
            product=product,
            form=form,
            history=history,
            reasons=explained(product.reasons),
            refusal=explained(() if product.proposed is None else product.proposed.reasons),
            shelves=await self.shelf_names.all(),
            currencies=sorted({*CURRENCIES, product.price.currency}),
            can_submit=product.status in CONTENT_OPEN,
            can_change_content=product.status in CONTENT_OPEN or product.status is Status.APPROVED,
            can_change_price=product.status in PRICE_OPEN,
            pictures=all_pictures(product),
            can_add_pictures=product.status in PICTURES_OPEN and len(product.proposed_pictures) < MAX_PICTURES,
            can_delete_pictures=product.status in PICTURES_OPEN,
        )


async def _acted(product_id: UUID, act: Awaitable[object], said: str) -> web.StreamResponse:
    """Do it and see the product again, which says what was done, or why not."""
    try:
        await act
    except REFUSED as exc:
        return done(_page_of(product_id), exc.detail, tone="warn")
    return done(_page_of(product_id), said)


def _page_of(product_id: UUID) -> str:
    return f"/vendor/products/{product_id}"


def _status(request: web.Request) -> Status | None:
    """The status asked for; anything else is all of them."""
    given = request.query.get("status", "")
    return Status(given) if given in set(Status) else None


def _offered(values: Mapping[str, str]) -> dict[str, Any]:
    """A new product as the API takes it."""
    currency = values.get("currency", "")
    return {
        "sku": values.get("sku", "").strip(),
        "title": values.get("title", ""),
        "description": values.get("description", ""),
        "price": {"amount_minor": amount(values, "price", currency), "currency": currency},
        "category": values.get("category", ""),
        "on_hand": whole_number(values, "on_hand"),
        "attributes": _attributes(values.get("attributes", "")),
        "submit": values.get("then") == "submit",
    }


def _shown(product: Product) -> dict[str, str]:
    """A product as its form shows it: as it is proposed to be."""
    price = product.price
    content = product.content if product.proposed is None else product.proposed.content
    attributes = product.attributes if content.attributes is None else content.attributes
    return {
        "title": content.title or product.title,
        "description": product.description if content.description is None else content.description,
        "category": content.category or product.category,
        "price": decimal(price.amount_minor, price.currency),
        "currency": price.currency,
        "attributes": listed(attributes),
        "version": str(product.version),
    }


def _proposed(product: Product) -> Product:
    """The product with what is proposed of its content."""
    if product.proposed is None:
        return product
    content = product.proposed.content
    given = {
        name: value
        for name in ("title", "description", "category", "attributes")
        if (value := getattr(content, name)) is not None
    }
    return replace(product, **given)


def _changed(product: Product, values: Mapping[str, str]) -> dict[str, Any]:
    """What was typed over, as the API takes it. A field that the form did not have stays."""
    shown = _shown(product)
    given = {name: values[name].strip() for name in shown if name in values}
    changed: dict[str, Any] = {
        name: given[name]
        for name in ("title", "description", "category")
        if name in given and given[name] != shown[name].strip()
    }
    if "attributes" in given and given["attributes"] != shown["attributes"]:
        changed["attributes"] = _attributes(given["attributes"])
    if "price" in given and (given["price"], given["currency"]) != (shown["price"], shown["currency"]):
        currency = given["currency"]
        changed["price"] = {"amount_minor": amount(given, "price", currency), "currency": currency}
    return changed


def _attributes(text: str) -> dict[str, JsonValue]:
    """`Material: oak`, one a line. Raises `InvalidInput` naming the line that is not so."""
    attributes: dict[str, JsonValue] = {}
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), 1):
        name, separator, value = (part.strip() for part in line.partition(":"))
        if not separator or not name or name in attributes:
            said = f"line {number}: a name of its own, a colon, a value"
            raise InvalidInput("The details do not fit.", errors=[FieldError("/attributes", "line", said)])
        attributes[name] = int(value) if value.isascii() and value.isdigit() and len(value) < 16 else value
    return attributes
