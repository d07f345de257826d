"""The addresses of approval."""

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.answers import answer, answer_page, answer_unless_known, uuid_in_path
from services.catalog.approval.schemas import AdminListQuery, DecisionBody, RejectBody, SuspendBody, reason_texts
from services.catalog.approval.usecases import Approval
from services.catalog.products.models import Product
from services.catalog.products.schemas import product_for_vendor
from services.catalog.products.usecases import Products
from services.catalog.versions import version_looked_at
from shared.web.bodies import read_body, read_query
from shared.web.paging import PageQuery, position_in


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRoutes:
    """Decisions about products."""

    approval: Approval
    products: Products

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.get("/api/admin/products", self.list_by_status),
            web.get("/api/admin/products/{id}", self.show),
            web.get("/api/admin/proposals", self.list_proposals),
            web.get("/api/admin/rejection-reasons", self.reasons),
            web.post("/api/admin/approve-product", self.decide),
            web.post("/api/admin/products/{id}/approve", self.approve),
            web.post("/api/admin/products/{id}/reject", self.reject),
            web.post("/api/admin/products/{id}/suspend", self.suspend),
            web.post("/api/admin/products/{id}/reinstate", self.reinstate),
        ]

    async def list_by_status(self, request: web.Request) -> web.Response:
        """`GET /api/admin/products?status=pending`."""
        query = read_query(request, AdminListQuery)
        position = position_in(request, query)
        below = None if position is None else UUID(str(position[0]))
        found = await self.approval.by_status(query.status, below=below, limit=query.limit + 1)
        return answer_page(request, query, found, shape=product_for_vendor, position=lambda one: [str(one.id)])

    async def list_proposals(self, request: web.Request) -> web.Response:
        """`GET /api/admin/proposals`: approved products as they are, each with how it would be."""
        query = read_query(request, PageQuery)
        position = position_in(request, query)
        below = None if position is None else UUID(str(position[0]))
        found = await self.approval.with_proposal(below=below, limit=query.limit + 1)
        return answer_page(request, query, found, shape=product_for_vendor, position=_place_of_proposal)

    async def show(self, request: web.Request) -> web.Response:
        """`GET /api/admin/products/{id}`."""
        product = await self.products.one(uuid_in_path(request), vendor_id=None)
        return answer_unless_known(request, product_for_vendor(product), etag=product.etag)

    async def reasons(self, _: web.Request) -> web.Response:
        """`GET /api/admin/rejection-reasons`: the list of codes."""
        return answer({"items": reason_texts(), "next": None})

    async def decide(self, request: web.Request) -> web.Response:
        """`POST /api/admin/approve-product`: approve or reject, the product named in the body."""
        version = version_looked_at(request)
        body = await read_body(request, DecisionBody)
        approval, actor = self.approval, actor_of(request)
        if body.action == "approve":
            return _decided(await approval.approve(actor, body.product_id, version=version))
        given = [one.reason() for one in body.reasons]
        return _decided(await approval.reject(actor, body.product_id, given, version=version))

    async def approve(self, request: web.Request) -> web.Response:
        """`POST /api/admin/products/{id}/approve`."""
        version = version_looked_at(request)
        return _decided(await self.approval.approve(actor_of(request), uuid_in_path(request), version=version))

    async def reject(self, request: web.Request) -> web.Response:
        """`POST /api/admin/products/{id}/reject`."""
        version = version_looked_at(request)
        body = await read_body(request, RejectBody)
        given = [one.reason() for one in body.reasons]
        return _decided(await self.approval.reject(actor_of(request), uuid_in_path(request), given, version=version))

    async def suspend(self, request: web.Request) -> web.Response:
        """`POST /api/admin/products/{id}/suspend`; the body with a note may be left out."""
        body = await read_body(request, SuspendBody) if request.can_read_body else SuspendBody()
        return _decided(await self.approval.suspend(actor_of(request), uuid_in_path(request), note=body.note))

    async def reinstate(self, request: web.Request) -> web.Response:
        """`POST /api/admin/products/{id}/reinstate`."""
        return _decided(await self.approval.reinstate(actor_of(request), uuid_in_path(request)))


def _place_of_proposal(product: Product) -> list[str | int]:
    assert product.proposed is not None, "the list has no others"
    return [str(product.proposed.id)]


def _decided(product: Product) -> web.Response:
    return answer(product_for_vendor(product), etag=product.etag)
