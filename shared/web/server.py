"""Serving an application so that even what aiohttp answers by itself is a problem document."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web
from aiohttp.streams import StreamReader
from aiohttp.typedefs import Middleware
from aiohttp.web_protocol import RequestHandler

from shared.log import get_logger
from shared.web.compression import compression_middleware
from shared.web.methods import options_middleware
from shared.web.problems import problem, problem_for_http, problem_middleware
from shared.web.receiving import ReceiveLimits, Receiving, receiving
from shared.web.requests import request_middleware

log = get_logger(__name__)

MAX_BODY_BYTES: Final = 1024 * 1024
SERVER_NAME: Final = "souk"
LIMITS: Final = ReceiveLimits()
BACKLOG: Final = 1024
"""Connections the kernel keeps for us until we take them."""

_HOST: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?")
"""`uri-host [":" port]` of RFC 3986; it may be empty."""

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
FromMemory = Callable[[web.BaseRequest], web.Response | None]
"""Answers what needs no waiting, and says None to all else."""
ShortWay = Callable[[web.BaseRequest], Awaitable[web.StreamResponse | None]]
SHORT_WAY: Final = web.AppKey[ShortWay]("short_way")
"""Answers what it can outside of routing and middlewares, or says None. It names, counts and times such a request
itself, and its answers carry all the headers that others get on the way, `ALWAYS_TOLD` too; it must not raise."""
ALWAYS_TOLD: Final = MappingProxyType({"Server": SERVER_NAME, "X-Content-Type-Options": "nosniff"})


def new_app(*, middlewares: Sequence[Middleware] = ()) -> web.Application:
    """An application with the edge every service has; `middlewares` run inside it, in order."""
    app = web.Application(
        middlewares=[
            request_middleware,
            compression_middleware,
            problem_middleware,
            options_middleware,
            *middlewares,
        ],
        client_max_size=MAX_BODY_BYTES,
        handler_args={"access_log": None, "max_line_size": 8190, "max_field_size": 8190},
    )
    app.on_response_prepare.append(_name_server)
    return app


async def _name_server(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER_NAME
    response.headers.setdefault("X-Content-Type-Options", "nosniff")


class _ProblemHandler(RequestHandler):
    """Answers what the parser refuses, which no middleware sees, and waits for no client for ever."""

    __slots__ = ("_receiving",)

    def __init__(self, manager: web.Server, *, receiving: Receiving, **options: Any) -> None:
        super().__init__(manager, **options)
        self._receiving = receiving

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, or send it away when there are too many."""
        super().connection_made(transport)
        if self._manager is not None and len(self._manager._connections) > self._receiving.max_connections:
            self._hang_up(503, "There are too many connections.", code="too_many_connections")

    def data_received(self, data: bytes) -> None:
        """Parse, and remember where in a request the client is."""
        super().data_received(data)
        if self._messages:
            self._receiving.has_head(self, self._messages[-1][1])
        elif self._current_request is not None:
            self._receiving.has_head(self, self._current_request.content)
        elif data and not self._force_close:
            self._receiving.has_part_of_head(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget it."""
        self._receiving.is_gone(self)
        super().connection_lost(exc)

    def head_is_late(self) -> None:
        """Answer 408 and hang up."""
        self._hang_up(408, "The request's head did not come in time.", code="request_timeout")

    def body_is_late(self, body: StreamReader) -> None:
        """Let whoever reads the body answer 408; bytes that we do not take from the client are not its fault."""
        if not self._reading_paused:
            body.set_exception(web.HTTPRequestTimeout())

    def _hang_up(self, status: int, detail: str, *, code: str) -> None:
        """Say why outside of any request, and close."""
        if self.transport is not None:
            self.transport.write(_bare_answer(status, detail, code=code))
        self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has already begun")
        if status >= 500:  # outside of all middlewares: nobody else has told of it
            log.error("server_bug", exc_info=exc)
        detail = "The request is not HTTP as this server reads it." if status < 500 else "An unexpected error."
        code = "bad_request" if status < 500 else "internal"
        response = problem(status, detail, code=code, request_id=None, headers={"Server": SERVER_NAME})
        response.force_close()
        return response

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Answer what aiohttp raises outside of the middlewares (417), and hang up after a body that broke off.

        Without `Connection: close` a client would send its next request into a connection that is going down.
        """
        if isinstance(resp, web.HTTPException) and resp.status >= 400:
            resp = problem_for_http(resp, request)
        if request.content.exception() is not None:
            self._lingering_time = 0.0  # there is no rest to wait for
            if not resp.prepared:
                resp.force_close()
        return super().finish_response(request, resp, start_time)


def _bare_answer(status: int, detail: str, *, code: str) -> bytes:
    """A problem document with its head, for a connection that has no request to answer."""
    answer = problem(status, detail, code=code, request_id=None)
    assert isinstance(answer.body, bytes)
    head = {**answer.headers, "Content-Length": str(len(answer.body)), "Connection": "close", "Server": SERVER_NAME}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        head["Retry-After"] = "1"
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 {status} {answer.reason}\r\n{lines}\r\n".encode() + answer.body


class _ProblemServer(web.Server):
    """aiohttp's server with our handler of connections."""

    def __init__(self, handler: Handle, *, receiving: Receiving, **options: Any) -> None:
        super().__init__(handler, **options)
        self._receiving = receiving

    def __call__(self) -> Any:
        return _ProblemHandler(self, receiving=self._receiving, loop=self._loop, **self._kwargs)


@lru_cache(maxsize=256)
def _is_host(text: str) -> bool:
    return _HOST.fullmatch(text) is not None


def _guarded(handle: Handle, short_way: ShortWay | None) -> Handle:
    """Refuse a `Host` that is none (RFC 9112, section 3.2), for links are made of it; then try the short way."""

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        host = request.headers.get("Host")
        if host is not None and not _is_host(host):
            told = {"Server": SERVER_NAME}
            return problem(400, "The Host header names no host.", code="bad_host", request_id=None, headers=told)
        response = None if short_way is None else await short_way(request)
        return await handle(request) if response is None else response

    return handler


class _Runner(web.AppRunner):
    def __init__(self, app: web.Application, receiving: Receiving, **options: Any) -> None:
        super().__init__(app, **options)
        self._receiving = receiving

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _ProblemServer(
            _guarded(server.request_handler, self.app.get(SHORT_WAY)),
            receiving=self._receiving,
            request_factory=server.request_factory,
            loop=asyncio.get_running_loop(),
            **server._kwargs,
        )


@asynccontextmanager
async def serving(
    app: web.Application, *, host: str, port: int, grace_seconds: float = 10.0, limits: ReceiveLimits = LIMITS
) -> AsyncIterator[int]:
    """Serve while the block runs; yields the port. At the end, requests in hand get `grace_seconds`."""
    async with receiving(limits) as kept:
        runner = _Runner(app, kept, shutdown_timeout=grace_seconds, keepalive_timeout=limits.idle_seconds)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=BACKLOG, reuse_port=False).start()
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()
