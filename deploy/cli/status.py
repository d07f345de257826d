"""`souk status`: what runs, and where something does not: which process, for want of what, since when, what to do."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NoReturn

import aiohttp
import typer
from rich.text import Text

from deploy.cli.api import Api, Asked, Away, Json, Place, Refused, ask, command_settings, place_of
from deploy.cli.shown import AsJson, ExitCode, clock_time, complain, out, print_json, print_table
from deploy.local.home import Home
from deploy.local.run_file import RunFile, RunningProcess

ANSWER_SECONDS: Final = 3.0
CALM: Final = timedelta(seconds=60)
"""Complaints of a log that are no further apart than this belong to one trouble."""
READ_BYTES: Final = 256 * 1024
CHECK_ADVICE: Final = {
    "broker": "See that RabbitMQ runs without an alarm and takes connections; nothing is lost meanwhile, jobs and "
    "events wait in the database.",
    "database": "See that PostgreSQL runs and takes connections; requests that need it are answered with 503.",
}
MOST_NAMED: Final = 4
NO_ANSWER: Final = "does not answer on its operations port"
NOT_RUNNING: Final = "is not running; its supervisor starts it again"


@dataclass(frozen=True, slots=True)
class Seen:
    """A process as it was found. `wants` are the checks that failed, with what they say.

    Read in logs: `since` when it is in trouble, and of one that does not answer when it wrote its last line.
    """

    name: str
    pid: int | None
    ready: bool
    restarts: int
    ops_url: str
    wants: dict[str, str]
    since: str | None = None
    last_words_at: str | None = None

    @property
    def what(self) -> str:
        """What is wrong with it, for a row."""
        return "; ".join(text if name == "process" else f"{name}: {text}" for name, text in self.wants.items())


def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """What runs and how it is: each process, the health score, and for what is wrong since when and what to do.

    Of the one-machine stack every process is asked; of an installation elsewhere (--gateway) its gateway is. Exits 1
    when a process is not ready or the health is less than good, 3 when nothing runs or answers.
    """
    asked = ctx.find_root().obj or Asked()
    settings = command_settings()
    home = Home(settings.home)
    if asked.gateway or settings.gateway_url:
        _of_an_installation(ctx, as_json)
        return
    supervisor = home.supervisor_pid()
    run = RunFile.read(home.run_file) if supervisor else None
    if run is None:
        _of_nothing(supervisor, as_json)
    place = place_of(asked, settings)
    assert place is not None
    processes, health = asyncio.run(_look(run, home, place))
    if as_json:
        rows = [asdict(each) for each in processes]
        print_json({"running": True, "supervisor": run.supervisor, "processes": rows, "health": health})
    else:
        _print_processes(processes)
        _print_troubles(processes)
        _print_health(health)
    if not all(each.ready for each in processes) or _is_bad(health):
        raise typer.Exit(ExitCode.FAILED)


def troubled_since(lines: Iterable[str]) -> str | None:
    """When the trouble began that a log's last complaint belongs to: complaints with no calm minute between them."""
    began: str | None = None
    last: datetime | None = None
    for at in _complaints(lines):
        moment = datetime.fromisoformat(at)
        if last is None or moment - last > CALM:
            began = at
        last = moment
    return began


def last_moment(lines: Iterable[str]) -> str | None:
    """When the last line was written that says when."""
    return max((at for at, _ in _entries(lines)), default=None)


# -- looking ------------------------------------------------------------------------------------------


async def _look(run: RunFile, home: Home, place: Place) -> tuple[list[Seen], Json | None]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS)) as http:
        found, health = await asyncio.gather(
            asyncio.gather(*(_seen(each, http) for each in (*run.processes, *run.helpers))),
            _health(Api(place, http)),
        )
    return [each if each.ready else _with_since(each, home) for each in found], health


async def _seen(process: RunningProcess, http: aiohttp.ClientSession) -> Seen:
    wants: dict[str, str] = {}
    is_ready = False
    try:
        async with http.get(f"{process.ops_url}/readyz") as answer:
            is_ready = answer.status == 200
            told: Any = {} if is_ready else await answer.json(content_type=None)
            wants = {name: str(text) for name, text in told.get("checks", {}).items() if text != "ok"}
    except (aiohttp.ClientError, TimeoutError, ValueError):
        wants = {"process": NOT_RUNNING if process.pid is None else NO_ANSWER}
    return Seen(process.name, process.pid, is_ready, process.restarts, process.ops_url, wants)


async def _health(api: Api) -> Json | None:
    try:
        health: Json = (await api.get("/api/admin/monitoring"))["health"]
    except (Away, Refused):
        return None
    return health


