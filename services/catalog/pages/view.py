"""Pages as answers: templates filled and escaped, under headers that let nothing foreign run in them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote
from uuid import UUID

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.catalog.access import CALLER
from services.catalog.accounts.usecases import Profiles
from services.catalog.asking import ask
from services.catalog.monitoring.models import Heard
from services.catalog.pages import wording
from services.catalog.pages.assets import Assets
from services.catalog.pages.navigation import FEEDS, NAVIGATION, Place
from services.catalog.pages.pictures import rendition, srcset
from services.catalog.products.models import Status
from services.catalog.proxy import Upstream
from shared.clock import utc_now
from shared.errors import AppError, FieldError
from shared.web.identity import IDENTITY, Role
from shared.web.problems import REQUEST_ID

TEMPLATES: Final = Path(__file__).parent / "templates"
FLASH_COOKIE: Final = "souk_said"
FLASH_SECONDS: Final = 30
HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "font-src 'self'; frame-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
PRIVATE: Final = "no-store"
UNREAD: Final = "/api/notifications/unread"
UNREAD_SECONDS: Final = 0.3


class _Unread(Heard):
    """`GET /api/notifications/unread`."""

    unread: int


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at a page. `csrf_token` belongs into each of its forms."""

    name: str
    role: Role
    account_id: UUID
    vendor_id: UUID | None
    csrf_token: str

    @property
    def places(self) -> Sequence[Place]:
        """Where this person can go."""
        return NAVIGATION.get(self.role, ())

    @property
    def feed(self) -> str | None:
        """What keeps this person's pages live."""
        return FEEDS.get(self.role)


class View:
    """Fills templates."""

    def __init__(self, assets: Assets, *, profiles: Profiles, notifier: Upstream, public_url: str) -> None:
        self.assets = assets
        self.public_url = public_url.rstrip("/")
        self._profiles = profiles
        self._notifier = notifier
        self._templates = _environment(assets, self.public_url)

    async def page(self, request: web.Request, template: str, *, http_status: int = 200, **values: Any) -> web.Response:
        """A page for who is signed in; nobody keeps it. It says once what the request before it left to be said."""
        viewer, said = await self.viewer(request), _said(request)
        unread = 0 if viewer is None else await self._unread(request)
        body = self.filled(template, path=request.path, viewer=viewer, said=said, unread=unread, **values)
        response = web.Response(status=http_status, body=body, headers={**HEADERS, "Cache-Control": PRIVATE})
        if said is not None:
            response.del_cookie(FLASH_COOKIE, path="/")
        return response

    async def viewer(self, request: web.Request) -> Viewer | None:
        """Who looks; None on pages for everybody. One statement, for the name."""
        if CALLER not in request:
            return None
        identity = request[IDENTITY]
        account = await self._profiles.read(identity.account_id)
        token = request[CALLER].csrf_token or ""
        return Viewer(account.name, identity.role, identity.account_id, identity.vendor_id, token)

    async def _unread(self, request: web.Request) -> int:
        """What the head counts. No page waits long for it: with the notifier away there is no number."""
        try:
            return (await ask(request, self._notifier, _Unread, UNREAD, seconds=UNREAD_SECONDS)).unread
        except AppError:  # also an older notifier, during an update, that does not know the question
            return 0

    def error(self, request: web.Request, status: int, detail: str, *, headers: Mapping[str, str]) -> web.Response:
        """An error as a page. Works with the database away."""
        phrase = HTTPStatus(status).phrase
        request_id = request.get(REQUEST_ID)
        body = self.filled(
            "error.html.jinja", path=request.path, status=status, phrase=phrase, detail=detail, request_id=request_id
        )
        return web.Response(status=status, body=body, headers={**HEADERS, "Cache-Control": PRIVATE, **headers})

    def filled(self, template: str, **values: Any) -> bytes:
        """A template with its values. `path` is the address that is looked at."""
        return self._templates.get_template(template).render({"viewer": None, "said": None, **values}).encode()


def done(to: str, said: str, *, tone: str = "good") -> web.Response:
    """What a form answers: see the page at `to`, which says what was done. Return it."""
    answer = web.Response(status=303, headers={"Location": to})
    value = quote(json.dumps([tone, said], ensure_ascii=False))
    answer.set_cookie(FLASH_COOKIE, value, max_age=FLASH_SECONDS, httponly=True, samesite="Lax", path="/")
    return answer


def _said(request: web.Request) -> tuple[str, str] | None:
    """Tone and text that the answer before left behind; None for nothing, or what we did not write."""
    try:
        tone, text = json.loads(unquote(request.cookies.get(FLASH_COOKIE, "")))
    except (ValueError, TypeError):
        return None
    return (tone, text) if isinstance(tone, str) and isinstance(text, str) else None


def _environment(assets: Assets, public_url: str) -> Environment:
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.filters.update(
        money=wording.money,
        exactly=wording.exactly,
        ago=lambda moment: wording.ago(moment, utc_now()),
        browser=wording.browser,
        jsonld=_jsonld,
        rendition=rendition,
        srcset=srcset,
    )
    templates.globals.update(
        asset=assets.url,
        public_url=public_url,
        counted=wording.counted,
        deed=wording.deed,
        lasting=wording.lasting,
        decimal=wording.decimal,
        money_minor=wording.money_minor,
        status_words=wording.STATUS_WORDS,
        Status=Status,
        errors_at=errors_at,
    )
    return templates


def errors_at(errors: Sequence[FieldError], name: str) -> list[str]:
    """What is wrong with one field of a form, or with a part of it."""
    return [error.detail for error in errors if error.pointer == f"/{name}" or error.pointer.startswith(f"/{name}/")]


def _jsonld(value: Mapping[str, Any]) -> Markup:
    """Structured data. It is a data block, which no policy of scripts is asked about; `<` cannot end it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(f'<script type="application/ld+json">{safe}</script>')  # noqa: S704 - escaped just above
