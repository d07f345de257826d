"""Signing in and out by a page."""

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from services.catalog.access import SESSION_COOKIE
from services.catalog.accounts.cookies import Cookies, origin_of
from services.catalog.accounts.sessions import Sessions
from services.catalog.accounts.usecases import Callers
from services.catalog.errors import InvalidCredentials
from services.catalog.pages.forms import read_form
from services.catalog.pages.middleware import own_path
from services.catalog.pages.navigation import landing
from services.catalog.pages.view import View
from shared.errors import Forbidden, TooMany
from shared.web.identity import Role

FROM_HERE: Final = frozenset({"same-origin", "none"})
"""`Sec-Fetch-Site` of a form on one of our own pages, or of an address typed in."""


class ForeignForm(Forbidden):
    """Another site's page sent this form."""

    code = "foreign_form"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPages:
    """`/login` and `/logout`."""

    view: View
    sessions: Sessions
    cookies: Cookies
    callers: Callers

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.get("/login", self.ask),
            web.post("/login", self.sign_in),
            web.post("/logout", self.sign_out),
        ]

    async def ask(self, request: web.Request) -> web.Response:
        """The form; who is signed in already goes on at once."""
        wanted = own_path(request.query.get("next", ""), request)
        role = await self._role(request)
        if role is not None:
            raise web.HTTPSeeOther(wanted or landing(role))
        return await self._form(request, wanted=wanted or "")

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        """Begin a session and go where it was asked for, else where the role begins."""
        if request.headers.get("Sec-Fetch-Site", "none") not in FROM_HERE:
            raise ForeignForm("This form was sent by another site.")
        values = await read_form(request)
        email, wanted = values.get("email", "").strip(), own_path(values.get("next", ""), request)
        try:
            attempt = self.cookies.attempt(request, email)
            session = await self.sessions.sign_in(attempt, values.get("password", ""), origin=origin_of(request))
        except (InvalidCredentials, TooMany) as exc:
            status = 429 if isinstance(exc, TooMany) else 422
            return await self._form(request, status=status, wanted=wanted or "", email=email, problem=exc.detail)
        answer = web.Response(status=303, headers={"Location": wanted or landing(session.account.role)})
        self.cookies.give(answer, session)
        return answer

    async def sign_out(self, request: web.Request) -> web.StreamResponse:
        """End the session, here and in its live feeds."""
        if (token := request.cookies.get(SESSION_COOKIE)) is not None:
            await self.sessions.sign_out(token)
        answer = web.Response(status=303, headers={"Location": "/login", "Clear-Site-Data": '"cache"'})
        self.cookies.take(answer)
        return answer

    async def _role(self, request: web.Request) -> Role | None:
        if (token := request.cookies.get(SESSION_COOKIE)) is None:
            return None
        try:
            return (await self.callers.by_session(token)).identity.role
        except InvalidCredentials:
            return None

    async def _form(
        self, request: web.Request, *, wanted: str, status: int = 200, email: str = "", problem: str = ""
    ) -> web.Response:
        return await self.view.page(
            request, "signin.html.jinja", http_status=status, next=wanted, email=email, problem=problem
        )
