"""What the commands share: their options, how they complain and how they show things.

With `--json` a list is one line per item, anything else one document; names and kinds of the fields are those of the
HTTP API and stay. What goes wrong is then one line on standard error, its last. Tables are for people and may change.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import IntEnum
from typing import Annotated, Any, Final, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON: a list as one line per item.")]

WIDTH_OF_PIPES: Final = 180
"""Tables that nobody sees at a terminal are not wrapped at its 80 columns."""

out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH_OF_PIPES)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class ExitCode(IntEnum):
    """What the shell is told."""

    FAILED = 1
    """Not found, refused, or something is not as it should be."""
    USAGE = 2
    """Wrong usage, or an argument that the service does not take."""
    AWAY = 3
    """Something that was asked does not answer; the same may work later."""
    ALREADY_RUNNING = 4
    INTERRUPTED = 130


EXIT_CODES = "Exit codes: 0 done, 1 not found or refused, 2 wrong usage, 3 a service is away, 130 interrupted."


_complains_in_json: ContextVar[bool] = ContextVar("complains_in_json", default=False)


@contextmanager
def complaints_in_json() -> Iterator[None]:
    """Whatever complains while the block runs does it for programs."""
    token = _complains_in_json.set(True)
    try:
        yield
    finally:
        _complains_in_json.reset(token)


def complain(sentence: str, code: ExitCode, *, problem: Mapping[str, Any] | None = None) -> NoReturn:
    """Say what is wrong and leave. `problem` is what the gateway said of it, for programs."""
    if _complains_in_json.get():
        print_complaint(sentence, code, problem=problem)
    else:
        err.print(sentence, markup=False)
    raise typer.Exit(code)


def print_complaint(sentence: str, code: int, *, problem: Mapping[str, Any] | None = None) -> None:
    """What is wrong as one line of JSON on standard error; `kind` is the exit code in a word."""
    kind = ExitCode(code).name.lower() if code in set(ExitCode) else "failed"
    complaint = {"exit_code": int(code), "kind": kind, "detail": sentence, "problem": problem}
    sys.stderr.write(json.dumps({"error": complaint}) + "\n")


def print_json(answer: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(answer, indent=2, default=str) + "\n")


def print_json_lines(items: Iterable[object]) -> None:
    """One line per item, each written at once."""
    for item in items:
        sys.stdout.write(json.dumps(item, default=str) + "\n")
        sys.stdout.flush()


def print_table(columns: Mapping[str, str], rows: Iterable[Iterable[object]]) -> None:
    """Rows under their headings; a column is justified as its value says (`left` or `right`)."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name, justify in columns.items():
        table.add_column(name, justify="right" if justify == "right" else "left", overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(_cell(cell)) for cell in row))
    out.print(table)


STATE_STYLES = {
    "completed": "green",
    "failed": "red",
    "cancelled": "yellow",
    "retrying": "yellow",
    "processing": "cyan",
}


def state_text(state: str) -> Text:
    """A job's state in its colour."""
    return Text(state, style=STATE_STYLES.get(state, ""))


def clock_time(moment: str | None, now: datetime | None = None) -> str:
    """An API time in the local zone: the hour when it is of today, the date as well when not."""
    if moment is None:
        return ""
    at = datetime.fromisoformat(moment).astimezone()
    today = (now or datetime.now(UTC)).astimezone().date()
    return at.strftime("%H:%M:%S" if at.date() == today else "%Y-%m-%d %H:%M")


def duration(milliseconds: float | None) -> str:
    """`81 ms`, `2.1 s`, `4 min`, `3 h`, `2 d`; nothing for None."""
    if milliseconds is None:
        return ""
    seconds = milliseconds / 1000
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{milliseconds:.0f} ms"


def counted(count: int, noun: str) -> str:
    """`1 job`, `2 jobs`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def error_text(error: Mapping[str, Any] | None, longest: int = 80) -> str:
    """`MailboxDeferred: try later`, cut to fit a row."""
    if not error:
        return ""
    text = " ".join(f"{error['class']}: {error.get('message') or ''}".split())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _cell(value: object) -> str:
    return "" if value is None else str(value)
