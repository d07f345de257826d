"""`souk demo`: the product's story, told as a timeline."""

import asyncio
from typing import Annotated

import aiohttp
import typer
from rich.console import Console

from deploy.cli.api import command_settings
from deploy.cli.failures import EXPECTED
from deploy.cli.shown import AsJson, ExitCode, complain, out, print_json
from deploy.cli.stack import INTERRUPTED, already_running
from deploy.local.demo.people import DemoFailed
from deploy.local.demo.story import Story
from deploy.local.demo.timeline import TABLE_WIDTH, Timeline
from deploy.local.home import AlreadyRunning
from deploy.local.ports import free_ports
from deploy.local.run_file import RunFile
from deploy.local.stack import Interrupted, cancelled_by_signals, running
from deploy.local.steps import terminal

RETRY_TIERS = "1s,2s,4s"
"""Short ones: nobody watches a demo for the two hours of the last ordinary tier."""


def demo(
    as_json: AsJson = False,
    hold: Annotated[bool, typer.Option("--hold", help="Leave the stack up at the end, until Ctrl-C.")] = False,
) -> None:
    """Start a stack, live through the main job as its people would, with what goes wrong on the way, and stop it.

    The first time it paints and renders a catalogue of 48 products (about a minute); they stay for the next.
    """
    console = Console(quiet=as_json, highlight=False, soft_wrap=True, width=max(out.width, TABLE_WIDTH))
    timeline = Timeline(console)
    try:
        asyncio.run(_live_through(timeline, hold=hold))
    except AlreadyRunning as running_already:
        failure = already_running(running_already)
        complain(failure.sentence, failure.code)
    except (Interrupted, KeyboardInterrupt):
        complain(INTERRUPTED.sentence, INTERRUPTED.code)
    except DemoFailed as failed:
        complain(f"The demo stops here: {failed}", ExitCode.FAILED)
    except (*EXPECTED, aiohttp.ClientError) as failed:
        complain(f"The demo stops here: {failed}", ExitCode.FAILED)
    except LookupError as missing:
        complain(f"The demo stops here: an answer has no {missing}.", ExitCode.FAILED)
    if as_json:
        print_json({"timeline": timeline.entries})


async def _live_through(timeline: Timeline, *, hold: bool) -> None:
    [depot_port] = free_ports(1)
    settings = command_settings()
    reachable = (*settings.outbound_allow, f"127.0.0.1:{depot_port}")
    settings = settings.model_copy(update={"retry_tiers": RETRY_TIERS, "outbound_allow": reachable})
    with cancelled_by_signals() as received:
        try:
            async with running(settings, steps=terminal()) as run:
                _say_where(run, timeline)
                async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http:
                    paintings = settings.home / "pictures"
                    await Story(run, http, timeline, depot_port=depot_port, paintings=paintings).tell()
                timeline.end("Everything held.")
                if hold:
                    await asyncio.Event().wait()
        except asyncio.CancelledError:
            if received:
                raise Interrupted from None
            raise


def _say_where(run: RunFile, timeline: Timeline) -> None:
    timeline.chapter("The stack is up")
    timeline.fact("gateway", run.gateway)
    timeline.fact("mailbox", run.mailbox)
    if run.management is not None:
        management = run.management
        timeline.fact("rabbitmq", f"{management.url}  {management.user} / {management.password}")
