"""`souk schedule …`: what runs by the clock."""

from typing import Annotated

import typer

from deploy.cli.api import Json, read, send
from deploy.cli.completing import schedule_entries
from deploy.cli.shown import (
    EXIT_CODES,
    AsJson,
    ExitCode,
    clock_time,
    complain,
    out,
    print_json,
    print_json_lines,
    print_table,
)

group = typer.Typer(
    help="What runs by the clock.\n\n" + EXIT_CODES, epilog="Example: souk schedule list", no_args_is_help=True
)
Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="An entry, as `souk schedule list` shows it.", autocompletion=schedule_entries),
]


@group.command("list", epilog="Example: souk schedule list --json")
def list_entries(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Every entry: when it ran, when it runs next, whether it is paused."""
    found = read(ctx, "/api/admin/schedules")["items"]
    if as_json:
        return print_json_lines(found)
    print_table(
        {"name": "", "cron": "", "zone": "", "job": "", "last run": "", "next run": ""},
        (
            (
                each["name"],
                each["cron"],
                each["time_zone"],
                each["job_type"],
                clock_time(each["last_run"]) or "never",
                clock_time(each["next_runs"][0]) if each["next_runs"] else _why_not(each),
            )
            for each in found
        ),
    )
    return None


@group.command(epilog="Example: souk schedule preview cleanup-cache")
def preview(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """The next five runs of an entry, in its zone and in UTC."""
    entry = _entry(read(ctx, "/api/admin/schedules")["items"], name)
    if as_json:
        return print_json({"name": name, "time_zone": entry["time_zone"], "next_runs": entry["next_runs"]})
    if not entry["next_runs"]:
        return out.print(f"{name} does not run: it is {_why_not(entry)}.")
    for run in entry["next_runs"]:
        out.print(f"{clock_time(run)}  ({run})")
    return None


@group.command(epilog="Example: souk schedule run daily-metrics")
def run(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Run an entry now, paused or not; its own times stay as they are."""
    tick = send(ctx, f"/api/admin/schedules/{name}/run")
    if as_json:
        return print_json(tick)
    out.print(f"{name} runs; `souk jobs list --cause {tick['event']}` shows its job.")
    return None


@group.command(epilog="Example: souk schedule pause cleanup-cache")
def pause(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Let an entry pass its times until it is resumed. Safe to repeat."""
    _print_changed(send(ctx, f"/api/admin/schedules/{name}/pause"), as_json)


@group.command(epilog="Example: souk schedule resume cleanup-cache")
def resume(ctx: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Let an entry run again from now on; what passed meanwhile is not made up for. Safe to repeat."""
    _print_changed(send(ctx, f"/api/admin/schedules/{name}/resume"), as_json)


def _entry(entries: list[Json], name: str) -> Json:
    by_name = {entry["name"]: entry for entry in entries}
    if name not in by_name:
        complain(f"The schedule has no entry {name!r}; there are {', '.join(by_name)}.", ExitCode.FAILED)
    return by_name[name]


def _print_changed(entry: Json, as_json: bool) -> None:
    if as_json:
        return print_json(entry)
    if entry["next_runs"]:
        out.print(f"{entry['name']} runs next at {clock_time(entry['next_runs'][0])}.")
    else:
        out.print(f"{entry['name']} is {_why_not(entry)}.")
    return None


def _why_not(entry: Json) -> str:
    return "paused" if entry["paused"] else "switched off in the schedule file"
