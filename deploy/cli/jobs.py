"""`souk jobs …`: what the work is, how it goes, and steering it."""

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.progress import Progress, track

from deploy.cli.api import Api, Away, Json, Refused, ask, read, send
from deploy.cli.asking import Yes, be_sure
from deploy.cli.bulk import Wait, see_over
from deploy.cli.completing import job_types
from deploy.cli.moments import Since, Until, as_query
from deploy.cli.shown import (
    EXIT_CODES,
    AsJson,
    ExitCode,
    clock_time,
    complain,
    counted,
    duration,
    err,
    error_text,
    out,
    print_json,
    print_json_lines,
    print_table,
    state_text,
)
from deploy.cli.tail import follow, follow_one

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, as `souk jobs list` shows it.")]
TypeName = Annotated[
    str,
    typer.Argument(metavar="TYPE", help="A job type, as `souk jobs types` lists them.", autocompletion=job_types),
]
OfType = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="Only jobs of this type.", autocompletion=job_types)
]
OfCause = Annotated[str | None, typer.Option("--cause", metavar="ID", help="Only what this event or tick caused.")]
OpenState = Literal["scheduled", "pending", "processing", "retrying"]
State = Literal[OpenState, "completed", "failed", "cancelled"]
Newest = Annotated[int, typer.Option("--limit", min=1, max=100, help="How many at most.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")]

group = typer.Typer(
    help="Look at jobs and steer them.\n\n" + EXIT_CODES,
    epilog="Example: souk jobs list --state failed --since 2h",
    no_args_is_help=True,
)

LIST_COLUMNS = {"id": "", "type": "", "p": "right", "state": "", "attempt": "right", "created": "", "": ""}


@group.command(epilog="Example: souk jobs stats --json")
def stats(ctx: typer.Context, as_json: AsJson = False) -> None:
    """How many jobs are in which state, how many workers there are, and which types stand since when."""
    found = read(ctx, "/api/admin/jobs", action="stats")
    if as_json:
        return print_json(found["stats"])
    print_table({"": "", "jobs": "right"}, [(name.replace("_", " "), count) for name, count in found["stats"].items()])
    for each in found.get("open_breakers", ()):
        out.print()
        out.print(_broken(each))
    return None


