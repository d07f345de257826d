"""Pages for everybody from the caches: made once, kept gzipped, and dropped when anything they show changes."""

import gzip

from aiohttp import web

from services.catalog.answers import is_known
from services.catalog.cache.floors import Rows
from services.catalog.cache.models import Answer, Loaded, body_etag
from services.catalog.pages.view import HEADERS

ALWAYS_ASKED = "public, no-cache"
"""Browsers and shared caches may keep a page, and ask each time whether it still holds: it costs 304 and no body."""


def kept(body: bytes, rows: Rows) -> Loaded:
    """A page as it is kept, with the rows it was made of."""
    return Loaded(Answer(gzip.compress(body, 6, mtime=0), body_etag(body)), rows)


def respond_kept(request: web.Request, page: Answer) -> web.Response:
    """A kept page, or that the caller has it already."""
    headers = {**HEADERS, "ETag": page.etag, "Cache-Control": ALWAYS_ASKED, "Vary": "Accept-Encoding"}
    if is_known(request, page.etag[1:-1]):
        return web.Response(status=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=page.body, headers={**headers, "Content-Encoding": "gzip"})
    return web.Response(body=gzip.decompress(page.body), headers=headers)
