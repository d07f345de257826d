"""The operations port of every process: /healthz, /readyz, /metrics. Never reachable from outside."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.settings import ServiceSettings
from shared.web.problems import problem_middleware
from shared.web.server import serving

Check = Callable[[], Awaitable[str | None]]
"""Says what is wrong with a dependency, or None."""


def _ops_app(checks: Mapping[str, Check]) -> web.Application:
    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        found = {name: await check() for name, check in checks.items()}
        is_ready = not any(found.values())
        body = {"ready": is_ready, "checks": {name: wrong or "ok" for name, wrong in found.items()}}
        return web.Response(status=200 if is_ready else 503, body=orjson.dumps(body), content_type="application/json")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(middlewares=[problem_middleware])  # polled every few seconds: no log line each
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


@asynccontextmanager
async def operations_port(settings: ServiceSettings, checks: Mapping[str, Check]) -> AsyncIterator[None]:
    """Answer on the operations port while the block runs. Enter it last: ready means all is open."""
    async with serving(_ops_app(checks), host=settings.ops_host, port=settings.ops_port):
        yield