@group.command("list", epilog="Example: souk jobs list --state failed --type send-email --since 2h")
def list_jobs(
    ctx: typer.Context,
    kind: OfType = None,
    state: Annotated[State | None, typer.Option(help="Only this state.")] = None,
    priority: Annotated[int | None, typer.Option(min=1, max=5, help="Only this priority; 1 is the highest.")] = None,
    cause: OfCause = None,
    search: Annotated[
        str | None, typer.Option("--search", "-q", metavar="TEXT", help="An id, or part of the last error.")
    ] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    query = {
        "type": kind,
        "state": state,
        "priority": priority,
        "cause": cause,
        "q": search,
        "since": as_query(since),
        "until": as_query(until),
    }
    found = ask(ctx, lambda api: api.listed("/api/admin/jobs/list", limit=limit, **query))
    if as_json:
        print_json_lines(found)
    elif found:
        print_table(LIST_COLUMNS, map(_row, found))
    else:
        err.print("No job fits.")


@group.command(epilog="Example: souk jobs show 0197f3b2-8a51-7c3e-9d5e-2f4b6a1c8e07")
def show(ctx: typer.Context, job: JobId, as_json: AsJson = False) -> None:
    """Show one job with its payload, its result and every attempt."""
    found = read(ctx, "/api/admin/jobs", action="job", id=job)["job"]
    if as_json:
        print_json(found)
    else:
        _print_job(found)


@group.command(epilog="Example: souk jobs retry --type send-email --error MailboxDeferred --dry-run")
def retry(
    ctx: typer.Context,
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="One job; without it, all that fit.")] = None,
    kind: OfType = None,
    error: Annotated[str | None, typer.Option(metavar="CLASS", help="Only those that failed with this error.")] = None,
    cause: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only those of this cause, as `souk jobs groups` writes it.")
    ] = None,
    since: Since = None,
    per_second: Annotated[float, typer.Option(min=0.1, max=1000, help="How many are let go each second.")] = 20.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    wait: Wait = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Retry one failed job, or all failed jobs that fit, at most 5,000 at once. They begin with fresh attempts."""
    filters = {"type": kind, "error_class": error, "cause": cause, "since": as_query(since)}
    given: Json = {name: value for name, value in filters.items() if value is not None}
    if job is not None:
        if given or dry_run:
            raise typer.BadParameter("a filter or --dry-run is for many; JOB is retried whatever it is")
        found = send(ctx, f"/api/admin/jobs/{job}/retry")
        if not as_json:
            out.print(f"{found['type']} {found['id']} is {found['state']} again.")
        elif not wait:
            print_json(found)
        return see_over(ctx, [job], as_json=as_json) if wait else None
    body = given | {"per_second": per_second, "dry_run": True}
    answer = send(ctx, "/api/admin/jobs/retry", body)
    if not dry_run and answer["jobs"]:
        be_sure(f"Retry {counted(answer['jobs'], 'failed job')} over {_over(answer)}?", yes=yes)
        answer = send(ctx, "/api/admin/jobs/retry", body | {"dry_run": False})
    is_waited_for = wait and not answer["dry_run"]
    if not as_json:
        what = "would be" if answer["dry_run"] else "is" if answer["jobs"] == 1 else "are"
        out.print(f"{counted(answer['jobs'], 'failed job')} {what} retried over {_over(answer)}.{_more(answer)}")
    elif not is_waited_for:
        print_json(answer)
    return see_over(ctx, answer["ids"], as_json=as_json) if is_waited_for else None


@group.command("clear-history", epilog="Example: souk jobs clear-history --yes")
def clear_history(ctx: typer.Context, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete every job that is over, with its attempts and errors. Open ones stay. Nothing brings them back."""
    be_sure("Delete every job that is completed, failed or cancelled?", yes=yes)
    cleared = ask(ctx, _clear_all)
    if as_json:
        print_json({"cleared": cleared})
    else:
        out.print(f"{counted(cleared, 'job')} deleted.")


