"""HTTP edge of accounts."""

from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from services.catalog.access import CALLER, actor_of
from services.catalog.accounts.attempts import Attempt
from services.catalog.accounts.models import Scope
from services.catalog.accounts.schemas import (
    ContactsQuery,
    NewApiKey,
    NewApiKeyShown,
    OwnAccount,
    ProfileChange,
    shown_account,
    shown_key,
)
from services.catalog.accounts.usecases import ApiKeys, Changes, Profiles
from services.catalog.answers import NEVER_STORED, answer, answer_page, uuid_in_path
from services.catalog.clients import CLIENTS
from services.catalog.idempotency import REPLAYED, once_key
from services.catalog.versions import expected_version
from shared.ids import TOP
from shared.web.bodies import read_body, read_query
from shared.web.identity import IDENTITY
from shared.web.paging import PageQuery, position_in


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRoutes:
    """Everything under /api/me, /api/api-keys, and the notifier's contacts."""

    profiles: Profiles
    api_keys: ApiKeys

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.get("/api/me", self.me),
            web.patch("/api/me", self.change_me),
            web.get("/api/api-keys", self.list_keys),
            web.post("/api/api-keys", self.create_key),
            web.delete("/api/api-keys/{id}", self.revoke_key),
            web.get("/internal/contacts", self.contacts),
        ]

    async def me(self, request: web.Request) -> web.Response:
        account = await self.profiles.read(request[IDENTITY].account_id)
        shown: OwnAccount = {**shown_account(account), "csrf_token": request[CALLER].csrf_token}
        return answer(shown, etag=str(account.version), headers=NEVER_STORED)

    async def change_me(self, request: web.Request) -> web.Response:
        expected = expected_version(request)
        body = await read_body(request, ProfileChange)
        changes = Changes(body.name, body.email, body.new_password, body.current_password)
        attempt = Attempt(str(request[IDENTITY].account_id), request.app[CLIENTS].address_of(request))
        account = await self.profiles.change(
            actor_of(request),
            changes,
            expected_version=expected,
            session_id=request[CALLER].session_id,
            attempt=attempt,
        )
        return answer(shown_account(account), etag=str(account.version), headers=NEVER_STORED)

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
        shown: NewApiKeyShown = {**shown_key(key), "api_key": None if text is None else str(text)}
        return answer(shown, status=201, headers=NEVER_STORED | (REPLAYED if text is None else {}))

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
