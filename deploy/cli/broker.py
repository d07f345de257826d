"""`souk topology apply`: the broker's exchanges, queues and bindings."""

import asyncio

from deploy.cli.api import command_settings
from deploy.cli.failures import EXPECTED
from deploy.cli.shown import AsJson, ExitCode, complain, out, print_json
from deploy.local.home import Home
from deploy.local.run_file import RunFile
from shared.messaging import declare, topology
from shared.messaging.broker import Link


def apply_topology(as_json: AsJson = False) -> None:
    """Declare everything on the broker of SOUK_AMQP_URL, or of the running stack. Changes nothing that is there."""
    settings = command_settings()
    run = RunFile.read(Home(settings.home).run_file)
    given = settings.amqp_url.get_secret_value() if settings.amqp_url else None
    url = given or (run.amqp_url if run else None)
    if url is None:
        complain("Set SOUK_AMQP_URL, or start the stack with `souk up`.", ExitCode.FAILED)
    wanted = topology.build(topology.parse_tiers(settings.retry_tiers))
    try:
        asyncio.run(_apply(url, wanted))
    except EXPECTED as failure:
        complain(str(failure), ExitCode.FAILED)
    counts = {
        "exchanges": len(wanted.exchanges),
        "queues": len(wanted.queues),
        "bindings": len(wanted.bindings),
    }
    if as_json:
        print_json(counts)
    else:
        out.print(f"In place: {', '.join(f'{count} {what}' for what, count in counts.items())}.")


async def _apply(url: str, wanted: topology.Topology) -> None:
    link = Link(url, name="souk topology")
    try:
        await declare.apply(link, wanted)
    finally:
        await link.close()
