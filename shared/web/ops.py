"""The operations port of every process: /healthz, /readyz, /metrics. Never reachable from outside."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.errors import AppError
from shared.log import get_logger
from shared.settings import ServiceSettings
from shared.web.problems import problem_middleware
from shared.web.server import serving

log = get_logger(__name__)

REFRESH_SECONDS: Final = 3.0
"""How long a scrape waits for figures that are read when they are asked for. Prometheus itself waits 10 s."""

Check = Callable[[], Awaitable[str | None]]
"""Says what is wrong with a dependency, or None."""
Refresh = Callable[[], Coroutine[Any, Any, None]]
"""Brings gauges up to date before a scrape. It forgets what they said first: no figure is better than an old one."""


class _Figures:
    """What /metrics answers, one scrape at a time. A refresh that fails or is late is logged and waited for no more."""

    def __init__(self, refresh: Sequence[Refresh]) -> None:
        self._refresh = refresh
        self._alone = asyncio.Lock()
        self._begun: set[asyncio.Task[None]] = set()

    async def latest(self) -> bytes:
        async with self._alone:
            await self._renew()
            return generate_latest()

    async def _renew(self) -> None:
        tasks = [asyncio.create_task(refresh()) for refresh in self._refresh]
        for task in tasks:
            self._begun.add(task)
            task.add_done_callback(self._ended)
        if not tasks:
            return
        # Not a `gather` in a timeout: that would wait for an asyncpg call on a dead link to notice that it is over.
        _, late = await asyncio.wait(tasks, timeout=REFRESH_SECONDS)
        for task in late:
            task.cancel()
            log.warning("figures_late", waited_seconds=REFRESH_SECONDS)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._begun.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, AppError):
            log.warning("figures_not_read", error=error.detail)
        elif error is not None:
            log.error("figures_not_read", exc_info=error)


def _ops_app(checks: Mapping[str, Check], figures: _Figures) -> web.Application:
    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        found = {name: await check() for name, check in checks.items()}
        is_ready = not any(found.values())
        body = {"ready": is_ready, "checks": {name: wrong or "ok" for name, wrong in found.items()}}
        return web.Response(status=200 if is_ready else 503, body=orjson.dumps(body), content_type="application/json")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=await figures.latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(middlewares=[problem_middleware])  # polled every few seconds: no log line each
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    return app


@asynccontextmanager
async def operations_port(
    settings: ServiceSettings, checks: Mapping[str, Check], *, refresh: Sequence[Refresh] = ()
) -> AsyncIterator[int]:
    """Answer on the operations port while the block runs; yields the port. Enter it last: ready means all is open.

    Each of `refresh` is run before a scrape is answered, side by side, for three seconds at most; none can fail it.
    """
    app = _ops_app(checks, _Figures(refresh))
    async with serving(app, host=settings.ops_host, port=settings.ops_port) as port:
        yield port
