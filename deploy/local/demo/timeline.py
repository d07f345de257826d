"""What the demo shows while it happens: requests, mails, pictures, jobs, figures."""

import textwrap
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

TABLE_WIDTH = 120
"""The console is as wide as this even where no terminal says so, as in a log."""


NAME_WIDTH = 10
QUOTE_INDENT = 10 + NAME_WIDTH


class Timeline:
    """Prints each thing as it is seen and keeps it, so that `--json` can give all of it at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()
        self.entries: list[dict[str, Any]] = []

    def chapter(self, title: str) -> None:
        """A part of the story begins."""
        self.entries.append({"kind": "chapter", "title": title})
        self._console.print(Text(f"\n{title}", style="bold"))

    def request(self, who: str, method: str, path: str, status: int, ms: float, problem: str = "") -> None:
        """One HTTP request of one of the people. `problem` is the code of the answer, and what it points at."""
        entry = {"who": who, "method": method, "path": path, "status": status, "ms": round(ms, 1)}
        self._keep("request", {**entry, "problem": problem} if problem else entry)
        self._line(
            (_name(who), "cyan"),
            f"{method:<6}{path}",
            (f"  {status}", "green" if status < 400 else "yellow"),
            (f"  {ms:.0f} ms", "dim"),
            (f"  {problem}" if problem else "", "yellow"),
        )

    def mail(self, message: Mapping[str, Any]) -> None:
        """A mail as the mail sink received it."""
        to = ", ".join(message["to"]) if isinstance(message["to"], list) else message["to"]
        self._keep("mail", {"to": to, "subject": message["subject"], "message_id": message["message_id"]})
        self._line((_name("mail"), "magenta"), f"to {to}: “{message['subject']}”")

    def quote(self, lines: Sequence[str]) -> None:
        """What a mail says."""
        self._keep("quote", {"lines": list(lines)})
        self._beside(lines)

    def attempt(self, job: Mapping[str, Any], attempt: Mapping[str, Any]) -> None:
        """How one attempt of a job ended, and when the next one is."""
        self._keep("attempt", {"job": job["id"], "type": job["type"], **attempt})
        error = attempt["error"]
        ending, style = (attempt["outcome"], "green") if error is None else (_failure(attempt), "yellow")
        name = f"{job['type']} {attempt['number']} of {job['max_attempts']} "
        self._line((_name("attempt"), "blue"), name, (ending, style))
        if error is not None:
            self._beside([error["message"]])

    def rendition(self, rendition: Mapping[str, Any]) -> None:
        """One size and format of a picture."""
        self._keep("rendition", dict(rendition))
        size = f"{rendition['width']}x{rendition['height']}"
        self._line(
            (_name("picture"), "yellow"),
            f"{rendition['preset']:<6}{rendition['format']:<5}{size:>10}{rendition['bytes'] / 1000:>8.1f} kB",
        )

    def fact(self, who: str, sentence: str) -> None:
        """Something seen that is neither request nor mail."""
        self._keep("fact", {"who": who, "fact": sentence})
        self._line((_name(who), "blue"), sentence)

    def jobs(self, jobs: Sequence[Mapping[str, Any]]) -> None:
        """Every job behind the story, in the order of its making."""
        self._keep("jobs", {"jobs": list(jobs)})
        table = _table("job", "priority", "state", "attempts", "wait ms", "run ms", "result")
        for job in jobs:
            table.add_row(
                job["type"],
                str(job["priority"]),
                Text(job["state"], style="green" if job["state"] == "completed" else "red"),
                f"{job['attempt']}/{job['max_attempts']}",
                str(job["wait_ms"]),
                str(job["run_ms"]),
                Text(_told_of(job), style="dim"),
            )
        self._console.print(table)

    def processes(self, rows: Sequence[tuple[str, int, str]]) -> None:
        """What each process did: name, pid, and the one thing in figures of its own."""
        self._keep("processes", {"processes": [{"name": n, "pid": p, "did": d} for n, p, d in rows]})
        table = _table("process", "pid", "did")
        for name, pid, did in rows:
            table.add_row(name, str(pid), did)
        self._console.print(table)

    def end(self, sentence: str) -> None:
        """How it went."""
        self._keep("end", {"sentence": sentence})
        self._console.print(Text(f"\n{sentence}", style="bold green"))

    def _keep(self, kind: str, entry: Mapping[str, Any]) -> None:
        self.entries.append({"kind": kind, "at_seconds": round(self._elapsed(), 3), **entry})

    def _beside(self, lines: Sequence[str]) -> None:
        """Words of somebody else, with a rule at their left."""
        for line in lines:
            own = len(line) - len(line.lstrip())
            for part in textwrap.wrap(line, TABLE_WIDTH - QUOTE_INDENT - 2, subsequent_indent=" " * own):
                self._console.print(Text(f"{' ' * QUOTE_INDENT}│ {part}", style="dim"))

    def _line(self, *parts: str | tuple[str, str]) -> None:
        self._console.print(Text.assemble((f"{self._elapsed():6.1f} s  ", "dim"), *parts))

    def _elapsed(self) -> float:
        return time.monotonic() - self._begun


def _name(who: str) -> str:
    return f"{who:<{NAME_WIDTH}}"


def _failure(attempt: Mapping[str, Any]) -> str:
    """The class of what went wrong, and when it is tried again."""
    failed = f"failed ({attempt['error']['class']})"
    if attempt["retry_at"] is None:
        return f"{failed}, given up"
    ended = datetime.fromisoformat(attempt["started_at"]) + timedelta(milliseconds=attempt["run_ms"] or 0)
    seconds = (datetime.fromisoformat(attempt["retry_at"]) - ended).total_seconds()
    return f"{failed}, again in {max(0.0, seconds):.1f} s"


def _table(*columns: str) -> Table:
    """A table whose last column takes the room that is left; no other is ever cut."""
    table = Table(box=None, padding=(0, 1), header_style="dim", width=TABLE_WIDTH)
    *fixed, last = columns
    for column in fixed:
        is_number = column.endswith("ms") or column in ("priority", "attempts", "pid")
        table.add_column(column, justify="right" if is_number else "left", no_wrap=True)
    table.add_column(last, no_wrap=True, ratio=1, overflow="ellipsis")
    return table


def _told_of(job: Mapping[str, Any]) -> str:
    """What it was about, if its type alone does not say it, and what came of it."""
    about = job["payload"].get("letter") or job["payload"].get("kind")
    figures = _figures_of(job["result"])
    return f"{about.replace('_', ' ')}: {figures}" if about else figures


def _figures_of(result: object) -> str:
    """What a job's result counts, zeros left out, and what it says of itself with yes."""
    if not isinstance(result, dict):
        return "" if result is None else str(result)
    told = []
    for name, value in {**result, **result.get("counts", {})}.items():
        if value is True:
            told.append(name)
        elif isinstance(value, int) and value:
            told.append(f"{value} {name}")
    return ", ".join(told).replace("_", " ")
