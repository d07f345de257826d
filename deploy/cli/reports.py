"""`souk reports rebuild`: reporting's figures made anew from the events it has kept."""

import asyncio

import typer

from deploy.cli.api import command_settings
from deploy.cli.failures import EXPECTED
from deploy.cli.shown import EXIT_CODES, AsJson, ExitCode, complain, err, out, print_json
from deploy.local.home import Home
from deploy.local.run_file import RunFile
from services.reporting.counting import Counting
from services.reporting.rebuilding import Rebuilding
from shared.db.outbox import Inbox, Outbox
from shared.db.pool import open_pool

group = typer.Typer(help="The figures that reports are made of.\n\n" + EXIT_CODES, no_args_is_help=True)


@group.command(
    "rebuild",
    help="""Make reporting's figures anew from the events it has kept, after a mistake in their counting was mended.

It writes to the database itself: to SOUK_REPORTING_DATABASE_URL, else SOUK_DATABASE_URL, else that of the running
one-machine stack. One transaction: stopped half-way, nothing has changed; what comes in meanwhile is counted after it.
Finished reports stay as they are; ask for them again.""",
    epilog="Example: souk reports rebuild",
)
def rebuild(as_json: AsJson = False) -> None:
    """See the help above."""
    settings = command_settings()
    run = RunFile.read(Home(settings.home).run_file)
    given = settings.reporting_database_url or settings.database_url
    url = given.get_secret_value() if given else run.database_url if run else None
    if url is None:
        complain("Set SOUK_REPORTING_DATABASE_URL, or start the stack with `souk up`.", ExitCode.AWAY)
    try:
        events = asyncio.run(_rebuilt(url))
    except EXPECTED as failure:
        complain(str(failure), ExitCode.FAILED)
    if as_json:
        print_json({"events": events})
    else:
        out.print(f"The figures are those of {events:,} events.")


async def _rebuilt(url: str) -> int:
    async with open_pool(url, name="souk reports rebuild") as pool:
        counting = Counting(pool=pool, inbox=Inbox("reporting"), outbox=Outbox("reporting"))
        rebuilding = Rebuilding(pool=pool, counting=counting)
        return await rebuilding.run_once(tell=lambda done: err.print(f"  {done:,} events"))
