"""The addresses of the contract."""

import asyncio
import gzip
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from services.catalog.answers import is_known
from services.catalog.cache.models import body_etag
from services.catalog.contract.page import page_policy, reference_page
from shared.web.compression import PACKERS, VARY, coding_for, weakened

HERE: Final = Path(__file__).parent
_FRESH: Final = {"Cache-Control": "public, max-age=300"}


def routes() -> list[web.RouteDef]:
    """Register these."""
    json = {"Content-Type": "application/json"}
    html = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": page_policy()}
    return [
        web.get("/api/openapi.json", _Document(partial(_read, "openapi"), json).serve),
        web.get("/api/asyncapi.json", _Document(partial(_read, "asyncapi"), json).serve),
        web.get("/api/docs", _Document(_page, html).serve),
    ]


class _Document:
    """Made when it is first asked for, which most gateways never are; then kept as it is sent."""

    def __init__(self, make: Callable[[], bytes], headers: Mapping[str, str]) -> None:
        self._make = make
        self._headers = headers
        self._etag = ""
        self._packed: Mapping[str, bytes] = {}
        self._making = asyncio.Lock()

    async def serve(self, request: web.Request) -> web.Response:
        """The document in a coding that the caller takes, or 304."""
        async with self._making:
            if not self._packed:
                self._etag, self._packed = await asyncio.to_thread(self._made)
        told = {"ETag": self._etag, "Vary": VARY, **_FRESH}
        if is_known(request, self._etag.strip('"')):
            return web.Response(status=304, headers=told)
        coding = coding_for(request.headers.get(VARY))
        if coding is None:
            plain = await asyncio.to_thread(gzip.decompress, self._packed["gzip"])
            return web.Response(body=plain, headers={**told, **self._headers})
        told |= {"ETag": weakened(self._etag), "Content-Encoding": coding}
        return web.Response(body=self._packed[coding], headers={**told, **self._headers})

    def _made(self) -> tuple[str, Mapping[str, bytes]]:
        body = self._make()
        return body_etag(body), {coding: packer(body) for coding, packer in PACKERS.items()}


def _read(name: str) -> bytes:
    """A committed document without its white space."""
    return orjson.dumps(orjson.loads((HERE / f"{name}.json").read_bytes()))


def _page() -> bytes:
    return reference_page(orjson.loads(_read("openapi"))).encode()
