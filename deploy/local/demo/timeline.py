"""What the demo shows while it happens: requests, mails, pictures, jobs, figures."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

TABLE_WIDTH = 120
"""The console is as wide as this even where no terminal says so, as in a log."""


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

    def request(self, who: str, method: str, path: str, status: int, ms: float) -> None:
        """One HTTP request of one of the people."""
        entry = {"who": who, "method": method, "path": path, "status": status, "ms": round(ms, 1)}
        self._keep("request", entry)
        self._line(
            (f"{who:<9}", "cyan"),
            f"{method:<5}{path}",
            (f"  {status}", "green" if status < 400 else "red"),
            (f"  {ms:.0f} ms", "dim"),
        )

    def mail(self, message: Mapping[str, Any]) -> None:
        """A mail as the mail sink received it."""
        to = ", ".join(message["to"]) if isinstance(message["to"], list) else message["to"]
        self._keep("mail", {"to": to, "subject": message["subject"], "message_id": message["message_id"]})
        self._line(("mail     ", "magenta"), f"to {to}: “{message['subject']}”")

    def rendition(self, rendition: Mapping[str, Any]) -> None:
        """One size and format of a picture."""
        self._keep("rendition", dict(rendition))
        size = f"{rendition['width']}x{rendition['height']}"
        self._line(
            ("picture  ", "yellow"),
            f"{rendition['preset']:<6}{rendition['format']:<5}{size:>10}{rendition['bytes'] / 1000:>8.1f} kB",
        )

    def fact(self, who: str, sentence: str) -> None:
        """Something seen that is neither request nor mail."""
        self._keep("fact", {"who": who, "fact": sentence})
        self._line((f"{who:<9}", "blue"), sentence)

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
                Text(_short(job["result"]), style="dim"),
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

    def _line(self, *parts: str | tuple[str, str]) -> None:
        self._console.print(Text.assemble((f"{self._elapsed():6.1f} s  ", "dim"), *parts))

    def _elapsed(self) -> float:
        return time.monotonic() - self._begun


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for column in columns:
        is_number = column.endswith("ms") or column in ("priority", "attempts", "pid")
        table.add_column(column, justify="right" if is_number else "left", no_wrap=True)
    return table


def _short(result: object) -> str:
    if not isinstance(result, dict):
        return "" if result is None else str(result)[:60]
    figures = {key: value for key, value in result.items() if isinstance(value, int) and not isinstance(value, bool)}
    return ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in figures.items())
