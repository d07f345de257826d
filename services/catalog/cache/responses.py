"""A cached answer as a response: its bytes as they are, or 304."""

from aiohttp import web

from services.catalog.answers import is_known
from services.catalog.cache.models import Answer


def respond(request: web.Request, answer: Answer) -> web.Response:
    """The answer, or that the caller has it already."""
    headers = {"ETag": answer.etag, "Cache-Control": "no-cache"}
    if "If-None-Match" in request.headers and is_known(request, answer.etag.strip('"')):
        return web.Response(status=304, headers=headers)
    headers["Content-Type"] = "application/json"
    if answer.link is not None:
        headers["Link"] = answer.link
    return web.Response(body=answer.body, headers=headers)
