"""HTTP edge of sessions."""

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from aiohttp import web

from services.catalog.access import CALLER, SESSION_COOKIE, actor_of
from services.catalog.accounts.cookies import Cookies, origin_of
from services.catalog.accounts.schemas import Login, SignedIn, shown_account, shown_session
from services.catalog.accounts.sessions import Sessions
from services.catalog.answers import NEVER_STORED, answer, answer_page, uuid_in_path
from shared.ids import TOP
from shared.web.bodies import read_body, read_query
from shared.web.identity import IDENTITY
from shared.web.paging import PageQuery, position_in


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRoutes:
    """Signing in and out, and where one is signed in."""

    sessions: Sessions
    cookies: Cookies

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.post("/api/auth/login", self.login),
            web.post("/api/auth/logout", self.logout),
            web.get("/api/sessions", self.list_own),
            web.delete("/api/sessions", self.revoke_others),
            web.delete("/api/sessions/{id}", self.revoke),
        ]

    async def login(self, request: web.Request) -> web.Response:
        """`POST /api/auth/login`: the session as a cookie, its CSRF token in the body."""
        body = await read_body(request, Login)
        attempt = self.cookies.attempt(request, body.email)
        session = await self.sessions.sign_in(attempt, body.password, origin=origin_of(request))
        shown: SignedIn = {"account": shown_account(session.account), "csrf_token": session.csrf_token}
        response = answer(shown, headers=NEVER_STORED)
        self.cookies.give(response, session)
        return response

    async def logout(self, request: web.Request) -> web.Response:
        """`POST /api/auth/logout`: 204, with or without a session."""
        token = request.cookies.get(SESSION_COOKIE)
        if token is not None:
            await self.sessions.sign_out(token)
        response = web.Response(status=204)
        self.cookies.take(response)
        return response

    async def list_own(self, request: web.Request) -> web.Response:
        """`GET /api/sessions`: where one is signed in, newest first."""
        query = read_query(request, PageQuery)
        position = position_in(request, query)
        below = TOP if position is None else UUID(str(position[0]))
        found = await self.sessions.list(request[IDENTITY].account_id, below=below, limit=query.limit + 1)
        shape = partial(shown_session, current=request[CALLER].session_id)
        return answer_page(request, query, found, shape=shape, position=lambda session: [str(session.id)])

    async def revoke(self, request: web.Request) -> web.Response:
        """`DELETE /api/sessions/{id}`."""
        await self.sessions.revoke(actor_of(request), uuid_in_path(request))
        return web.Response(status=204)

    async def revoke_others(self, request: web.Request) -> web.Response:
        """`DELETE /api/sessions`: all but the one it is asked with; with an API key, all."""
        await self.sessions.revoke_others(actor_of(request), but=request[CALLER].session_id)
        return web.Response(status=204)
