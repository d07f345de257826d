"""Keeps programs running on one machine: starts them, restarts what dies, stops them in reverse order.

Each program is an OS process of its own, leads a process group of its own (so a Ctrl-C at the terminal
reaches the supervisor alone) and dies with the supervisor, however that one ends: the kernel sends it
SIGKILL (PR_SET_PDEATHSIG, see prctl(2)).
"""

import asyncio
import ctypes
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp
import structlog

log = structlog.get_logger(__name__)

GRACE_SECONDS = 20.0
STABLE_AFTER_SECONDS = 30.0
FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 10.0
EXITS_THAT_FAIL_A_START = 3
KEPT_LOGS = 3

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class NotReady(Exception):
    """A program did not become ready in time, or keeps exiting; the text tells which and its last words."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: `environment` is all that the process gets to see, `ops_url` answers `/readyz`."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    ops_url: str


@dataclass(frozen=True, slots=True)
class ProcessState:
    """One program as it is now. `pid` is None between an exit and the next start."""

    name: str
    pid: int | None
    ops_url: str
    restarts: int


@dataclass(slots=True)
class _Child:
    program: Program
    pid: int | None = None
    exits: int = 0
    last_exit: str = ""
    keeper: asyncio.Task[None] | None = field(default=None, repr=False)


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends. Runs between fork and exec."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # the parent ended before the line above
        os._exit(1)


def delay_seconds(quick_exits: int) -> float:
    """How long to wait before the next start after so many exits in a row: 0.2 s doubling up to 10 s."""
    doublings = min(quick_exits - 1, 10)  # more would only overflow in the end
    return min(FIRST_DELAY_SECONDS * 2.0**doublings, LONGEST_DELAY_SECONDS)


def rotate(log_file: Path) -> None:
    """Move `x.log` to `x.log.1`, that one to `x.log.2`, and so on; the oldest goes."""
    for number in range(KEPT_LOGS, 0, -1):
        older = log_file.with_name(f"{log_file.name}.{number}")
        newer = log_file.with_name(f"{log_file.name}.{number - 1}") if number > 1 else log_file
        if newer.exists():
            newer.replace(older)


def last_lines(log_file: Path, count: int = 12) -> str:
    """The end of a log, for people. Empty when there is none."""
    with suppress(OSError), log_file.open("rb") as log_bytes:
        log_bytes.seek(max(0, log_file.stat().st_size - 16_384))
        return "\n".join(log_bytes.read().decode(errors="replace").splitlines()[-count:])
    return ""


class Supervisor:
    """Runs `programs` from `async with` until its block ends. `on_change` hears of every start and exit."""

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        folder: Path,
        log_folder: Path,
        grace_seconds: float = GRACE_SECONDS,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._children = [_Child(program) for program in programs]
        self._folder = folder
        self._log_folder = log_folder
        self._grace_seconds = grace_seconds
        self._on_change = on_change
        self._stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._log_folder.mkdir(parents=True, exist_ok=True)
        for child in self._children:
            rotate(self.log_file(child.program.name))
            child.keeper = asyncio.create_task(self._keep(child), name=child.program.name)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def log_file(self, name: str) -> Path:
        """Where the output of the program `name` goes."""
        return self._log_folder / f"{name}.log"

    def states(self) -> list[ProcessState]:
        """Every program as it is now, in the order of starting."""
        return [ProcessState(each.program.name, each.pid, each.program.ops_url, each.exits) for each in self._children]

    async def ready(self, timeout_seconds: float) -> None:
        """Return once every program answers `/readyz` with 200. Raises NotReady, saying why not."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
            try:
                async with asyncio.timeout(timeout_seconds):
                    for child in self._children:
                        await self._until_ready(child, http)
            except TimeoutError:
                late = [each for each in self._children if not await answers_ready(each.program.ops_url, http)]
                if late:
                    raise NotReady(
                        "\n".join(self._complaint(each, f"is not ready after {timeout_seconds:.0f} s") for each in late)
                    ) from None

    async def stop(self) -> None:
        """Ask every program to finish, the last started first; end what has not within the grace period."""
        self._stopping.set()
        for child in reversed(self._children):
            _signal(child.pid, signal.SIGTERM)
        keepers = [each.keeper for each in self._children if each.keeper]
        if not keepers:
            return
        _, unwilling = await asyncio.wait(keepers, timeout=self._grace_seconds)
        for child in self._children:
            if child.keeper in unwilling:
                log.warning("process_killed", process=child.program.name, pid=child.pid)
                _signal(child.pid, signal.SIGKILL)
        await asyncio.gather(*keepers)

    async def _keep(self, child: _Child) -> None:
        """Start the program again each time it ends, until the supervisor stops."""
        clock = asyncio.get_running_loop().time
        quick_exits = 0
        while not self._stopping.is_set():
            started_at = clock()
            await self._run_once(child)
            if self._stopping.is_set():
                return
            quick_exits = 1 if clock() - started_at > STABLE_AFTER_SECONDS else quick_exits + 1
            child.exits += 1
            delay = delay_seconds(quick_exits)
            log.warning(
                "process_exited",
                process=child.program.name,
                exit=child.last_exit,
                restart_in_seconds=delay,
            )
            self._on_change()
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopping.wait()

    async def _run_once(self, child: _Child) -> None:
        program = child.program
        try:
            with self.log_file(program.name).open("ab") as output:
                process = await asyncio.create_subprocess_exec(
                    *program.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=dict(program.environment),
                    cwd=self._folder,
                    start_new_session=True,
                    preexec_fn=partial(die_with_parent, os.getpid()),
                )
        except OSError as impossible:
            child.last_exit = f"could not start: {impossible}"
            return
        child.pid = process.pid
        if self._stopping.is_set():  # stop() came while the process was being made and missed it
            _signal(child.pid, signal.SIGTERM)
        self._on_change()
        code = await process.wait()
        child.pid = None
        child.last_exit = signal.Signals(-code).name if code < 0 else f"code {code}"
        with suppress(ProcessLookupError):  # helpers that it left behind
            os.killpg(process.pid, signal.SIGKILL)

    async def _until_ready(self, child: _Child, http: aiohttp.ClientSession) -> None:
        while not await answers_ready(child.program.ops_url, http):
            if child.exits >= EXITS_THAT_FAIL_A_START:
                raise NotReady(self._complaint(child, f"keeps exiting ({child.last_exit})"))
            await asyncio.sleep(0.05)

    def _complaint(self, child: _Child, what: str) -> str:
        log_file = self.log_file(child.program.name)
        return f"{child.program.name} {what}. The end of {log_file}:\n{last_lines(log_file)}"


async def answers_ready(ops_url: str, http: aiohttp.ClientSession) -> bool:
    """Whether a process answers 200 to `/readyz` now."""
    try:
        async with http.get(f"{ops_url}/readyz") as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


def _signal(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
