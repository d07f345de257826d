"""Schedulers as processes of their own, in a time that runs faster: for tests that kill and freeze them."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from random import Random

from services.scheduler.schedule import parse_schedule
from services.scheduler.ticker import Ticker
from shared.db.outbox import Outbox
from shared.db.pool import Connection, open_pool

# A fork of a process that has imported everything starts in milliseconds, and shares nothing that a test holds.
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])

FAST_TIME = "SELECT $1::timestamptz + (clock_timestamp() - $2::timestamptz) * $3::float8"


@dataclass(frozen=True)
class FastTime:
    """The database's time, `speed` times as fast since `began`, when it showed `start`."""

    start: datetime
    began: datetime
    speed: float

    async def now(self, conn: Connection) -> datetime:
        """What this clock shows."""
        found: datetime = await conn.fetchval(FAST_TIME, self.start, self.began, self.speed)
        return found


def schedule_until_killed(url: str, file: str, clock: FastTime) -> None:
    """What one process does."""
    asyncio.run(_ticking(url, file, clock))


async def _ticking(url: str, file: str, clock: FastTime) -> None:
    async with open_pool(url, name="scheduler") as pool:
        timed = parse_schedule(file, source="test", default_zone="UTC")
        ticker = Ticker(
            pool,
            Outbox("scheduler"),
            timed,
            now=clock.now,
            longest_sleep_seconds=0.01,
            longest_thought=timedelta(seconds=10 * clock.speed),
        )
        await ticker.run()


class Field:
    """Some scheduler processes, and what befalls them; the same seed, the same fates."""

    def __init__(self, url: str, file: str, clock: FastTime, *, runners: int, seed: int) -> None:
        self._new: Callable[[], BaseProcess] = lambda: _CONTEXT.Process(
            target=schedule_until_killed, args=(url, file, clock), daemon=True
        )
        self._random = Random(seed)
        self._runners: list[BaseProcess] = [self._new() for _ in range(runners)]
        self._frozen: set[BaseProcess] = set()
        self.killed = self.frozen = 0

    async def race(self, until: Callable[[], Awaitable[bool]]) -> None:
        """Run them, killing, freezing and waking at random, until so; then kill what is left."""
        try:
            for runner in self._runners:
                runner.start()
            while not await until():
                await asyncio.sleep(self._random.uniform(0.02, 0.2))
                self._strike(self._random.randrange(len(self._runners)))
        finally:
            for runner in self._runners:
                _end(runner)

    def _strike(self, number: int) -> None:
        runner = self._runners[number]
        if self._random.random() < 0.4:
            _end(runner)
            self._frozen.discard(runner)
            self._runners[number] = self._new()
            self._runners[number].start()
            self.killed += 1
        elif runner in self._frozen:
            self._frozen.discard(runner)
            _signal(runner, signal.SIGCONT)
        else:
            self._frozen.add(runner)
            _signal(runner, signal.SIGSTOP)
            self.frozen += 1


def _end(runner: BaseProcess) -> None:
    _signal(runner, signal.SIGKILL)
    runner.join(5)


def _signal(runner: BaseProcess, number: signal.Signals) -> None:
    if runner.pid is not None and runner.is_alive():
        with suppress(ProcessLookupError):
            os.kill(runner.pid, number)
