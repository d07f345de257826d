"""`souk jobs dead …`: messages that were parked because nobody could do or read them."""

from typing import Annotated

import typer
from rich.progress import Progress

from deploy.cli.api import Api, Json, ask, read, send
from deploy.cli.asking import Yes, be_sure
from deploy.cli.bulk import Wait, see_over
from deploy.cli.jobs import Limit, OfType
from deploy.cli.moments import Until, as_query
from deploy.cli.shown import AsJson, clock_time, counted, duration, err, out, print_json, print_json_lines, print_table

group = typer.Typer(
    help="Dead letters: messages that were parked, why, and sending them again.",
    epilog="Example: souk jobs dead list --type send-email",
    no_args_is_help=True,
)
OfQueue = Annotated[str | None, typer.Option(metavar="QUEUE", help="Only those parked from this queue.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only count them.")]
OfReason = Annotated[str | None, typer.Option(metavar="TEXT", help="Only those parked for this reason.")]


@group.command("list", epilog="Example: souk jobs dead list --queue jobs.send-email")
def list_letters(
    ctx: typer.Context,
    kind: OfType = None,
    queue: OfQueue = None,
    reason: OfReason = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List dead letters, newest first."""
    query = {"type": kind, "queue": queue, "reason": reason}
    found = ask(ctx, lambda api: api.listed("/api/admin/dead-letters", limit=limit, **query))
    if as_json:
        return print_json_lines(found)
    if not found:
        err.print("There is no dead letter.")
        return None
    print_table(
        {"id": "", "parked": "", "queue": "", "type": "", "job is": "", "reason": ""},
        (
            (
                each["id"],
                clock_time(each["stored_at"]),
                each["queue"],
                each["type"],
                each["job_state"],
                each["reason"],
            )
            for each in found
        ),
    )
    return None


@group.command(epilog="Example: souk jobs dead show 0197f3b2-8a51-7c3e-9d5e-2f4b6a1c8e07")
def show(
    ctx: typer.Context,
    letter: Annotated[str, typer.Argument(metavar="LETTER", help="Its id, as `souk jobs dead list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """Show one dead letter with its payload, headers and reason (as JSON in any case)."""
    del as_json
    print_json(read(ctx, f"/api/admin/dead-letters/{letter}"))


@group.command(epilog="Example: souk jobs dead replay --type send-email --dry-run")
def replay(
    ctx: typer.Context,
    letter: Annotated[str | None, typer.Argument(metavar="[LETTER]", help="One; without it, all that fit.")] = None,
    kind: OfType = None,
    queue: OfQueue = None,
    reason: OfReason = None,
    per_second: Annotated[float, typer.Option(min=0.1, max=1000, help="How many are let go each second.")] = 20.0,
    dry_run: DryRun = False,
    wait: Wait = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again: a job is retried by the ledger, anything else goes back into its queue."""
    given = _given(kind, queue, reason)
    if letter is not None:
        if given or dry_run or wait:
            raise typer.BadParameter("a filter, --dry-run and --wait are for many; LETTER is sent whatever it is")
        sent = send(ctx, f"/api/admin/dead-letters/{letter}/replay")
        return print_json(sent) if as_json else out.print(f"It goes to {sent['into']}.")
    body = given | {"per_second": per_second, "dry_run": True}
    answer = send(ctx, "/api/admin/dead-letters/replay", body)
    count = _count(answer)
    if not dry_run and count:
        be_sure(f"Replay {counted(count, 'dead letter')}?", yes=yes)
        answer = send(ctx, "/api/admin/dead-letters/replay", body | {"dry_run": False})
    is_waited_for = wait and not answer["dry_run"]
    if not as_json:
        over = answer["over_seconds"]
        over_words = f" over {duration(over * 1000)}" if over else ""
        out.print(f"{_become(_count(answer), dry_run)} replayed{over_words}.")
    elif not is_waited_for:
        print_json(answer)
    return see_over(ctx, answer["job_ids"], as_json=as_json) if is_waited_for else None


@group.command(epilog="Example: souk jobs dead purge --reason unparsable --dry-run")
def purge(
    ctx: typer.Context,
    letter: Annotated[str | None, typer.Argument(metavar="[LETTER]", help="One; without it, all that fit.")] = None,
    kind: OfType = None,
    queue: OfQueue = None,
    reason: OfReason = None,
    until: Until = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete dead letters for good. What they were about stays as it is: a failed job can still be retried."""
    given = _given(kind, queue, reason) | ({} if until is None else {"until": as_query(until)})
    if letter is not None:
        if given or dry_run:
            raise typer.BadParameter("a filter and --dry-run are for many; LETTER is deleted whatever it is")
        be_sure(f"Delete dead letter {letter}?", yes=yes)
        ask(ctx, lambda api: api.delete(f"/api/admin/dead-letters/{letter}"))
        return print_json({"letters": 1, "dry_run": False}) if as_json else out.print("It is deleted.")
    answer = send(ctx, "/api/admin/dead-letters/purge", given | {"dry_run": True})
    if not dry_run and answer["letters"]:
        be_sure(f"Delete {counted(answer['letters'], 'dead letter')}?", yes=yes)
        expected = answer["letters"]
        answer = ask(ctx, lambda api: _purge_all(api, given, expected=expected))
    if as_json:
        return print_json(answer)
    out.print(f"{_become(answer['letters'], dry_run)} deleted.")
    return None


def _become(count: int, is_dry_run: bool) -> str:
    """`1 dead letter is`, `3 dead letters would be`."""
    return f"{counted(count, 'dead letter')} {'would be' if is_dry_run else 'is' if count == 1 else 'are'}"


async def _purge_all(api: Api, given: Json, *, expected: int) -> Json:
    """Ask until as many are gone as somebody agreed to: one answer deletes 5,000 at most, the oldest first."""
    deleted, some = 0, 1
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("Letters", total=expected)
        while some and deleted < expected:
            some = (await api.post("/api/admin/dead-letters/purge", given | {"dry_run": False}))["letters"]
            deleted += some
            progress.update(task, completed=deleted)
    return {"letters": deleted, "dry_run": False}


def _given(kind: str | None, queue: str | None, reason: str | None) -> Json:
    """The filters that were said."""
    return {name: text for name, text in (("type", kind), ("queue", queue), ("reason", reason)) if text is not None}


def _count(answer: Json) -> int:
    return int(answer["jobs"] + answer["messages"])
