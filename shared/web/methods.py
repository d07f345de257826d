"""`OPTIONS` on every address: what can be done there."""

from http import HTTPMethod

from aiohttp import web

from shared.web.problems import Handler, allowed_by


@web.middleware
async def options_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer 204 with `Allow` where there is an address, and 404 where there is none; anybody may ask."""
    refused = request.match_info.http_exception
    if request.method == HTTPMethod.OPTIONS and isinstance(refused, web.HTTPMethodNotAllowed):
        return web.Response(status=204, headers={"Allow": allowed_by(refused)})
    return await handler(request)
