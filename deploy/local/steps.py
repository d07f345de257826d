"""Showing what the stack does while it does it: on the terminal, or to the command that waits at a pipe."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Final, Protocol

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

BAR_WIDTH: Final = 30


class Steps(Protocol):
    """Hears of every step; several may be under way at once."""

    def begin(self, label: str) -> None:
        """A step starts."""

    def end(self, label: str, *, stopped: bool) -> None:
        """It is done, or was stopped by an error or by Ctrl-C."""


@contextmanager
def step(steps: Steps, label: str) -> Iterator[None]:
    """One step around a block."""
    steps.begin(label)
    try:
        yield
    except BaseException:
        steps.end(label, stopped=True)
        raise
    steps.end(label, stopped=False)


class TerminalSteps:
    """A line per step, `  PostgreSQL … 0.9 s`; on a terminal the seconds count up, beside a bar where `count` tells."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun: dict[str, float] = {}
        self._counts: dict[str, tuple[int, int]] = {}
        self._live: Live | None = None

    def begin(self, label: str) -> None:
        """Show the step."""
        self._begun[label] = time.monotonic()
        if self._live is None and self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._under_way, transient=True)
            self._live.start()

    def count(self, label: str, done: int, total: int) -> None:
        """Show how far a step that is under way has come."""
        self._counts[label] = (done, total)
        if self._live is not None:
            self._live.refresh()

    def end(self, label: str, *, stopped: bool) -> None:
        """Leave a line with the time it took."""
        self._console.print(self._line(label, " stopped" if stopped else ""))
        del self._begun[label]
        self._counts.pop(label, None)
        if self._live is not None and not self._begun:
            self._live.stop()
            self._live = None

    def _under_way(self) -> Table:
        shown = Table.grid(padding=(0, 2, 0, 0))
        for label in self._begun:
            done, total = self._counts.get(label, (0, 0))
            shown.add_row(
                self._line(label),
                ProgressBar(total, done, width=BAR_WIDTH) if total else "",
                f"{done} of {total}" if total else "",
            )
        return shown

    def _line(self, label: str, how: str = "") -> Text:
        seconds = time.monotonic() - self._begun[label]
        return Text.assemble("  ", label, " … ", (f"{seconds:.1f} s", "cyan"), (how, "red"))


class PipedSteps:
    """JSON lines for the waiting `souk up --detach`. Once nobody listens, the next step fails: then nobody
    would learn that the stack runs."""

    def __init__(self, pipe: IO[str]) -> None:
        self._pipe = pipe

    def begin(self, label: str) -> None:
        """Tell that a step starts."""
        self._tell(begin=label)

    def end(self, label: str, *, stopped: bool) -> None:
        """Tell how it ended."""
        self._tell(end=label, stopped=stopped)

    def complain(self, sentence: str) -> None:
        """Tell why there will be no stack."""
        self._tell(complaint=sentence)

    def _tell(self, **what: str | bool) -> None:
        if self._pipe.closed:  # it was ready, and nobody waits any more
            return
        self._pipe.write(json.dumps(what) + "\n")
        self._pipe.flush()


def relay_steps(lines: Iterable[str], steps: Steps) -> str | None:
    """Show here what `PipedSteps` told, until the pipe is closed at the other end; its complaint, if it had one."""
    complaint = None
    under_way: set[str] = set()
    for line in lines:
        match json.loads(line):
            case {"begin": label}:
                under_way.add(label)
                steps.begin(label)
            case {"end": label, "stopped": stopped}:
                under_way.discard(label)
                steps.end(label, stopped=stopped)
            case {"complaint": sentence}:
                complaint = str(sentence)
            case unknown:
                raise ValueError(f"the supervisor told {unknown!r}")
    for label in under_way:
        steps.end(label, stopped=True)
    return complaint


def terminal() -> TerminalSteps:
    """Steps on standard error: standard output belongs to results."""
    return TerminalSteps(Console(file=sys.stderr, highlight=False))
