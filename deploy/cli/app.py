"""The commands, put together; each group is a module of its own."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from deploy.cli import (
    accounts,
    benchmarks,
    broker,
    caches,
    config,
    database,
    dead,
    demo,
    jobs,
    reports,
    schedules,
    seed,
    stack,
    status,
)
from deploy.cli.api import Asked
from deploy.cli.audit import audit
from deploy.cli.shown import EXIT_CODES, complaints_in_json, print_complaint

HERE = "This machine"
STEER = "A running Souk, here or elsewhere"
SET_UP = "Installing and configuring"


class _Souk(TyperGroup):
    """Has every complaint in JSON where the answer was to be, that of a wrong command line too."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        words = sys.argv[1:] if args is None else list(args)
        if "--json" not in words:
            return super().main(words, prog_name, complete_var, standalone_mode, windows_expand_args, **extra)
        with complaints_in_json():
            try:
                code = super().main(words, prog_name, complete_var, False, windows_expand_args, **extra)
            except TyperException as wrong:
                print_complaint(wrong.format_message(), wrong.exit_code)
                code = wrong.exit_code
        sys.exit(code if isinstance(code, int) else 0)


app = typer.Typer(
    cls=_Souk,
    help="Souk on this machine, and the switches of a running one, here or elsewhere.",
    epilog=f"{EXIT_CODES} `souk up` has 4: it runs already. Each command has --help with an example.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("up", rich_help_panel=HERE, epilog="Example: souk up --detach --replicas imaging=2")(stack.up)
app.command("down", rich_help_panel=HERE, epilog="Example: souk down")(stack.down)
app.command("demo", rich_help_panel=HERE, epilog="Example: souk demo --hold")(demo.demo)
app.command("seed", rich_help_panel=HERE, epilog="Example: souk seed --wait")(seed.seed)
app.command(
    "bench",
    rich_help_panel=HERE,
    epilog="Example: souk bench",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(benchmarks.bench)
app.command("status", rich_help_panel=STEER, epilog="Example: souk status --json | jq .health.score")(status.status)
jobs.group.add_typer(dead.group, name="dead")
app.add_typer(jobs.group, name="jobs", rich_help_panel=STEER)
app.add_typer(schedules.group, name="schedule", rich_help_panel=STEER)
app.add_typer(reports.group, name="reports", rich_help_panel=SET_UP)
app.add_typer(caches.group, name="cache", rich_help_panel=STEER)
app.command("audit", rich_help_panel=STEER, epilog="Example: souk audit --kind product")(audit)
app.command("migrate", rich_help_panel=SET_UP, epilog="Example: SOUK_DATABASE_URL_FILE=migrator.url souk migrate")(
    database.migrate
)
topology = typer.Typer(help="The broker's exchanges, queues and bindings.", no_args_is_help=True)
topology.command("apply", epilog="Example: souk topology apply --json")(broker.apply_topology)
app.add_typer(topology, name="topology", rich_help_panel=SET_UP)
app.add_typer(accounts.users, name="user", rich_help_panel=SET_UP)
app.add_typer(accounts.keys, name="key", rich_help_panel=SET_UP)
app.add_typer(config.group, name="config", rich_help_panel=SET_UP)


@app.callback()
def souk(
    ctx: typer.Context,
    gateway: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Which Souk: the gateway's address. Else SOUK_GATEWAY_URL, else the one here."
        ),
    ] = None,
    key_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A file with the API key, - for standard input. Else SOUK_API_KEY(_FILE)."),
    ] = None,
) -> None:
    """Souk on this machine, and the switches of a running one, here or elsewhere.

    Example: souk --gateway https://souk.example.com --key-file ops.key jobs list --state failed
    """
    ctx.obj = Asked(gateway, key_file)
