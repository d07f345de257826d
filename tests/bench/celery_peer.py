"""Celery with RabbitMQ and results in PostgreSQL, on the stage's servers: what others would use in Souk's place."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from importlib.util import find_spec

import asyncpg

from tests.bench.stage import PATIENCE_SECONDS, Stage
from tests.eventually import eventually

DONE = "SELECT count(*) AS n, min(date_done) AS first, max(date_done) AS last FROM celery_taskmeta"


class CeleryPeer:
    """Runs Celery's processes and reads from its table of results how fast they were."""

    def __init__(self, stage: Stage) -> None:
        assert find_spec("celery"), "`make bench` installs requirements/bench.txt"
        self._arguments = (sys.executable, "-m", "tests.bench.celery_process", stage.amqp_url, stage.admin_url)
        self._admin_url = stage.admin_url

    async def drained(self, count: int) -> float:
        """Tasks a second that one worker process does, from the first to the last of `count` that waited."""
        await self._send(count)
        async with self._worker(1):
            first, last = await self._all_done(count)
        await self._forget()
        return count / (last - first)

    async def sustained(self, count: int, *, processes: int) -> float:
        """Tasks a second from the first that is sent to the last result, all sharing the machine."""
        async with self._worker(processes):
            await self._send(1)
            await self._all_done(1)
            begun = await self._send(count)
            _, last = await self._all_done(count + 1)
        await self._forget()
        return count / (last - begun)

    async def _send(self, count: int) -> float:
        """Send tasks, confirmed, from a process of its own; returns the time at which it began."""
        sender = await asyncio.create_subprocess_exec(
            *self._arguments, "send", str(count), stdout=asyncio.subprocess.PIPE
        )
        told, _ = await sender.communicate()
        assert sender.returncode == 0, "Celery's sender failed"
        return float(told)

    @asynccontextmanager
    async def _worker(self, processes: int) -> AsyncIterator[None]:
        worker = await asyncio.create_subprocess_exec(
            *(*self._arguments, "work", str(processes)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                worker.terminate()
            await worker.wait()

    async def _all_done(self, count: int) -> tuple[float, float]:
        """Wait for `count` results; the times of the first and the last."""
        connection = await asyncpg.connect(self._admin_url, timeout=10)

        async def all_done() -> tuple[float, float] | None:
            try:
                row = await connection.fetchrow(DONE)
            except asyncpg.UndefinedTableError:  # the worker makes it with its first result
                return None
            return (_seconds(row["first"]), _seconds(row["last"])) if row is not None and row["n"] >= count else None

        try:
            first, last = await eventually(all_done, PATIENCE_SECONDS, every=0.1)  # type: ignore[misc]
        finally:
            await connection.close()
        return first, last

    async def _forget(self) -> None:
        connection = await asyncpg.connect(self._admin_url, timeout=10)
        try:
            await connection.execute("TRUNCATE celery_taskmeta")
        finally:
            await connection.close()


def _seconds(at: datetime) -> float:
    """Celery writes UTC without saying so."""
    return at.replace(tzinfo=UTC).timestamp()
