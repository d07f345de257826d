"""`souk jobs dead …`: messages that were parked because nobody could do or read them."""

from typing import Annotated

import typer

from deploy.cli.api import Json, ask, read, send
from deploy.cli.asking import Yes, be_sure
from deploy.cli.jobs import Limit, OfType
from deploy.cli.shown import AsJson, clock_time, duration, err, out, print_json, print_json_lines, print_table

group = typer.Typer(
    help="Dead letters: messages that were parked, why, and sending them again.",
    epilog="Example: souk jobs dead list --type send-email",
    no_args_is_help=True,
)
OfQueue = Annotated[str | None, typer.Option(metavar="QUEUE", help="Only those parked from this queue.")]
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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count them.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send dead letters again: a job is retried by the ledger, anything else goes back into its queue."""
    if letter is not None:
        sent = send(ctx, f"/api/admin/dead-letters/{letter}/replay")
        return print_json(sent) if as_json else out.print(f"It goes to {sent['into']}.")
    body: Json = {"per_second": per_second, "dry_run": True}
    body |= {name: value for name, value in (("type", kind), ("queue", queue), ("reason", reason)) if value is not None}
    counted = send(ctx, "/api/admin/dead-letters/replay", body)
    count = _count(counted)
    if not dry_run and count:
        be_sure(f"Replay {count} dead letters?", yes=yes)
        counted = send(ctx, "/api/admin/dead-letters/replay", body | {"dry_run": False})
    if as_json:
        return print_json(counted)
    over = counted.get("over_seconds")
    over_words = f" over {duration(over * 1000)}" if over else ""
    out.print(f"{_count(counted)} dead letters {'would be' if dry_run else 'are'} replayed{over_words}.")
    return None


def _count(answer: Json) -> int:
    return int(answer["jobs"] + answer["messages"])
