"""`souk audit`: who did what."""

import json
from typing import Annotated

import typer

from deploy.cli.api import ask
from deploy.cli.jobs import Limit
from deploy.cli.shown import AsJson, clock_time, err, print_json_lines, print_table


def audit(
    ctx: typer.Context,
    kind: Annotated[str | None, typer.Option(help="What it was done to: product, vendor, job, job_type…")] = None,
    object_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="Which one; needs --kind.")] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Who decided what, newest first. Needs an administrator's key."""
    found = ask(ctx, lambda api: api.listed("/api/admin/audit", limit=limit, kind=kind, id=object_id))
    if as_json:
        return print_json_lines(found)
    if not found:
        err.print("Nothing is on record.")
        return None
    print_table(
        {"when": "", "who": "", "did": "", "to": "", "": ""},
        (
            (
                clock_time(each["at"]),
                f"{each['role']} {(each['account_id'] or '')[-12:]}".strip(),
                each["action"],
                f"{each['object']['kind']} {each['object']['id']}",
                json.dumps(each["detail"]) if each["detail"] else "",
            )
            for each in found
        ),
    )
    return None
