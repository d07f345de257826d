"""Following many jobs that were let go together, with a bar for people."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import typer
from rich.progress import Progress

from deploy.cli.api import Api, ask
from deploy.cli.shown import ExitCode, err, out, print_json

LOOK_SECONDS: Final = 1.0
OPEN: Final = ("scheduled", "pending", "processing", "retrying")

Wait = Annotated[bool, typer.Option("--wait", help="Follow them until all are over, with a bar; exits 1 if any fails.")]


def see_over(ctx: typer.Context, ids: list[str], *, as_json: bool) -> None:
    """Wait for these jobs and say how they ended; exits 1 if one did not complete."""
    states = ask(ctx, lambda api: _until_over(api, ids))
    if as_json:
        print_json({"states": states})
    elif ids:
        out.print(f"{_in_words(states)}.")
    if set(states) - {"completed"}:
        raise typer.Exit(ExitCode.FAILED)


async def _until_over(api: Api, ids: Sequence[str]) -> Mapping[str, int]:
    """Wait until none of these jobs is open; how many ended in which state. One that is kept no more counts as over."""
    with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("Jobs", total=len(ids))
        while True:
            states: Mapping[str, int] = (await api.post("/api/admin/jobs/states", {"ids": list(ids)}))["states"]
            still_open = sum(states.get(state, 0) for state in OPEN)
            progress.update(task, completed=len(ids) - still_open, description=_in_words(states))
            if not still_open:
                return states
            await asyncio.sleep(LOOK_SECONDS)


def _in_words(states: Mapping[str, int]) -> str:
    """`40 completed, 2 failed`."""
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
