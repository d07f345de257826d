"""`/admin/products`: products of all vendors, and one with its decision and what is proposed beside what is live."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.addresses import parsed_id
from services.catalog.answers import uuid_in_path
from services.catalog.approval.models import REASON_TEXTS, ReasonCode
from services.catalog.approval.schemas import RejectBody, SuspendBody
from services.catalog.approval.usecases import Approval
from services.catalog.pages.comparing import all_pictures, differences, listed
from services.catalog.pages.forms import Form, fitted, read_form, whole_number
from services.catalog.pages.history import ENDINGS, Told, explained, told
from services.catalog.pages.letters import Letters, Preview
from services.catalog.pages.paging import Paging
from services.catalog.pages.shelves import ShelfNames
from services.catalog.pages.shop import literally
from services.catalog.pages.view import HEADERS, PRIVATE, View, done
from services.catalog.products.models import Product, Status
from services.catalog.products.usecases import Products
from services.catalog.vendors.usecases import Vendors
from shared.clock import utc_now
from shared.contracts.base import Reason
from shared.db.pool import Pool
from shared.errors import Conflict, InvalidInput, NotFound, Stale, Unavailable
from shared.ids import TOP

A_PAGE: Final = 48
LATEST: Final = 30
"""Lines of the history beside the product."""
REASON: Final = "reason-"
NOTE: Final = "note-"
IN_FRAME: Final = {
    **HEADERS,
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox",
    "X-Frame-Options": "SAMEORIGIN",
    "Cache-Control": PRIVATE,
}
"""Of a letter: its styles stand in it, and nothing else of it comes to life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminProducts:
    """Products of all vendors, one by one."""

    view: View
    products: Products
    approval: Approval
    vendors: Vendors
    letters: Letters
    pool: Pool
    shelf_names: ShelfNames

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        one = "/admin/products/{id}"
        return [
            web.get("/admin/products", self.list_all),
            web.get(one, self.show),
            web.post(f"{one}/approve", self.approve),
            web.post(f"{one}/reject", self.reject),
            web.post(f"{one}/letter", self.letter),
            web.post(f"{one}/suspend", self.suspend),
            web.post(f"{one}/reinstate", self.reinstate),
        ]

    async def list_all(self, request: web.Request) -> web.Response:
        """Everybody's, newest first: of a status, of a vendor, with some letters in title or SKU."""
        wanted, vendor_id = request.query.get("q", "").strip()[:100], _vendor(request)
        given = request.query.get("status", "")
        status = Status(given) if given in set(Status) else None
        filters = {"q": wanted, "status": status or "", "vendor": "" if vendor_id is None else str(vendor_id)}
        paging = Paging(request, {name: value for name, value in filters.items() if value})
        behind = paging.behind()
        found = await self.products.of_all(
            status=status,
            vendor_id=vendor_id,
            pattern=f"%{literally(wanted)}%" if wanted else None,
            below=None if behind is None else UUID(str(behind[0])),
            limit=A_PAGE + 1,
        )
        return await self.view.page(
            request,
            "admin/products.html.jinja",
            listed=paging.listed(found, A_PAGE, lambda one: [str(one.id)]),
            status=status,
            wanted=wanted,
            vendor_id=vendor_id,
            vendor=None if vendor_id is None else await self.vendors.read(vendor_id),
            at=paging.address,
        )

    async def show(self, request: web.Request) -> web.Response:
        """The product. Raises `ProductNotFound`."""
        product = await self.products.one(uuid_in_path(request), vendor_id=None)
        return await self._page(request, product, Form())

    async def approve(self, request: web.Request) -> web.StreamResponse:
        """Let what was seen into the catalogue, and go on to the next that waits."""
        values, product_id = await read_form(request), uuid_in_path(request)
        before = await self.products.one(product_id, vendor_id=None)
        try:
            version = whole_number(values, "version")
            product = await self.approval.approve(actor_of(request), product_id, version=version)
        except (Conflict, Stale) as exc:
            return await self._too_late(request, product_id, exc)
        return await self._next(before, f"“{product.title}” is in the catalogue as you saw it.")

    async def reject(self, request: web.Request) -> web.StreamResponse:
        """Send what was seen back with reasons, and go on to the next that waits."""
        form, product_id = Form(await read_form(request)), uuid_in_path(request)
        before = await self.products.one(product_id, vendor_id=None)
        try:
            version, reasons = whole_number(form.values, "version"), reasons_in(form.values)
            product = await self.approval.reject(actor_of(request), product_id, reasons, version=version)
        except InvalidInput as exc:
            return await self._page(request, before, form.refused(exc), status=422)
        except (Conflict, Stale) as exc:
            return await self._too_late(request, product_id, exc)
        return await self._next(before, f"“{product.title}” went back to its vendor, who has mail about it.")

    async def letter(self, request: web.Request) -> web.StreamResponse:
        """What its vendor would read with the reasons ticked so far; shown in a frame of the page."""
        product = await self.products.one(uuid_in_path(request), vendor_id=None)
        values = await read_form(request)
        try:
            return self._in_frame(letter=await self.letters.rejection(request, product, reasons_in(values)))
        except (InvalidInput, NotFound, Unavailable) as exc:
            return self._in_frame(problem=exc.detail)

    def _in_frame(self, *, letter: Preview | None = None, problem: str = "") -> web.Response:
        body = self.view.filled("admin/letter.html.jinja", letter=letter, problem=problem)
        return web.Response(body=body, headers=IN_FRAME)

    async def suspend(self, request: web.Request) -> web.StreamResponse:
        """Take it out of sight."""
        values, product_id = await read_form(request), uuid_in_path(request)
        try:
            body = fitted(SuspendBody, {"note": values.get("note", "")})
            await self.approval.suspend(actor_of(request), product_id, note=body.note)
        except (InvalidInput, Conflict) as exc:
            return done(_page_of(product_id), exc.detail, tone="warn")
        return done(_page_of(product_id), "Suspended. Nobody sees it until it is reinstated.")

    async def reinstate(self, request: web.Request) -> web.StreamResponse:
        """Put it back."""
        product_id = uuid_in_path(request)
        try:
            await self.approval.reinstate(actor_of(request), product_id)
        except Conflict as exc:
            return done(_page_of(product_id), exc.detail, tone="warn")
        return done(_page_of(product_id), "On sale again.")

    async def _next(self, decided: Product, said: str) -> web.Response:
        """To what waits next, else to the empty queue."""
        following = await self._following(decided)
        return done("/admin/approvals" if following is None else _page_of(following.id), said)

    async def _following(self, product: Product) -> Product | None:
        """What waits behind a product; from the end back to the beginning."""
        behind = await self.approval.waiting(behind=(product.waits_since, product.id), limit=1)
        found = behind or await self.approval.waiting(limit=2)
        return next((one for one in found if one.id != product.id), None)

    async def _too_late(self, request: web.Request, product_id: UUID, error: Conflict | Stale) -> web.Response:
        """The product as it is by now, with who was faster and what became of it."""
        product = await self.products.one(product_id, vendor_id=None)
        status = 409 if isinstance(error, Conflict) else 412
        return await self._page(request, product, Form(), status=status, is_late=True)

    async def _page(
        self, request: web.Request, product: Product, form: Form, *, status: int = 200, is_late: bool = False
    ) -> web.Response:
        lines = await self.products.timeline(product.id, vendor_id=None, below=TOP, limit=LATEST)
        history, shelves = await told(self.pool, lines), await self.shelf_names.all()
        waits = product.is_waiting
        return await self.view.page(
            request,
            "admin/product.html.jinja",
            http_status=status,
            product=product,
            form=form,
            history=history,
            ending=_ending(history) if is_late and not waits else None,
            has_changed=is_late and waits,
            following=await self._following(product) if waits else None,
            differences=differences(product, shelves) if waits else [],
            pictures=all_pictures(product) if waits else [(one, "") for one in product.pictures],
            details=listed(product.attributes),
            shelf=shelves.get(product.category, product.category),
            refusal=explained(product.reasons),
            reasons=REASON_TEXTS,
            waited=(utc_now() - product.waits_since).total_seconds(),
        )


def reasons_in(values: Mapping[str, str]) -> Sequence[Reason]:
    """The reasons that were ticked, each with its note. Raises `InvalidInput` for none, and for a note too long."""
    given = [
        {"code": code, "note": values.get(f"{NOTE}{code}", "")} for code in ReasonCode if f"{REASON}{code}" in values
    ]
    if not given:
        raise InvalidInput("Tick at least one reason: it tells the vendor what to change.")
    return [one.reason() for one in fitted(RejectBody, {"reasons": given}).reasons]


def _vendor(request: web.Request) -> UUID | None:
    """The vendor asked for; what is no id is nobody's."""
    return parsed_id(request.query.get("vendor", ""))


def _ending(history: Sequence[Told]) -> tuple[Told, str] | None:
    """How the wait ended: the deed, and what it says."""
    return next(((one, ENDINGS[one.action]) for one in history if one.action in ENDINGS), None)


def _page_of(product_id: UUID) -> str:
    return f"/admin/products/{product_id}"
