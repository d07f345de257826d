"""The two cookies a browser gets: its session, and the mark by which it is no stranger to an account."""

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from services.catalog.access import SESSION_COOKIE
from services.catalog.accounts.attempts import Attempt, Browsers
from services.catalog.accounts.models import NewSession, Origin
from services.catalog.accounts.sessions import SESSION_HOURS
from services.catalog.clients import CLIENTS

BROWSER_COOKIE: Final = "souk_browser"
BROWSER_DAYS: Final = 180
MAX_USER_AGENT_CHARS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    """Scripts read neither; `is_secure` says that both travel over https only."""

    browsers: Browsers
    is_secure: bool

    def attempt(self, request: web.Request, email: str) -> Attempt:
        """A password tried at this address, from where the request comes."""
        mark = request.cookies.get(BROWSER_COOKIE, "")
        network = request.app[CLIENTS].address_of(request)
        return Attempt(email, network, browser=self.browsers.known(mark, email))

    def give(self, response: web.StreamResponse, session: NewSession) -> None:
        """Let the browser keep its session, and know it again when it is over."""
        self._set(response, SESSION_COOKIE, session.token, seconds=SESSION_HOURS * 3600)
        mark = self.browsers.mark(session.account.email or "")
        self._set(response, BROWSER_COOKIE, mark, seconds=BROWSER_DAYS * 86_400)

    def take(self, response: web.StreamResponse) -> None:
        """Let the browser forget its session."""
        response.del_cookie(SESSION_COOKIE, httponly=True, samesite="Lax", secure=self.is_secure)

    def _set(self, response: web.StreamResponse, name: str, value: str, *, seconds: int) -> None:
        response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="Lax", secure=self.is_secure)


def origin_of(request: web.Request) -> Origin:
    """Where a session is begun: what can be shown of it on one line."""
    agent = "".join(char for char in request.headers.get("User-Agent", "") if char.isprintable())
    return Origin(request.app[CLIENTS].address_of(request), agent[:MAX_USER_AGENT_CHARS])
