"""`/admin/vendors`: who sells, letting somebody in, and out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.answers import uuid_in_path
from services.catalog.audit import entries
from services.catalog.pages import store
from services.catalog.pages.forms import Form, fitted, read_form, whole_number
from services.catalog.pages.history import told
from services.catalog.pages.paging import Paging
from services.catalog.pages.view import View, done
from services.catalog.vendors.members import Members
from services.catalog.vendors.models import Changes, NewVendor, Vendor, VendorStatus
from services.catalog.vendors.schemas import ChangeVendor, CreateVendor, Decision
from services.catalog.vendors.usecases import Vendors
from shared.db.pool import Pool, connection
from shared.errors import Conflict, InvalidInput, Stale
from shared.ids import TOP
from shared.web.identity import IDENTITY, Role

A_PAGE: Final = 48
LATEST: Final = 20
REFUSED: Final = (InvalidInput, Conflict, Stale)
FIELDS: Final = ("name", "slug", "profile", "time_zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminVendors:
    """All vendors. Operators look; admins change."""

    view: View
    vendors: Vendors
    members: Members
    pool: Pool

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        one = "/admin/vendors/{id}"
        return [
            web.get("/admin/vendors", self.list_all),
            web.get("/admin/vendors/new", self.ask_new),
            web.post("/admin/vendors/new", self.create),
            web.get(one, self.show),
            web.post(one, self.change),
            web.post(f"{one}/suspend", self.suspend),
            web.post(f"{one}/reinstate", self.reinstate),
        ]

    async def list_all(self, request: web.Request) -> web.Response:
        """All, or those of one status, newest first."""
        given = request.query.get("status", "")
        status = VendorStatus(given) if given in set(VendorStatus) else None
        paging = Paging(request, {} if status is None else {"status": status.value})
        behind = paging.behind()
        below = TOP if behind is None else UUID(str(behind[0]))
        found = await self.vendors.newest(below=below, limit=A_PAGE + 1, status=status)
        async with connection(self.pool) as conn:
            on_sale = await store.on_sale(conn, [vendor.id for vendor in found])
        return await self.view.page(
            request,
            "admin/vendors.html.jinja",
            listed=paging.listed(found, A_PAGE, lambda one: [str(one.id)]),
            status=status,
            on_sale=on_sale,
        )

    async def ask_new(self, request: web.Request) -> web.Response:
        """The empty form."""
        return await self._new(request, Form())

    async def create(self, request: web.Request) -> web.StreamResponse:
        """A vendor with the first person of theirs."""
        form = Form(await read_form(request))
        values = {name: form.values.get(name, "").strip() for name in (*FIELDS, "email", "person")}
        account = {
            "email": values["email"],
            "name": values["person"],
            "password": form.values.get("password", ""),
        }
        given = {name: values[name] for name in FIELDS if values[name]} | {"name": values["name"], "account": account}
        try:
            body = fitted(CreateVendor, given)
            new = NewVendor(
                name=body.name,
                slug=body.slug,
                profile=body.profile,
                email=body.account.email,
                person=body.account.name,
                password=body.account.password,
                time_zone=body.time_zone,
            )
            vendor, _ = await self.vendors.create(actor_of(request), new)
        except REFUSED as exc:
            return await self._new(request, form.refused(exc), status=422)
        return done(_page_of(vendor.id), f"{vendor.name} may sell. Hand {new.person} the password.")

    async def show(self, request: web.Request) -> web.Response:
        """One vendor with its people and what was done. Raises `UnknownVendor`."""
        vendor = await self.vendors.read(uuid_in_path(request))
        return await self._page(request, vendor, Form(_shown(vendor)))

    async def change(self, request: web.Request) -> web.StreamResponse:
        """Save what is different, if nobody saved in between."""
        form = Form(await read_form(request))
        vendor = await self.vendors.read(uuid_in_path(request))
        try:
            if not (changed := _changed(vendor, form.values)):
                return done(_page_of(vendor.id), "Nothing was different.")
            body = fitted(ChangeVendor, changed)
            changes = Changes(body.name, body.slug, body.profile, body.time_zone)
            version = whole_number(form.values, "version")
            await self.vendors.change(actor_of(request), vendor.id, changes, expected_version=version)
        except REFUSED as exc:
            return await self._page(request, vendor, form.refused(exc), status=422)
        return done(_page_of(vendor.id), "Saved.")

    async def suspend(self, request: web.Request) -> web.StreamResponse:
        """Out of the marketplace, with all products."""
        return await self._decided(
            request, VendorStatus.SUSPENDED, "Suspended. None of its products is shown any more."
        )

    async def reinstate(self, request: web.Request) -> web.StreamResponse:
        """Back again."""
        return await self._decided(request, VendorStatus.ACTIVE, "It may sell again.")

    async def _decided(self, request: web.Request, status: VendorStatus, said: str) -> web.StreamResponse:
        values, vendor_id = await read_form(request), uuid_in_path(request)
        act = self.vendors.suspend if status is VendorStatus.SUSPENDED else self.vendors.reinstate
        try:
            note = fitted(Decision, {"note": values.get("note", "").strip()}).note
            await act(actor_of(request), vendor_id, note=note)
        except (InvalidInput, Conflict) as exc:
            return done(_page_of(vendor_id), exc.detail, tone="warn")
        return done(_page_of(vendor_id), said)

    async def _new(self, request: web.Request, form: Form, *, status: int = 200) -> web.Response:
        return await self.view.page(request, "admin/new_vendor.html.jinja", http_status=status, form=form)

    async def _page(self, request: web.Request, vendor: Vendor, form: Form, *, status: int = 200) -> web.Response:
        async with connection(self.pool) as conn:
            lines = await entries(conn, limit=LATEST, about=("vendor", str(vendor.id)))
            counts = await store.status_counts(conn, vendor.id)
        is_admin = request[IDENTITY].role is Role.ADMIN
        return await self.view.page(
            request,
            "admin/vendor.html.jinja",
            http_status=status,
            vendor=vendor,
            form=form,
            counts=counts,
            people=await self.members.everybody(vendor.id) if is_admin else (),
            history=await told(self.pool, lines),
            may_change=is_admin,
        )


def _shown(vendor: Vendor) -> dict[str, str]:
    known = asdict(vendor)
    return {name: known[name] or "" for name in FIELDS} | {"version": str(vendor.version)}


def _changed(vendor: Vendor, values: Mapping[str, str]) -> dict[str, str]:
    """What was typed over. An emptied time zone stays: it can be changed, not taken away."""
    shown = _shown(vendor)
    given = {name: values[name].strip() for name in FIELDS if name in values}
    return {
        name: value
        for name, value in given.items()
        if value != shown[name].strip() and not (name == "time_zone" and not value)
    }


def _page_of(vendor_id: UUID) -> str:
    return f"/admin/vendors/{vendor_id}"
