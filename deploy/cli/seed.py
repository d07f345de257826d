"""`souk seed`: the catalogue of a one-machine run."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated

import aiohttp
import typer

from deploy.cli.api import command_settings
from deploy.cli.failures import EXPECTED
from deploy.cli.shown import AsJson, ExitCode, complain, out, print_json
from deploy.local.catalogue.filling import Filled, FillingFailed, Tell, fill, pictures_ready
from deploy.local.catalogue.goods import GOODS
from deploy.local.catalogue.selling import DAYS, sell_history
from deploy.local.home import Home
from deploy.local.run_file import RunFile
from deploy.local.steps import TerminalSteps, step, terminal


def seed(
    wait: Annotated[bool, typer.Option("--wait", help="Return once every picture is rendered, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give the running stack a catalogue: 48 products of three shops, with pictures, stock and two months of orders.

    By the HTTP API alone, as vendors, admin and channel would. What is there stays as it is, so it can be run again
    at any time. `make up` does it after `souk up`.
    """
    home = Home(command_settings().home)
    run = RunFile.read(home.run_file) if home.supervisor_pid() else None
    if run is None:
        complain("Nothing runs in this clone; `souk up` starts it.", ExitCode.FAILED)
    try:
        filled, orders = asyncio.run(_seed(run, home, wait=wait))
    except FillingFailed as failed:
        complain(f"The catalogue is not complete: {failed}", ExitCode.FAILED)
    except (*EXPECTED, aiohttp.ClientError) as failed:
        complain(f"The catalogue is not complete: {failed}", ExitCode.FAILED)
    if as_json:
        print_json({"products": len(filled.products), "added": filled.added, "orders": orders})
    else:
        out.print(f"{len(filled.products)} products at {run.gateway}, {filled.added} of them new; {orders} orders.")


async def _seed(run: RunFile, home: Home, *, wait: bool) -> tuple[Filled, int]:
    steps = terminal()
    with _counted(steps, f"Catalogue of {len(GOODS)} products") as tell:
        filled = await fill(run, home.folder / "pictures", tell=tell)
    with _counted(steps, f"Sales of {DAYS} days") as tell:
        orders = await sell_history(run, filled.products, tell=tell)
    if wait:
        with _counted(steps, "Renditions") as tell:
            await pictures_ready(run, tell=tell)
    return filled, orders


@contextmanager
def _counted(steps: TerminalSteps, label: str) -> Iterator[Tell]:
    """A step that tells how far it has come."""
    with step(steps, label):
        yield partial(steps.count, label)