@group.command(epilog="Example: souk jobs cancel --type generate-report --state pending --dry-run")
def cancel(
    ctx: typer.Context,
    job: Annotated[str | None, typer.Argument(metavar="[JOB]", help="One job; without it, all that fit.")] = None,
    kind: OfType = None,
    state: Annotated[OpenState | None, typer.Option(help="Only this state.")] = None,
    cause: OfCause = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Cancel a job, or all open jobs that fit, at most 5,000 at once.

    One that waits is cancelled at once; one that runs is asked, and its own report decides.
    """
    filters = {"type": kind, "state": state, "cause": cause, "since": as_query(since), "until": as_query(until)}
    given: Json = {name: value for name, value in filters.items() if value is not None}
    if job is not None:
        if given or dry_run:
            raise typer.BadParameter("a filter or --dry-run is for many; JOB is cancelled whatever it is")
        return _cancel_one(ctx, job, yes=yes, as_json=as_json)
    if not given:
        raise typer.BadParameter("say which: a JOB, or a filter")
    body = given | {"action": "cancel", "dry_run": True}
    answer = send(ctx, "/api/admin/jobs/bulk", body)
    if not dry_run and answer["jobs"]:
        be_sure(f"Cancel {counted(answer['jobs'], 'job')}?", yes=yes)
        answer = send(ctx, "/api/admin/jobs/bulk", body | {"dry_run": False})
    if as_json:
        return print_json(answer)
    what = "would be cancelled" if answer["dry_run"] else "cancelled, or asked to stop where they run"
    out.print(f"{counted(answer['jobs'], 'job')} {what}.{_more(answer)}")
    return None


def _cancel_one(ctx: typer.Context, job: str, *, yes: bool, as_json: bool) -> None:
    be_sure(f"Cancel job {job}?", yes=yes)
    found = send(ctx, f"/api/admin/jobs/{job}/cancel")
    if as_json:
        print_json(found)
    elif found["state"] == "cancelled":
        out.print("It is cancelled.")
    else:
        out.print(f"It is {found['state']} and was asked to stop; `souk jobs tail {job}` shows how it ends.")


@group.command(epilog="Example: souk jobs tail --type send-email     (Ctrl-C ends it)")
def tail(
    ctx: typer.Context,
    job: Annotated[
        str | None, typer.Argument(metavar="[JOB]", help="Follow this one until it is over; 1 if it fails.")
    ] = None,
    kind: OfType = None,
    cause: OfCause = None,
    interval: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two looks.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """Follow jobs as they come, are tried and end: a line for each change from now on.

    It asks the API again each second, so what came and went between two looks is told afterwards, all of it.
    """
    if job is None:
        ask(ctx, lambda api: follow(api, kind=kind, cause=cause, interval_seconds=interval, as_json=as_json))
    elif ask(ctx, lambda api: follow_one(api, job, interval_seconds=interval, as_json=as_json)) != "completed":
        raise typer.Exit(ExitCode.FAILED)


@group.command(epilog='Example: souk jobs enqueue cleanup-cache \'{"mode": "expire"}\' --wait')
def enqueue(
    ctx: typer.Context,
    kind: Annotated[str | None, typer.Argument(metavar="[TYPE]", help="The job type.")] = None,
    payload: Annotated[str, typer.Argument(metavar="[JSON]", help="Its payload; - reads standard input.")] = "{}",
    priority: Annotated[int | None, typer.Option(min=1, max=5, help="1 is the highest.")] = None,
    max_attempts: Annotated[int | None, typer.Option(min=1, max=20, help="How often it is tried at most.")] = None,
    run_at: Annotated[str | None, typer.Option(metavar="TIME", help="Not before then: 2026-01-31T12:00Z.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The same key makes one job a day.")
    ] = None,
    lines: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Many: a line of JSON each, with type, payload and the options."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow what is made until it is over; exits 1 if any fails.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a job by hand, or many from a file."""
    if lines is not None:
        made = ask(ctx, lambda api: _enqueue_all(api, _bodies(lines)))
        if wait:
            return see_over(ctx, [job["id"] for job in made], as_json=as_json)
        return print_json_lines(made) if as_json else out.print(f"{counted(len(made), 'job')} made.")
    if kind is None:
        raise typer.BadParameter("say which TYPE, or give many with --from")
    body: Json = {"type": kind, "payload": _json(sys.stdin.read() if payload == "-" else payload)}
    options = {
        "priority": priority,
        "max_attempts": max_attempts,
        "run_at": as_query(run_at),
        "idempotency_key": idempotency_key,
    }
    body |= {name: value for name, value in options.items() if value is not None}
    made_one = send(ctx, "/api/admin/jobs/enqueue", body)
    if not wait:
        return print_json(made_one) if as_json else out.print(f"{made_one['type']} {made_one['id']} is made.")
    if ask(ctx, lambda api: follow_one(api, made_one["id"], interval_seconds=0.5, as_json=as_json)) != "completed":
        raise typer.Exit(ExitCode.FAILED)
    return None


@group.command(epilog="Example: souk jobs groups")
def groups(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Failed jobs by cause: what to mend first. Numbers and ids in the messages are left out."""
    found = ask(ctx, lambda api: api.get("/api/admin/jobs/groups"))["items"]
    if as_json:
        return print_json_lines(found)
    if not found:
        err.print("No job has failed.")
        return None
    columns = {"jobs": "right", "type": "", "error": "", "cause": "", "first": "", "last": "", "an example": ""}
    fields = ("jobs", "type", "error_class", "cause")
    print_table(
        columns,
        (
            [
                *(each[name] for name in fields),
                clock_time(each["first_seen"]),
                clock_time(each["last_seen"]),
                each["example"],
            ]
            for each in found
        ),
    )
    return None


@group.command(epilog="Example: souk jobs pause send-email")
def pause(ctx: typer.Context, kind: TypeName, as_json: AsJson = False) -> None:
    """Have no worker take jobs of a type. What runs, finishes; what waits, waits. Safe to repeat."""
    _print_paused(send(ctx, f"/api/admin/job-types/{kind}/pause")["items"], as_json)


@group.command(epilog="Example: souk jobs resume send-email")
def resume(ctx: typer.Context, kind: TypeName, as_json: AsJson = False) -> None:
    """Let workers take jobs of a type again. Safe to repeat."""
    _print_paused(send(ctx, f"/api/admin/job-types/{kind}/resume")["items"], as_json)


@group.command(epilog="Example: souk jobs workers")
def workers(ctx: typer.Context, as_json: AsJson = False) -> None:
    """The workers that were heard of in the last ten minutes: version, types, and the jobs in their hands."""
    found = read(ctx, "/api/admin/workers")["items"]
    if as_json:
        return print_json_lines(found)
    print_table(
        {"worker": "", "version": "", "heard of": "", "reads": "", "in hand": ""},
        (
            (
                each["worker"],
                each["version"],
                clock_time(each["seen_at"]),
                ", ".join(each["types"]),
                ", ".join(each["held"]) or "nothing",
            )
            for each in found
        ),
    )
    return None


@group.command(epilog="Example: souk jobs types")
def types(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Each job type: how many workers read it, how long its oldest job has waited, and whether it stands and why."""

    async def look(api: Api) -> list[Json]:
        health, paused = await asyncio.gather(
            api.get("/api/admin/jobs", action="health"), api.get("/api/admin/job-types")
        )
        work = health["health"]
        since = {each["type"]: each for each in paused["items"]}
        broken = {each["type"]: each for each in paused["breakers"]}
        return [
            {
                "type": kind,
                "active_workers": count,
                "oldest_waiting_seconds": work["oldest_waiting_seconds"].get(kind),
                "paused_since": since.get(kind, {}).get("since"),
                "paused_by": since.get(kind, {}).get("actor"),
                "broken_since": broken.get(kind, {}).get("since"),
                "broken_by": _error_of(broken.get(kind)),
            }
            for kind, count in work["active_workers"].items()
        ]

    found = ask(ctx, look)
    if as_json:
        return print_json_lines(found)
    print_table(
        {"type": "", "workers": "right", "oldest waits": "right", "stands": ""},
        (
            (
                each["type"],
                each["active_workers"],
                _waiting(each["oldest_waiting_seconds"]),
                _why_it_stands(each),
            )
            for each in found
        ),
    )
    return None


@group.command(epilog="Example: souk jobs events --type send-email")
def events(ctx: typer.Context, kind: OfType = None, limit: Newest = 20, as_json: AsJson = False) -> None:
    """What stopped types and let them go on: people who paused and resumed, breakers that opened and closed."""
    found = read(ctx, "/api/admin/job-types/events", limit=limit, **({} if kind is None else {"type": kind}))["items"]
    if as_json:
        return print_json_lines(found)
    if not found:
        err.print("Nothing stopped a type in the last 30 days.")
        return None
    print_table(
        {"when": "", "type": "", "what": "", "by": "", "": ""},
        (
            (clock_time(each["at"]), each["type"], each["what"].replace("_", " "), each["actor"], each["detail"])
            for each in found
        ),
    )
    return None


# -- how it is shown ----------------------------------------------------------------------------------


def _row(job: Json) -> Iterable[object]:
    return (
        job["id"],
        job["type"],
        job["priority"],
        state_text(job["state"]),
        f"{job['attempt']}/{job['max_attempts']}",
        clock_time(job["created_at"]),
        error_text(job["error"]),
    )


def _more(answer: Json) -> str:
    return " More fit: ask again for those." if answer["more"] else ""


def _over(answer: Json) -> str:
    return duration(answer["over_seconds"] * 1000)


def _waiting(seconds: float | None) -> str:
    """Nothing where no job waits."""
    return duration(seconds * 1000) if seconds else ""


def _why_it_stands(kind: Json) -> str:
    reasons = []
    if kind["paused_since"]:
        reasons.append(f"paused since {clock_time(kind['paused_since'])} by {kind['paused_by']}")
    if kind["broken_since"]:
        reasons.append(f"breaker open since {clock_time(kind['broken_since'])}: {error_text(kind['broken_by'])}")
    return "; ".join(reasons)


def _broken(breaker: Json) -> str:
    why = error_text(_error_of(breaker), longest=300)
    told = f"{breaker['type']} stands since {clock_time(breaker['since'])}: {why}"
    return f"{told}. One job at a time tries, and it goes on by itself."


def _error_of(breaker: Json | None) -> Json | None:
    if breaker is None or breaker["error_class"] is None:
        return None
    return {"class": breaker["error_class"], "message": breaker["error_message"]}


def _print_job(job: Json) -> None:
    lines: list[tuple[str, object]] = [
        ("job", job["id"]),
        ("type", f"{job['type']}, priority {job['priority']}"),
        ("state", state_text(job["state"])),
        ("attempts", f"{job['attempt']} of {job['max_attempts']}"),
        ("cause", job["cause"]),
        ("vendor", job["vendor_id"]),
        ("created", clock_time(job["created_at"])),
        ("waited", duration(job["wait_ms"])),
        ("ran", duration(job["run_ms"])),
        ("next try", clock_time(job["retry_at"])),
        ("payload", json.dumps(job["payload"])),
        ("result", None if job["result"] is None else json.dumps(job["result"])),
        ("error", error_text(job["error"], longest=2000)),
    ]
    print_table({"": "", " ": ""}, [line for line in lines if line[1]])
    if job["attempts"]:
        out.print()
        print_table(
            {"attempt": "right", "began": "", "ran": "right", "outcome": "", "worker": "", "": ""},
            (
                (
                    each["number"],
                    clock_time(each["started_at"]),
                    duration(each["run_ms"]),
                    each["outcome"],
                    each["worker"],
                    error_text(each["error"]),
                )
                for each in job["attempts"]
            ),
        )


def _print_paused(paused: list[Json], as_json: bool) -> None:
    if as_json:
        return print_json_lines(paused)
    if not paused:
        return out.print("No type is paused.")
    print_table(
        {"paused": "", "since": "", "by": ""},
        ((each["type"], clock_time(each["since"]), each["actor"]) for each in paused),
    )
    return None


# -- many at once -------------------------------------------------------------------------------------


def _json(text: str, what: str = "the payload") -> Any:
    try:
        return json.loads(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{what} is not JSON: {exc}") from None


def _bodies(path: Path) -> dict[int, Json]:
    """What the file asks for, by the number of the line; refused whole if one line is no JSON."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as exc:
        complain(f"{path}: {exc}", ExitCode.USAGE)
    return {number: _json(line, f"line {number} of {path}") for number, line in enumerate(lines, 1) if line.strip()}


async def _clear_all(api: Api) -> int:
    """Ask until none is left: one answer comes after three seconds at most."""
    stats = (await api.get("/api/admin/jobs", action="stats"))["stats"]
    cleared = 0
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("Jobs", total=stats["completed"] + stats["failed"] + stats["cancelled"])
        while True:
            answer = await api.post("/api/admin/jobs", {"action": "clear-history"})
            cleared += int(answer["cleared"])
            progress.update(task, completed=cleared)
            if not answer["more"]:
                return cleared


async def _enqueue_all(api: Api, bodies: Mapping[int, Json]) -> list[Json]:
    """One after another, so that it stops at the first that is refused, and says which: those before it are made."""
    made: list[Json] = []
    shown = track(bodies.items(), "Jobs", console=err, transient=True, disable=not err.is_terminal)
    for number, body in shown:
        try:
            made.append(await api.post("/api/admin/jobs/enqueue", body))
        except (Refused, Away) as failure:
            failure.args = (f"Line {number}: {failure}\n{counted(len(made), 'job')} made before it.",)
            raise
    return made
