"""`/account`: one's own name, address, password, sessions and API keys, for everybody who signs in."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from aiohttp import web

from services.catalog.access import CALLER, actor_of
from services.catalog.accounts.attempts import Attempt
from services.catalog.accounts.models import Scope
from services.catalog.accounts.schemas import NewApiKey, ProfileChange
from services.catalog.accounts.sessions import Sessions
from services.catalog.accounts.usecases import ApiKeys, Changes, Profiles
from services.catalog.answers import uuid_in_path
from services.catalog.clients import CLIENTS
from services.catalog.pages.forms import Form, fitted, read_form, whole_number
from services.catalog.pages.navigation import landing
from services.catalog.pages.view import View, done
from services.catalog.versions import VersionMismatch
from shared.clock import Clock
from shared.errors import Conflict, FieldError, InvalidInput, Stale, TooMany
from shared.ids import TOP
from shared.web.identity import IDENTITY

HERE: Final = "/account"
SHOWN: Final = 50
"""Sessions, and keys; who has more ends the others by ending all."""
LIFETIMES: Final = {"30": "30 days", "90": "90 days", "365": "a year", "": "until I revoke it"}
"""How long a key may work, in days."""
REFUSED: Final = (InvalidInput, Conflict, Stale, TooMany)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPages:
    """`/account` and below."""

    view: View
    profiles: Profiles
    sessions: Sessions
    api_keys: ApiKeys
    clock: Clock

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [
            web.get(HERE, self.show),
            web.post(f"{HERE}/name", self.rename),
            web.post(f"{HERE}/email", self.readdress),
            web.post(f"{HERE}/password", self.change_password),
            web.post(f"{HERE}/sessions/end-others", self.end_others),
            web.post(f"{HERE}/sessions/{{id}}/end", self.end),
            web.post(f"{HERE}/keys", self.add_key),
            web.post(f"{HERE}/keys/{{id}}/revoke", self.revoke_key),
        ]

    async def show(self, request: web.Request) -> web.Response:
        """Everything; with a one-time password only the form that replaces it."""
        return await self._page(request)

    async def rename(self, request: web.Request) -> web.StreamResponse:
        """What others read of one."""
        return await self._changed(request, "name", ("name",), "That is your name now.")

    async def readdress(self, request: web.Request) -> web.StreamResponse:
        """Where mail goes, and with what one signs in."""
        return await self._changed(request, "email", ("email", "current_password"), "Sign in with it from now on.")

    async def change_password(self, request: web.Request) -> web.StreamResponse:
        """A new password ends all other sessions."""
        said = "Your password is new. You are signed out everywhere else."
        return await self._changed(request, "password", ("new_password", "current_password"), said)

    async def end(self, request: web.Request) -> web.StreamResponse:
        """Sign out there. Raises `UnknownSession`."""
        await self.sessions.revoke(actor_of(request), uuid_in_path(request))
        return done(HERE, "Signed out there.")

    async def end_others(self, request: web.Request) -> web.StreamResponse:
        """Sign out everywhere else."""
        await self.sessions.revoke_others(actor_of(request), but=request[CALLER].session_id)
        return done(HERE, "You are signed in here only.")

    async def add_key(self, request: web.Request) -> web.Response:
        """Make a key; the page that answers is the only one that ever shows it."""
        form = Form(await read_form(request))
        try:
            days = form.values.get("days", "")
            if days not in LIFETIMES:
                raise InvalidInput("Choose for how long.", errors=[FieldError("/days", "choice", "one of the list")])
            given = {"name": form.values.get("key_name", ""), "scope": form.values.get("scope", "read")}
            body = fitted(NewApiKey, given)
            expires_at = self.clock() + timedelta(days=int(days)) if days else None
            _, text = await self.api_keys.create(
                actor_of(request), name=body.name, scope=Scope(body.scope), expires_at=expires_at
            )
        except InvalidInput as exc:
            return await self._page(request, form.refused(exc), part="key", status=422)
        return await self._page(request, new_key=str(text))

    async def revoke_key(self, request: web.Request) -> web.StreamResponse:
        """End a key. Raises `UnknownKey`."""
        await self.api_keys.revoke(actor_of(request), uuid_in_path(request))
        return done(HERE, "Revoked. What used it is let in no more.")

    async def _changed(self, request: web.Request, part: str, names: tuple[str, ...], said: str) -> web.StreamResponse:
        """Change what a form has, if the account is still as the form showed it."""
        form = Form(await read_form(request))
        try:
            body = fitted(ProfileChange, {name: form.values.get(name, "") for name in names})
            account = await self.profiles.change(
                actor_of(request),
                Changes(body.name, body.email, body.new_password, body.current_password),
                expected_version=whole_number(form.values, "version"),
                session_id=request[CALLER].session_id,
                attempt=Attempt(str(request[IDENTITY].account_id), request.app[CLIENTS].address_of(request)),
            )
        except VersionMismatch:
            return done(
                HERE, "Your account was changed in between, so nothing was saved. Please look again.", tone="warn"
            )
        except REFUSED as exc:
            return await self._page(request, form.refused(exc), part=part, status=422)
        to = landing(account.role) if request[CALLER].has_one_time_password else HERE
        return done(to, said)

    async def _page(
        self,
        request: web.Request,
        form: Form | None = None,
        *,
        part: str = "",
        status: int = 200,
        new_key: str | None = None,
    ) -> web.Response:
        """`part` is which of the forms `form` is."""
        account_id: UUID = request[IDENTITY].account_id
        return await self.view.page(
            request,
            "account.html.jinja",
            http_status=status,
            account=await self.profiles.read(account_id),
            sessions=await self.sessions.list(account_id, below=TOP, limit=SHOWN),
            current=request[CALLER].session_id,
            keys=await self.api_keys.list(account_id, below=TOP, limit=SHOWN),
            lifetimes=LIFETIMES,
            form=form or Form(),
            part=part,
            new_key=new_key,
            has_one_time_password=request[CALLER].has_one_time_password,
        )
