"""Serving an application so that even what aiohttp answers by itself is a problem document."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Middleware
from aiohttp.web_protocol import RequestHandler

from shared.web.problems import problem, problem_for_http, problem_middleware
from shared.web.requests import request_middleware

MAX_BODY_BYTES: Final = 1024 * 1024
SERVER_NAME: Final = "souk"

Shortcut = Callable[[web.BaseRequest], web.Response | None]
SHORTCUT: Final = web.AppKey[Shortcut]("shortcut")
"""Answers what it can before routing and middlewares, or says None. It names, counts and times such a request itself,
and its answers carry all the headers that others get on the way; it must not raise."""


def new_app(*, middlewares: Sequence[Middleware] = ()) -> web.Application:
    """An application with the edge every service has; `middlewares` run inside it, in order."""
    app = web.Application(
        middlewares=[request_middleware, problem_middleware, *middlewares],
        client_max_size=MAX_BODY_BYTES,
        handler_args={"access_log": None, "max_line_size": 8190, "max_field_size": 8190},
    )
    app.on_response_prepare.append(_name_server)
    return app


async def _name_server(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = SERVER_NAME
    response.headers.setdefault("X-Content-Type-Options", "nosniff")


class _ProblemHandler(RequestHandler):
    """Answers what the parser refuses, which no middleware sees."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has already begun")
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
        if not resp.prepared and request.content.exception() is not None:
            resp.force_close()
        return super().finish_response(request, resp, start_time)


class _ProblemServer(web.Server):
    """aiohttp's server with our handler of parser errors."""

    def __call__(self) -> Any:
        return _ProblemHandler(self, loop=self._loop, **self._kwargs)


Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def _shortened(handle: Handle, shortcut: Shortcut) -> Handle:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = shortcut(request)
        return await handle(request) if response is None else response

    return handler


class _Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        shortcut = self.app.get(SHORTCUT)
        return _ProblemServer(
            server.request_handler if shortcut is None else _shortened(server.request_handler, shortcut),
            request_factory=server.request_factory,
            loop=asyncio.get_running_loop(),
            **server._kwargs,
        )


@asynccontextmanager
async def serving(app: web.Application, *, host: str, port: int, grace_seconds: float = 10.0) -> AsyncIterator[int]:
    """Serve while the block runs; yields the port. At the end, requests in hand get `grace_seconds`."""
    runner = _Runner(app, shutdown_timeout=grace_seconds, keepalive_timeout=75)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024, reuse_port=False).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
