"""Breakers: a type whose dependency is away is not worked on, burns no attempt, and resumes by itself.

A handler that raises `DependencyDown` opens its type's breaker in this process. Nothing more is taken; what is in hand
goes to the shortest retry tier as it was. The ledger is told, and tells every worker of the type on `jobs.control`, so
that one of them tries for all: every few seconds it takes a single job, until one does not meet the same error.

Nothing is kept here: a worker that is killed with an open breaker finds it in `jobs.control` when it starts, and the
ledger names another one to try when the one that tried is gone.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final

from prometheus_client import Gauge

from shared.clock import utc_now
from shared.contracts.control import Control
from shared.contracts.reports import BreakerMoved
from shared.errors import DependencyDown, Unavailable
from shared.log import get_logger
from shared.messaging.attempt import AttemptTimeout, described

log = get_logger(__name__)

TELL_AGAIN_SECONDS: Final = 1.0
SILENCE_SECONDS: Final = 180.0
"""Three times the ledger's repeating: a worker that has heard nothing for so long tries by itself."""
OPEN = Gauge("souk_breaker_open", "1 while a type is not worked on because what it depends on is away.", ["type"])


class State(Enum):
    """How a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    TRYING = "trying"
    """One job at a time, to see whether the dependency is back."""


class Breaker:
    """The breaker of one job type in one worker process.

    `tell` brings a move to the ledger; `on_change` is called after each change, and has the subscription follow.
    `probe_seconds` is how long the dependency is left alone between two tries.
    """

    def __init__(
        self,
        job_type: str,
        *,
        worker: str,
        probe_seconds: float,
        tell: Callable[[BreakerMoved], Awaitable[None]],
        on_change: Callable[[], None],
    ) -> None:
        self._type = job_type
        self._worker = worker
        self._probe_seconds = probe_seconds
        self._tell = tell
        self._on_change = on_change
        self._state = State.CLOSED
        self._prober = worker
        self._followed: Control | None = None
        self._heard_at = 0.0
        self._untold: BreakerMoved | None = None
        self._has_untold = asyncio.Event()
        self._is_open = asyncio.Event()
        OPEN.labels(job_type).set(0)

    @property
    def is_open(self) -> bool:
        """Whether nothing is to be taken and nothing begun."""
        return self._state is State.OPEN

    @property
    def is_trying(self) -> bool:
        """Whether one job at a time is to be taken."""
        return self._state is State.TRYING

    def met(self, error: Exception | None) -> None:
        """Learn from an attempt that ended. While the dependency is tried, any outcome but `DependencyDown` and a
        time-out shows that it answers.
        """
        if isinstance(error, DependencyDown):
            if self._state is not State.OPEN:
                log.warning("breaker_opened", type=self._type, error=error.detail)
                self._enter(State.OPEN)
            self._say(is_open=True, error=error)
        elif self._state is State.TRYING and isinstance(error, AttemptTimeout):
            self._enter(State.OPEN)
        elif self._state is State.TRYING:
            log.info("breaker_closed", type=self._type)
            self._enter(State.CLOSED)
            self._say(is_open=False)

    def hear(self, control: Control | None) -> None:
        """Follow the newest `break` or `mend` of this type, if it was not followed before."""
        if control is None or control is self._followed:
            return
        self._followed, self._heard_at = control, time.monotonic()
        if control.kind == "mend":
            self._prober = self._worker
            self._untold = None
            self._enter(State.CLOSED)
            return
        self._prober = control.worker or self._worker
        if self._state is State.CLOSED or (self._state is State.TRYING and self._prober != self._worker):
            self._enter(State.OPEN)

    async def run(self) -> None:
        """Tell the ledger, and try when it is this worker's turn; runs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._telling())
            tasks.create_task(self._trying())

    async def _trying(self) -> None:
        while True:
            await self._is_open.wait()
            await asyncio.sleep(self._probe_seconds * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load
            if self._state is State.OPEN and self._is_mine():
                log.info("breaker_tries", type=self._type)
                self._enter(State.TRYING)

    def _is_mine(self) -> bool:
        return self._prober == self._worker or time.monotonic() - self._heard_at > SILENCE_SECONDS

    async def _telling(self) -> None:
        while True:
            await self._has_untold.wait()
            self._has_untold.clear()
            while (move := self._untold) is not None:
                try:
                    await self._tell(move)
                except Unavailable as exc:
                    log.info("breaker_not_told", error=exc.detail)
                    await asyncio.sleep(TELL_AGAIN_SECONDS)
                else:
                    if self._untold is move:
                        self._untold = None

    def _say(self, *, is_open: bool, error: Exception | None = None) -> None:
        self._untold = BreakerMoved(
            job_type=self._type,
            worker=self._worker,
            is_open=is_open,
            at=utc_now(),
            error=None if error is None else described(error),
        )
        self._has_untold.set()

    def _enter(self, state: State) -> None:
        if state is self._state:
            return
        self._state = state
        OPEN.labels(self._type).set(state is not State.CLOSED)
        if state is State.OPEN:
            self._is_open.set()
        else:
            self._is_open.clear()
        self._on_change()
