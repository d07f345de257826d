"""The addresses of the contract."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from services.catalog.cache.models import Answer, body_etag
from services.catalog.cache.responses import JSON, respond
from services.catalog.contract.page import page_policy, reference_page
from shared.web.compression import PACKERS

HERE: Final = Path(__file__).parent
_FRESH: Final = {"Cache-Control": "public, max-age=300"}


def routes() -> list[web.RouteDef]:
    """Register these."""
    html = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": page_policy()}
    return [
        web.get("/api/openapi.json", _Document(partial(_read, "openapi"), JSON).serve),
        web.get("/api/asyncapi.json", _Document(partial(_read, "asyncapi"), JSON).serve),
        web.get("/api/docs", _Document(_page, html).serve),
    ]


class _Document:
    """Made when it is first asked for, which most gateways never are; then kept, packed too."""

    def __init__(self, make: Callable[[], bytes], described: Mapping[str, str]) -> None:
        self._make = make
        self._described = described
        self._answer: Answer | None = None
        self._making = asyncio.Lock()

    async def serve(self, request: web.Request) -> web.Response:
        """The document in a coding that the caller takes, or 304."""
        async with self._making:
            if self._answer is None:
                self._answer = await asyncio.to_thread(self._made)
        return respond(request, self._answer, always=_FRESH, described=self._described)

    def _made(self) -> Answer:
        body = self._make()
        answer = Answer(body, body_etag(body))
        for coding in PACKERS:
            answer.packed(coding)
        return answer


def _read(name: str) -> bytes:
    """A committed document without its white space."""
    return orjson.dumps(orjson.loads((HERE / f"{name}.json").read_bytes()))


def _page() -> bytes:
    return reference_page(orjson.loads(_read("openapi"))).encode()
