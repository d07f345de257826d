"""How far a gateway is behind: how late its event loop is, and how long one waits for a connection of the pool."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol

from prometheus_client import Gauge

from shared.db.pool import CONNECT_SECONDS, DATABASE_GONE, Pool
from shared.lifecycle import background, every
from shared.log import get_logger

log = get_logger(__name__)

SAMPLE_SECONDS: Final = 0.25

BEHIND: Final = Gauge("souk_gateway_behind_seconds", "How late the event loop is, or how long a connection takes.")


class Pressure(Protocol):
    """What decides whether work is refused."""

    @property
    def behind_seconds(self) -> float:
        """Cheap: asked for every request."""


class NoPressure:
    """Of a gateway that nobody watches."""

    behind_seconds = 0.0


class Watch:
    """Looks four times a second. One late look counts half, so that a single hitch refuses few.

    Of a pool that has a connection to give nothing is asked; where it has none, one look at a time waits in line with
    everybody else.
    """

    def __init__(self, pool: Pool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._due_at: float | None = None
        self._late_seconds = 0.0
        self._waited_seconds = 0.0
        self._in_line_since: float | None = None
        self._in_line: asyncio.Task[None] | None = None

    @property
    def behind_seconds(self) -> float:
        """The worse of both, in seconds."""
        waiting = 0.0 if self._in_line_since is None else self._clock() - self._in_line_since
        return max(self._late_seconds, self._waited_seconds, waiting)

    async def run_once(self) -> None:
        """Take a look, for `lifecycle.every(SAMPLE_SECONDS, …)`."""
        now = self._clock()
        late = 0.0 if self._due_at is None else max(0.0, now - self._due_at)
        self._late_seconds = (self._late_seconds + late) / 2
        self._waited_seconds /= 2
        self._due_at = now + SAMPLE_SECONDS
        if self._in_line is None and self._is_exhausted():
            self._in_line_since = self._in_line_since or now
            self._in_line = asyncio.create_task(self._wait_in_line())
        BEHIND.set(self.behind_seconds)

    async def stop(self) -> None:
        """Leave the line."""
        if self._in_line is not None:
            self._in_line.cancel()
            await asyncio.gather(self._in_line, return_exceptions=True)

    def _is_exhausted(self) -> bool:
        return self._pool.get_idle_size() == 0 and self._pool.get_size() >= self._pool.get_max_size()

    async def _wait_in_line(self) -> None:
        try:
            async with self._pool.acquire(timeout=CONNECT_SECONDS):
                self._waited_seconds = self._clock() - (self._in_line_since or 0.0)
                self._in_line_since = None
        except DATABASE_GONE as exc:  # the next look lines up again, and what was waited so far still counts
            log.info("no_connection_to_be_had", error=repr(exc))
        finally:
            self._in_line = None


@asynccontextmanager
async def watching(pool: Pool) -> AsyncIterator[Watch]:
    """A watch that looks while the block runs."""
    watch = Watch(pool)
    async with background(every(SAMPLE_SECONDS, watch.run_once), name="pressure"):
        try:
            yield watch
        finally:
            await watch.stop()
