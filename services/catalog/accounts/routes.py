"""HTTP edge of accounts."""

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from services.catalog.access import CALLER, SESSION_COOKIE, actor_of
from services.catalog.accounts.models import Scope
from services.catalog.accounts.schemas import (
    ContactsQuery,
    Login,
    NewApiKey,
    ProfileChange,
    shown_account,
    shown_key,
)
from services.catalog.accounts.usecases import SESSION_HOURS, ApiKeys, Changes, Profiles, SignIn
from services.catalog.answers import PageQuery, answer, answer_page, position_in, uuid_in_path
from services.catalog.idempotency import REPLAYED, once_key
from services.catalog.versions import expected_version
from shared.ids import TOP
from shared.web.bodies import read_body, read_query
from shared.web.identity import IDENTITY

_NEVER_STORED = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRoutes:
    """Everything under /api/auth, /api/me, /api/api-keys, and the notifier's contacts."""

    sign_in: SignIn
    profiles: Profiles
    api_keys: ApiKeys
    is_secure: bool
    """Whether the session cookie travels over https only."""

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.post("/api/auth/login", self.login),
            web.post("/api/auth/logout", self.logout),
            web.get("/api/me", self.me),
            web.patch("/api/me", self.change_me),
            web.get("/api/api-keys", self.list_keys),
            web.post("/api/api-keys", self.create_key),
            web.delete("/api/api-keys/{id}", self.revoke_key),
            web.get("/internal/contacts", self.contacts),
        ]

    async def login(self, request: web.Request) -> web.Response:
        body = await read_body(request, Login)
        session = await self.sign_in.sign_in(body.email, body.password)
        response = answer(
            {"account": shown_account(session.account), "csrf_token": session.csrf_token}, headers=_NEVER_STORED
        )
        response.set_cookie(
            SESSION_COOKIE,
            session.token,
            max_age=SESSION_HOURS * 3600,
            httponly=True,
            samesite="Lax",
            secure=self.is_secure,
        )
        return response

    async def logout(self, request: web.Request) -> web.Response:
        token = request.cookies.get(SESSION_COOKIE)
        if token is not None:
            await self.sign_in.sign_out(token)
        response = web.Response(status=204)
        response.del_cookie(SESSION_COOKIE, httponly=True, samesite="Lax", secure=self.is_secure)
        return response

    async def me(self, request: web.Request) -> web.Response:
        account = await self.profiles.read(request[IDENTITY].account_id)
        shown = shown_account(account) | {"csrf_token": request[CALLER].csrf_token}
        return answer(shown, etag=str(account.version), headers=_NEVER_STORED)

    async def change_me(self, request: web.Request) -> web.Response:
        expected = expected_version(request)
        body = await read_body(request, ProfileChange)
        changes = Changes(body.name, body.email, body.new_password, body.current_password)
        account = await self.profiles.change(actor_of(request), changes, expected_version=expected)
        return answer(shown_account(account), etag=str(account.version), headers=_NEVER_STORED)

    async def list_keys(self, request: web.Request) -> web.Response:
        query = read_query(request, PageQuery)
        position = position_in(request, query)
        below = TOP if position is None else UUID(str(position[0]))
        keys = await self.api_keys.list(request[IDENTITY].account_id, below=below, limit=query.limit + 1)
        return answer_page(request, query, keys, shape=shown_key, position=lambda key: [str(key.id)])

    async def create_key(self, request: web.Request) -> web.Response:
        """201 with the key's text; null when the same `Idempotency-Key` comes again: revoke a key you never got."""
        body = await read_body(request, NewApiKey)
        once = await once_key(request, request[IDENTITY].account_id)
        key, text = await self.api_keys.create(
            actor_of(request), name=body.name, scope=Scope(body.scope), expires_at=body.expires_at, once=once
        )
        return answer(
            shown_key(key) | {"api_key": None if text is None else str(text)},
            status=201,
            headers=_NEVER_STORED | (REPLAYED if text is None else {}),
        )

    async def revoke_key(self, request: web.Request) -> web.Response:
        await self.api_keys.revoke(actor_of(request), uuid_in_path(request))
        return web.Response(status=204)

    async def contacts(self, request: web.Request) -> web.Response:
        query = read_query(request, ContactsQuery)
        if query.vendor_id is None:
            contacts = await self.profiles.admins()
        else:
            contacts = await self.profiles.of_vendor(query.vendor_id)
        return answer({"items": contacts, "next": None})
