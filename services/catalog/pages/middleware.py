"""What pages have around them: errors as pages, and the way to the sign-in for who has to."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from services.catalog.access import PasswordChangeNeeded
from services.catalog.pages.view import View
from shared.errors import AppError, Unauthorised, Unavailable
from shared.log import get_logger
from shared.web.problems import Handler, status_of

log = get_logger(__name__)

PROGRAMS: Final = ("/api/", "/hooks/", "/internal/", "/media/", "/static/")
"""Below these nobody reads pages: errors are problem documents."""
SAID: Final[Mapping[int, str]] = {
    403: "Your account may not open this page.",
    404: "There is nothing at this address. It may have been moved, or taken out of the catalogue.",
    405: "This address does not take that.",
    413: "That is more than this page takes.",
    500: "Something went wrong on our side. It has been written down.",
    503: "A part of the marketplace does not answer right now. Please try again in a moment.",
}


def page_middleware(view: View) -> Middleware:
    """For browsers: what is raised below becomes a page. Programs get what they always get."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not wants_page(request):
            return await handler(request)
        try:
            return await handler(request)
        except Unauthorised:
            return to_sign_in(request)
        except PasswordChangeNeeded:
            return web.Response(status=303, headers={"Location": "/account"})
        except AppError as exc:
            return _shown(view, request, exc)
        except web.HTTPException as exc:
            if exc.status < 400:
                raise
            kept = {name: value for name, value in exc.headers.items() if name in ("Allow", "Retry-After")}
            return view.error(request, exc.status, SAID.get(exc.status, exc.reason), headers=kept)
        except ConnectionResetError:
            raise
        except Exception:
            log.exception("request_bug")
            return view.error(request, 500, SAID[500], headers={})

    return middleware


def wants_page(request: web.BaseRequest) -> bool:
    """Whether a person's browser asks for a page."""
    return not request.path.startswith(PROGRAMS) and "text/html" in request.headers.get("Accept", "")


def to_sign_in(request: web.Request) -> web.Response:
    """Off to the sign-in, and back to where it was asked for, or to the form that was sent."""
    wanted = request.rel_url.raw_path_qs
    if request.method not in ("GET", "HEAD"):
        wanted = own_path(request.headers.get("Referer", ""), request) or "/"
    answer = web.Response(status=303)
    answer.headers["Location"] = f"/login?{urlencode({'next': wanted})}"
    return answer


def own_path(address: str, request: web.Request) -> str | None:
    """The path of an address of this site; None for any other. `//evil.example` and `/\\evil.example` are others."""
    parts = urlsplit(address)
    if (parts.scheme or parts.netloc) and parts.netloc != request.host:
        return None
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    is_local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_local else None


def _shown(view: View, request: web.Request, error: AppError) -> web.Response:
    status = status_of(error)
    if isinstance(error, Unavailable):
        log.warning("dependency_unavailable", error=error.detail)
    retry_after = getattr(error, "retry_after_seconds", None)
    headers = {} if retry_after is None else {"Retry-After": str(max(1, round(retry_after)))}
    # Our own words for what is missing or away; theirs for what the person can do something about.
    detail = SAID[status] if status in (404, 500, 503) else error.detail
    return view.error(request, status, detail, headers=headers)
