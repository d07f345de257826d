"""The addresses of the contract."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from services.catalog.answers import is_known
from services.catalog.cache.models import body_etag
from services.catalog.contract.page import page_policy, reference_page
from shared.web.problems import Handler

HERE: Final = Path(__file__).parent
_FRESH: Final = {"Cache-Control": "public, max-age=300"}


def routes() -> list[web.RouteDef]:
    """Register these. The files are read here and kept."""
    openapi, asyncapi = (orjson.loads((HERE / f"{name}.json").read_bytes()) for name in ("openapi", "asyncapi"))
    page = reference_page(openapi).encode()
    headers = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": page_policy()}
    return [
        web.get("/api/openapi.json", _serving(orjson.dumps(openapi), {"Content-Type": "application/json"})),
        web.get("/api/asyncapi.json", _serving(orjson.dumps(asyncapi), {"Content-Type": "application/json"})),
        web.get("/api/docs", _serving(page, headers)),
    ]


def _serving(body: bytes, headers: Mapping[str, str]) -> Handler:
    etag = body_etag(body)

    async def serve(request: web.Request) -> web.Response:
        if is_known(request, etag.strip('"')):
            return web.Response(status=304, headers={"ETag": etag, **_FRESH})
        return web.Response(body=body, headers={"ETag": etag, **_FRESH, **headers})

    return serve
