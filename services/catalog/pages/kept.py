"""Pages for everybody from the caches: made once, packed once, and dropped when anything they show changes."""

from typing import Final

from aiohttp import web

from services.catalog.answers import is_known
from services.catalog.cache.floors import Rows
from services.catalog.cache.models import Answer, Loaded, body_etag
from services.catalog.pages.view import HEADERS
from shared.web.compression import VARY, coding_for, weakened

ALWAYS_ASKED: Final = "public, no-cache"
"""Browsers and shared caches may keep a page, and ask each time whether it still holds: it costs 304 and no body."""


def kept(body: bytes, rows: Rows) -> Loaded:
    """A page as it is kept, with the rows it was made of."""
    return Loaded(Answer(body, body_etag(body)), rows)


def respond_kept(request: web.Request, page: Answer) -> web.Response:
    """A kept page, or that the caller has it already."""
    headers = {**HEADERS, "ETag": weakened(page.etag), "Cache-Control": ALWAYS_ASKED, "Vary": VARY}
    if is_known(request, page.etag[1:-1]):
        return web.Response(status=304, headers=headers)
    coding = coding_for(request.headers.get(VARY))
    if coding is None:
        return web.Response(body=page.body, headers=headers)
    return web.Response(body=page.packed(coding), headers={**headers, "Content-Encoding": coding})
