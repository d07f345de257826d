"""How a process lives: it opens what it needs, runs until it is told to stop, and closes in reverse."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TypeVar

import uvloop

from shared import tracing
from shared.errors import CannotStart
from shared.log import configure_logging, get_logger
from shared.metrics import watch_loop
from shared.redaction import Redactor, secrets_in
from shared.settings import ServiceSettings
from shared.version import VERSION

log = get_logger(__name__)

S = TypeVar("S", bound=ServiceSettings)


def run_process(name: str, settings: S, running: Callable[[S], AbstractAsyncContextManager[None]]) -> None:
    """Run a composition root until SIGTERM or SIGINT, then leave it: exit code 0 once all is handed back."""
    configure_logging(
        service=name,
        log_format=settings.log_format,
        level=settings.log_level,
        redactor=Redactor(secrets_in(settings)),
    )

    async def main() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        async with background(watch_loop(), name="event loop lag"), running(settings):
            log.info("started")
            await stopping.wait()
            log.info("stopping")
        log.info("stopped")

    with tracing.exporting(settings.otlp_endpoint, service=name, version=VERSION):
        try:
            uvloop.run(main())
        except CannotStart as exc:
            raise SystemExit(str(exc)) from exc
        except Exception as exc:  # what ends a process is told like everything else, without secrets
            log.critical("died", exc_info=True)
            raise SystemExit(1) from exc


def _tell_death(name: str, task: asyncio.Future[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("background_died", part=name, exc_info=error)


@asynccontextmanager
async def background(work: Awaitable[None], *, name: str) -> AsyncIterator[None]:
    """Run a coroutine that never ends by itself beside the block, and end it with the block."""
    task = asyncio.ensure_future(work)
    if isinstance(task, asyncio.Task):
        task.set_name(name)
    task.add_done_callback(partial(_tell_death, name))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def every(seconds: float, run_once: Callable[[], Awaitable[object]]) -> None:
    """Call `run_once` for ever, `seconds` apart. A failure is logged, then tried again."""
    while True:
        await _outlived(run_once)
        await asyncio.sleep(seconds)


async def whenever(wake: asyncio.Event, run_once: Callable[[], Awaitable[object]]) -> None:
    """Call `run_once` for ever, once each time it is woken, also while it ran. A failure is logged."""
    while True:
        await wake.wait()
        wake.clear()
        await _outlived(run_once)


async def _outlived(run_once: Callable[[], Awaitable[object]]) -> None:
    try:
        await run_once()
    except Exception as exc:  # noqa: BLE001 - a moving part outlives whatever one run met
        log.warning("run_failed", part=getattr(run_once, "__qualname__", repr(run_once)), error=repr(exc))
