"""HTTP edge of vendors."""

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.answers import answer, answer_page, answer_unless_known, uuid_in_path
from services.catalog.cache.caches import Caches
from services.catalog.cache.models import ABSENT, Answer, Loaded, vendor_row
from services.catalog.cache.responses import PublicRead
from services.catalog.idempotency import REPLAYED, once_key
from services.catalog.vendors.errors import UnknownVendor
from services.catalog.vendors.models import Changes, NewVendor, Vendor
from services.catalog.vendors.schemas import (
    ChangeVendor,
    CreateVendor,
    Decision,
    VendorsQuery,
    shown_to_admins,
    shown_to_all,
)
from services.catalog.vendors.usecases import Vendors
from services.catalog.versions import expected_version
from shared.encoding import to_json
from shared.ids import TOP
from shared.web.bodies import read_body, read_query
from shared.web.identity import IDENTITY
from shared.web.paging import position_in


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorRoutes:
    """The public page of a vendor, and the administrators' list."""

    vendors: Vendors
    caches: Caches

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.get("/api/vendors/{id}", self.show),
            web.get("/api/admin/vendors", self.list_all),
            web.post("/api/admin/vendors", self.create),
            web.get("/api/admin/vendors/{id}", self.read),
            web.patch("/api/admin/vendors/{id}", self.change),
            web.post("/api/admin/vendors/{id}/suspend", self.suspend),
            web.post("/api/admin/vendors/{id}/reinstate", self.reinstate),
        ]

    async def show(self, request: web.Request) -> web.Response:
        return await self.public.answer(request, request.match_info["id"])

    @property
    def public(self) -> PublicRead:
        """How everybody reads one."""
        return PublicRead("/api/vendors", self.caches.vendor, self._load_shown, UnknownVendor.any)

    async def _load_shown(self, key: str) -> Loaded:
        try:
            vendor = await self.vendors.read_shown(key)
        except UnknownVendor:
            return Loaded(None, {ABSENT: None})
        return Loaded(
            Answer(to_json(shown_to_all(vendor)), f'"{vendor.version}"'), {vendor_row(vendor.id): vendor.version}
        )

    async def list_all(self, request: web.Request) -> web.Response:
        query = read_query(request, VendorsQuery)
        position = position_in(request, query)
        below = TOP if position is None else UUID(str(position[0]))
        vendors = await self.vendors.newest(below=below, limit=query.limit + 1, status=query.status)
        return answer_page(request, query, vendors, shape=shown_to_admins, position=lambda vendor: [str(vendor.id)])

    async def create(self, request: web.Request) -> web.Response:
        body = await read_body(request, CreateVendor)
        account = body.account
        new = NewVendor(
            body.name, body.slug, body.profile, account.email, account.name, account.password, body.time_zone
        )
        once = await once_key(request, request[IDENTITY].account_id)
        vendor, is_new = await self.vendors.create(actor_of(request), new, once=once)
        place = {"Location": f"/api/admin/vendors/{vendor.id}"}
        return _answer(vendor, status=201, **place, **({} if is_new else REPLAYED))

    async def read(self, request: web.Request) -> web.Response:
        vendor = await self.vendors.read(uuid_in_path(request))
        return answer_unless_known(request, shown_to_admins(vendor), etag=str(vendor.version))

    async def change(self, request: web.Request) -> web.Response:
        expected = expected_version(request)
        body = await read_body(request, ChangeVendor)
        changes = Changes(body.name, body.slug, body.profile, body.time_zone)
        vendor = await self.vendors.change(actor_of(request), uuid_in_path(request), changes, expected_version=expected)
        return _answer(vendor)

    async def suspend(self, request: web.Request) -> web.Response:
        note = await _note(request)
        return _answer(await self.vendors.suspend(actor_of(request), uuid_in_path(request), note=note))

    async def reinstate(self, request: web.Request) -> web.Response:
        note = await _note(request)
        return _answer(await self.vendors.reinstate(actor_of(request), uuid_in_path(request), note=note))


async def _note(request: web.Request) -> str:
    """A decision may come without a body."""
    return (await read_body(request, Decision)).note if request.can_read_body else ""


def _answer(vendor: Vendor, status: int = 200, **headers: str) -> web.Response:
    return answer(shown_to_admins(vendor), status=status, etag=str(vendor.version), headers=headers)
