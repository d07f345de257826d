"""`/vendor/members`: the people of a vendor. Its owners let them in and out."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from services.catalog.access import CALLER, actor_of
from services.catalog.answers import uuid_in_path
from services.catalog.pages.callers import vendor_of
from services.catalog.pages.forms import Form, fitted, read_form, whole_number
from services.catalog.pages.view import View, done
from services.catalog.vendors.members import ONE_TIME_DAYS, Members, NewMember
from services.catalog.vendors.models import Member
from services.catalog.vendors.schemas import AddMember
from services.catalog.versions import VersionMismatch
from shared.errors import Conflict, InvalidInput
from shared.web.identity import IDENTITY

AT: Final = "/vendor/members"
REFUSED: Final = (InvalidInput, Conflict, VersionMismatch)


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorMembers:
    """`/vendor/members` and below. The access table lets only owners change it."""

    view: View
    members: Members

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        one = f"{AT}/{{id}}"
        return [
            web.get(AT, self.list_all),
            web.post(AT, self.add),
            web.post(f"{one}/ownership", self.change),
            web.post(f"{one}/one-time-password", self.renew_password),
            web.post(f"{one}/delete", self.remove),
        ]

    async def list_all(self, request: web.Request) -> web.Response:
        """Everybody, and for owners the form to let somebody in."""
        return await self._page(request, Form())

    async def add(self, request: web.Request) -> web.StreamResponse:
        """Let somebody in. The one-time password is shown by this answer and never again."""
        form = Form(await read_form(request))
        try:
            wanted = {name: form.values.get(name, "").strip() for name in ("email", "name")}
            body = fitted(AddMember, {**wanted, "is_owner": "is_owner" in form.values})
            member, password = await self.members.add(
                actor_of(request), NewMember(body.email, body.name, body.is_owner)
            )
        except REFUSED as exc:
            return await self._page(request, form.refused(exc), status=422)
        assert password is not None, "no key made it a repetition"
        return await self._password(request, member, password)

    async def change(self, request: web.Request) -> web.StreamResponse:
        """Make a member an owner, or an owner a member."""
        values = await read_form(request)
        is_owner = values.get("is_owner") == "yes"
        version = whole_number(values, "version")
        change = self.members.change(
            actor_of(request), uuid_in_path(request), is_owner=is_owner, expected_version=version
        )
        return await _acted(change, "An owner now." if is_owner else "A member now.")

    async def renew_password(self, request: web.Request) -> web.Response:
        """Another one-time password, shown by this answer and never again."""
        member, password = await self.members.renew_password(actor_of(request), uuid_in_path(request))
        return await self._password(request, member, password)

    async def remove(self, request: web.Request) -> web.StreamResponse:
        """Let somebody out."""
        remove = self.members.remove(actor_of(request), uuid_in_path(request))
        return await _acted(remove, "Removed. Their sessions and keys have ended.")

    async def _page(self, request: web.Request, form: Form, *, status: int = 200) -> web.Response:
        return await self.view.page(
            request,
            "vendor/members.html.jinja",
            http_status=status,
            members=await self.members.everybody(vendor_of(request)),
            is_owner=request[CALLER].is_owner,
            myself=request[IDENTITY].account_id,
            days=ONE_TIME_DAYS,
            form=form,
        )

    async def _password(self, request: web.Request, member: Member, password: str) -> web.Response:
        return await self.view.page(
            request, "vendor/member_password.html.jinja", member=member, password=password, days=ONE_TIME_DAYS
        )


async def _acted(act: Awaitable[object], said: str) -> web.StreamResponse:
    try:
        await act
    except REFUSED as exc:
        return done(AT, exc.detail, tone="warn")
    return done(AT, said)