def _with_since(process: Seen, home: Home) -> Seen:
    """Read in its own log since when it complains; of one that is gone the supervisor's log tells."""
    if "process" in process.wants:
        lines = (line for line in _end_of(home.logs / "supervisor.log") if f'"{process.name}"' in line)
        last_words_at = last_moment(_end_of(home.logs / f"{process.name}.log"))
        return replace(process, since=troubled_since(lines), last_words_at=last_words_at)
    return replace(process, since=troubled_since(_end_of(home.logs / f"{process.name}.log")))


def _end_of(log_file: Path) -> Iterator[str]:
    try:
        with log_file.open("rb") as file:
            file.seek(max(0, log_file.stat().st_size - READ_BYTES))
            yield from file.read().decode(errors="replace").splitlines()
    except OSError:
        return


def _complaints(lines: Iterable[str]) -> Iterator[str]:
    return (at for at, level in _entries(lines) if level in ("warning", "error", "critical"))


def _entries(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """When each line was written, and how bad it is; what is no line of ours is left out."""
    for line in lines:
        try:
            entry = json.loads(line)
            datetime.fromisoformat(entry["timestamp"])
            yield str(entry["timestamp"]), str(entry["level"])
        except (ValueError, KeyError, TypeError):
            continue


# -- telling ------------------------------------------------------------------------------------------


def _of_nothing(supervisor: int | None, as_json: bool) -> NoReturn:
    if as_json:
        print_json({"running": False, "supervisor": supervisor, "processes": [], "health": None})
        raise typer.Exit(ExitCode.AWAY)
    complain(
        f"Souk is starting or stopping (supervisor {supervisor})."
        if supervisor
        else "Nothing runs in this clone: `souk up` starts it, and --gateway asks one elsewhere.",
        ExitCode.AWAY,
    )


def _of_an_installation(ctx: typer.Context, as_json: bool) -> None:
    found = ask(ctx, lambda api: api.get("/api/admin/monitoring"))
    if as_json:
        print_json(found)
    else:
        _print_health(found["health"])
    if _is_bad(found["health"]):
        raise typer.Exit(ExitCode.FAILED)


def _is_bad(health: Json | None) -> bool:
    """A term may cost a little on a good day; what is not told is no news."""
    return health is not None and health["status"] not in ("excellent", "good")


def _print_processes(processes: list[Seen]) -> None:
    print_table(
        {"process": "", "pid": "right", "ready": "", "restarts": "right", "port": "right"},
        (
            (
                each.name,
                each.pid or "-",
                Text("yes", style="green") if each.ready else Text("no", style="red bold"),
                each.restarts,
                each.ops_url.rpartition(":")[2],
            )
            for each in processes
        ),
    )


def _print_troubles(processes: list[Seen]) -> None:
    """One paragraph per dependency that is missed, not one per process that misses it."""
    missed: dict[str, list[Seen]] = {}
    for process in processes:
        for want in process.wants:
            missed.setdefault(want, []).append(process)
    for want, those in missed.items():
        since = min((each.since for each in those if each.since), default=None)
        out.print()
        if want == "process":
            for each in those:
                began = f", since {clock_time(each.since)}" if each.since else ""
                words = (
                    f"Its last words, of {clock_time(each.last_words_at)}," if each.last_words_at else "Its last words"
                )
                told = f"{each.wants[want]}{began}. {words} are in the log {each.name}.log."
                out.print(Text.assemble((each.name, "red bold"), f" {told}"))
            continue
        names = ", ".join(each.name for each in those)
        began = f"since {clock_time(since)}" if since else "just now"
        out.print(Text.assemble((want, "red bold"), f" is missed {began} by {names}."))
        for each in those:
            out.print(Text(f"  {each.name}: {_short(each.wants[want])}", style="dim"))
        out.print(Text(f"  {CHECK_ADVICE.get(want, f'See what {want} is of {names} in docs/runbook.md.')}"))


def _short(text: str) -> str:
    """A list of queues cut after the first four; `--json` has them all."""
    first = text.split(", ")
    return text if len(first) <= MOST_NAMED else f"{', '.join(first[:MOST_NAMED])} and {len(first) - MOST_NAMED} more"


def _print_health(health: Json | None) -> None:
    out.print()
    if health is None:
        out.print(Text("The gateway does not tell the health score: it does not answer, or not for this key."))
        return
    style = "green" if health["score"] >= 96 else "yellow" if health["score"] >= 50 else "red"
    out.print(Text.assemble("Health ", (f"{health['score']} of 100, {health['status']}", style)))
    for term in health["terms"]:
        if term["cost"]:
            note = f" {term['note']}" if term["note"] else ""
            out.print(Text.assemble(("  ", ""), (f"-{term['cost']} {term['name']}", "bold"), f":{note}"))
            out.print(Text(f"     {term['advice']}"))
