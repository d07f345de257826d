"""HTTP edge of a vendor's members."""

from dataclasses import dataclass

from aiohttp import web

from services.catalog.access import actor_of
from services.catalog.answers import NEVER_STORED, answer, uuid_in_path
from services.catalog.idempotency import REPLAYED, once_key
from services.catalog.vendors.members import Members, NewMember
from services.catalog.vendors.schemas import AddMember, ChangeMember, shown_member
from services.catalog.versions import expected_version
from shared.web.bodies import read_body
from shared.web.identity import IDENTITY


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRoutes:
    """Who acts for the vendor that asks. The access table lets only its owners change it."""

    members: Members

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.get("/api/vendor/members", self.list_all),
            web.post("/api/vendor/members", self.add),
            web.patch("/api/vendor/members/{id}", self.change),
            web.delete("/api/vendor/members/{id}", self.remove),
            web.post("/api/vendor/members/{id}/one-time-password", self.renew_password),
        ]

    async def list_all(self, request: web.Request) -> web.Response:
        """`GET /api/vendor/members`."""
        vendor_id = request[IDENTITY].vendor_id
        assert vendor_id is not None, "the access table lets only vendors in here"
        everybody = await self.members.everybody(vendor_id)
        return answer({"items": [shown_member(member) for member in everybody], "next": None})

    async def add(self, request: web.Request) -> web.Response:
        """`POST /api/vendor/members`: 201 with the one-time password; null when the same key comes again."""
        body = await read_body(request, AddMember)
        once = await once_key(request, request[IDENTITY].account_id)
        new = NewMember(body.email, body.name, body.is_owner)
        member, password = await self.members.add(actor_of(request), new, once=once)
        return answer(
            shown_member(member) | {"one_time_password": password},
            status=201,
            etag=str(member.version),
            headers=NEVER_STORED | (REPLAYED if password is None else {}),
        )

    async def change(self, request: web.Request) -> web.Response:
        """`PATCH /api/vendor/members/{id}`, with `If-Match`."""
        expected = expected_version(request)
        body = await read_body(request, ChangeMember)
        member = await self.members.change(
            actor_of(request), uuid_in_path(request), is_owner=body.is_owner, expected_version=expected
        )
        return answer(shown_member(member), etag=str(member.version))

    async def remove(self, request: web.Request) -> web.Response:
        """`DELETE /api/vendor/members/{id}`."""
        await self.members.remove(actor_of(request), uuid_in_path(request))
        return web.Response(status=204)

    async def renew_password(self, request: web.Request) -> web.Response:
        """`POST /api/vendor/members/{id}/one-time-password`: another one; the one before it holds no more."""
        member, password = await self.members.renew_password(actor_of(request), uuid_in_path(request))
        shown = shown_member(member) | {"one_time_password": password}
        return answer(shown, etag=str(member.version), headers=NEVER_STORED)
