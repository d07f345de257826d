"""Passes requests on to the services that own their routes, signed with who asks.

What is passed on is what the access table says, and nothing else: a row with an `owner` is a route here. The other
services serve the same paths. Bodies of requests are taken in whole first, up to the application's limit, so that a
slow client does not hold a connection between services; answers are streamed.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from pydantic import SecretStr
from yarl import URL

from services.catalog.access import ACCESS
from services.catalog.addresses import AN_ID
from services.catalog.settings import GatewaySettings
from shared import tracing
from shared.errors import Unavailable
from shared.log import get_logger
from shared.web.bodies import received
from shared.web.identity import HEADER as IDENTITY_HEADER
from shared.web.identity import IDENTITY, NOBODY, Identity, Role, sign
from shared.web.problems import REQUEST_ID
from shared.web.requests import REQUEST_ID_HEADER

log = get_logger(__name__)

ANSWER_SECONDS: Final = 5.0
"""How long a service may take until its answer begins."""
SILENCE_SECONDS: Final = 60.0
"""How long an answer that has begun may pause; live streams send a comment more often than that."""
CONNECTIONS: Final = 100
ANYBODY: Final = Identity(NOBODY, Role.SERVICE)
"""Who asks for what is public: the gateway itself."""
CHUNK_BYTES: Final = 64 * 1024

_REQUEST_HEADERS: Final = (
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
    "Range",
)
"""All that is passed on. Keys, cookies and the caller's own `Souk-Identity` end here."""
_KEPT_HERE: Final = frozenset(
    {
        # hop by hop: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        # ours to say
        "date",
        "server",
        "set-cookie",
        "traceresponse",
        "x-request-id",
    }
)


@dataclass(frozen=True, slots=True)
class Upstream:
    """A service that answers some of the gateway's routes."""

    service: str
    url: str
    key: SecretStr
    client: aiohttp.ClientSession

    def signed(self, identity: Identity, *, method: str, path: str, request_id: str) -> dict[str, str]:
        """The headers that say who asks, and as a part of what, for this one call."""
        token = sign(
            identity,
            service=self.service,
            key=self.key.get_secret_value(),
            method=method,
            path=path,
            request_id=request_id,
        )
        return {REQUEST_ID_HEADER: request_id, IDENTITY_HEADER: token, **tracing.request_headers()}

    async def called(
        self, method: str, url: URL, identity: Identity, *, request_id: str, seconds: float, body: bytes | None = None
    ) -> tuple[int, bytes]:
        """Status and body of a call of our own, in somebody's name. `url` is relative.

        Raises `TimeoutError` when the whole answer is not there after `seconds`, and `aiohttp.ClientError`: what was
        asked may have happened then.
        """
        headers = {
            **self.signed(identity, method=method, path=url.path, request_id=request_id),
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
        }
        place = URL(self.url + str(url))
        async with (
            asyncio.timeout(seconds),
            self.client.request(method, place, headers=headers, data=body, allow_redirects=False) as response,
        ):
            return response.status, await response.read()


class UpstreamSilent(Unavailable):
    """The service that owns this did not answer in time, or not at all. What was asked may have happened."""

    code = "upstream_silent"


@asynccontextmanager
async def open_upstreams(settings: GatewaySettings) -> AsyncIterator[Mapping[str, Upstream]]:
    """The services the gateway passes requests to, by name. None of them need be there yet."""
    places = {
        "jobs": (settings.jobs_url, settings.jobs_key),
        "notifier": (settings.notifier_url, settings.notifier_key),
        "reporting": (settings.reporting_url, settings.reporting_key),
        "scheduler": (settings.scheduler_url, settings.scheduler_key),
    }
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS),
        timeout=aiohttp.ClientTimeout(total=None, sock_read=SILENCE_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept-Encoding",),
    ) as client:
        yield {service: Upstream(service, url.rstrip("/"), key, client) for service, (url, key) in places.items()}


def routes(upstreams: Mapping[str, Upstream]) -> list[web.RouteDef]:
    """A route for every row of the access table that has an owner."""
    return [
        _route(method, path, _passing_to(upstreams[access.owner]))
        for (method, path), access in ACCESS.items()
        if access.owner is not None
    ]


def _route(method: str, path: str, handler: aiohttp.typedefs.Handler) -> web.RouteDef:
    """A route; that of GET answers HEAD as well. What is no id is none of those services': it is 404 here."""
    path = path.replace("{id}", f"{{id:{AN_ID}}}")
    return web.get(path, handler) if method == "GET" else web.route(method, path, handler)


def _passing_to(upstream: Upstream) -> aiohttp.typedefs.Handler:
    async def pass_on(request: web.Request) -> web.StreamResponse:
        answer = await _asked(upstream, request, await received(request))
        try:
            return await _passed_back(request, answer)
        finally:
            answer.close()

    return pass_on


async def _asked(upstream: Upstream, request: web.Request, body: bytes) -> aiohttp.ClientResponse:
    """Send the request on and wait for the answer to begin. Raises `UpstreamSilent`."""
    headers = CIMultiDict({name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers})
    headers.update(
        upstream.signed(
            request.get(IDENTITY, ANYBODY), method=request.method, path=request.path, request_id=request[REQUEST_ID]
        )
    )
    url = URL(upstream.url + request.rel_url.raw_path_qs, encoded=True)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await upstream.client.request(
                request.method, url, headers=headers, data=body or None, allow_redirects=False
            )
    except (aiohttp.ClientError, TimeoutError) as exc:
        log.warning("upstream_silent", service=upstream.service, error=repr(exc))
        raise UpstreamSilent(f"The service `{upstream.service}` does not answer now.", 1) from exc


async def _passed_back(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """Status, headers and body as they came. One cut short upstream is cut short here, never made to look whole."""
    named = {name.strip().lower() for name in answer.headers.get("Connection", "").split(",")}
    response = web.StreamResponse(status=answer.status, reason=answer.reason)
    for name, value in answer.headers.items():
        if name.lower() not in _KEPT_HERE | named:
            response.headers.add(name, value)
    response.headers[REQUEST_ID_HEADER] = request[REQUEST_ID]
    response.headers.update(tracing.answer_headers())
    await response.prepare(request)
    try:
        async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
            await response.write(chunk)
    except (aiohttp.ClientError, TimeoutError) as exc:
        log.warning("upstream_broke_off", path=request.path, error=repr(exc))
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write_eof()
    return response
