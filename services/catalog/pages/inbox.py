"""`/notifications`: what each person was told, and what they want to be told of. The words are the notifier's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from aiohttp import web
from yarl import URL

from services.catalog.answers import uuid_in_path
from services.catalog.asking import ask
from services.catalog.monitoring.models import Heard
from services.catalog.pages.forms import read_form
from services.catalog.pages.middleware import own_path
from services.catalog.pages.view import View, done
from services.catalog.proxy import Upstream
from shared.errors import Conflict, InvalidInput, NotFound

AT: Final = "/notifications"
API: Final = "/api/notifications"
PREFERENCES: Final = "/api/notification-preferences"
SUBSCRIPTIONS: Final = "/api/push-subscriptions"
A_PAGE: Final = 24


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of message looks in the list, and what it is called where one chooses."""

    name: str
    hint: str
    icon: str
    tone: str


KINDS: Final[Mapping[str, Kind]] = {
    "product_submitted": Kind("Products to review", "A vendor asks for a decision.", "box", "info"),
    "product_approved": Kind("Approvals", "A product or its changes are in the catalogue.", "check", "good"),
    "product_rejected": Kind("Rejections", "What to change, and how to submit it again.", "alert", "bad"),
    "product_suspended": Kind("Suspensions", "A product was taken out of the shop.", "alert", "warn"),
    "product_reinstated": Kind("Back on sale", "A suspended product can be bought again.", "check", "good"),
    "stock_low": Kind("Low stock", "Products at the level you chose.", "layers", "warn"),
    "sync_failing": Kind("Failing stock sources", "A source gives nothing that can be used.", "sync", "bad"),
    "report_ready": Kind("Reports", "A report can be read.", "chart", "info"),
}
OTHER: Final = Kind("Others", "", "bell", "info")


class Line(Heard):
    """A line of the inbox."""

    id: UUID
    kind: str
    title: str
    text: str
    path: str
    created_at: datetime
    read_at: datetime | None

    @property
    def looks(self) -> Kind:
        """How it looks."""
        return KINDS.get(self.kind, OTHER)


class InboxHeard(Heard):
    """`GET /api/notifications`."""

    items: tuple[Line, ...]
    next: str | None
    unread: int


class UnreadHeard(Heard):
    """How much is unread: of the inbox, and of what marks as read."""

    unread: int


class Choice(Heard):
    """What one wants of one kind."""

    kind: str
    in_app: bool
    email: bool
    push: bool

    @property
    def looks(self) -> Kind:
        """What it is called."""
        return KINDS.get(self.kind, OTHER)


class ChoicesHeard(Heard):
    """`GET /api/notification-preferences`."""

    items: tuple[Choice, ...]


class Device(Heard):
    """A browser that is told by web push."""

    id: UUID
    name: str
    created_at: datetime


class DevicesHeard(Heard):
    """`GET /api/push-subscriptions`. Without a key there is no web push."""

    public_key: str | None
    items: tuple[Device, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxPages:
    """`/notifications` and below."""

    view: View
    notifier: Upstream

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.get(AT, self.list_lines),
            web.post(f"{AT}/read", self.read_all),
            web.post(f"{AT}/{{id}}/open", self.open),
            web.post(f"{AT}/{{id}}/read", self.read),
            web.get(f"{AT}/preferences", self.preferences),
            web.post(f"{AT}/preferences", self.choose),
            web.post(f"{AT}/devices/{{id}}/delete", self.forget_device),
        ]

    async def list_lines(self, request: web.Request) -> web.Response:
        """The newest first."""
        cursor = request.query.get("cursor", "")
        query = {"limit": str(A_PAGE), **({"cursor": cursor} if cursor else {})}
        page = await ask(request, self.notifier, InboxHeard, URL(API).with_query(query))
        return await self.view.page(
            request,
            "notifications.html.jinja",
            lines=page.items,
            unread_here=page.unread,
            next=f"{AT}?cursor={page.next}" if page.next else "",
            first=AT if cursor else "",
        )

    async def read_all(self, request: web.Request) -> web.StreamResponse:
        """Everything is read."""
        await self._mark(request, {"all": True})
        return done(AT, "All read.")

    async def read(self, request: web.Request) -> web.StreamResponse:
        """One line is read."""
        await self._mark(request, {"ids": [str(uuid_in_path(request))]})
        return web.Response(status=303, headers={"Location": AT})

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Go where an unread line leads; it is read with that."""
        wanted = own_path((await read_form(request)).get("path", ""), request) or AT
        await self._mark(request, {"ids": [str(uuid_in_path(request))]})
        return web.Response(status=303, headers={"Location": wanted})

    async def preferences(self, request: web.Request) -> web.Response:
        """What one is told of, in which ways, and the browsers that show it."""
        return await self.view.page(
            request,
            "notification_preferences.html.jinja",
            choices=(await ask(request, self.notifier, ChoicesHeard, PREFERENCES)).items,
            devices=await ask(request, self.notifier, DevicesHeard, SUBSCRIPTIONS),
        )

    async def choose(self, request: web.Request) -> web.StreamResponse:
        """Keep what is ticked. A kind the form did not have, which is new since, stays as it was."""
        values = await read_form(request)
        known = (await ask(request, self.notifier, ChoicesHeard, PREFERENCES)).items
        items = [
            {way: f"{one.kind}.{way}" in values for way in ("in_app", "email", "push")} | {"kind": one.kind}
            if f"{one.kind}.shown" in values
            else one.model_dump()
            for one in known
        ]
        try:
            await ask(request, self.notifier, ChoicesHeard, PREFERENCES, method="PUT", body={"items": items})
        except (InvalidInput, Conflict) as exc:
            return done(f"{AT}/preferences", exc.detail, tone="warn")
        return done(f"{AT}/preferences", "Saved.")

    async def forget_device(self, request: web.Request) -> web.StreamResponse:
        """A browser is told no more."""
        try:
            await ask(request, self.notifier, Heard, f"{SUBSCRIPTIONS}/{uuid_in_path(request)}", method="DELETE")
        except NotFound:
            return done(f"{AT}/preferences", "It was gone already.", tone="warn")
        return done(f"{AT}/preferences", "That browser is told no more.")

    async def _mark(self, request: web.Request, body: Mapping[str, object]) -> None:
        await ask(request, self.notifier, UnreadHeard, f"{API}/read", method="POST", body=body)
