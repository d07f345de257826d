"""The commands, put together; each group is a module of its own."""

import typer

from deploy.cli import broker, database, demo, seed, stack

app = typer.Typer(
    help="Souk on this machine, and the switches of a running one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(stack.up)
app.command("down")(stack.down)
app.command("status")(stack.status)
app.command("seed")(seed.seed)
app.command("demo")(demo.demo)
app.command("migrate")(database.migrate)
topology = typer.Typer(help="The broker's exchanges, queues and bindings.", no_args_is_help=True)
topology.command("apply")(broker.apply_topology)
app.add_typer(topology, name="topology")


@app.callback()
def souk() -> None:
    """Souk on this machine, and the switches of a running one."""
