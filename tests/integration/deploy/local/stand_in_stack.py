"""The one-machine stack, real but for its processes: `python -m … <pipe>` runs it as the supervisor of `up` does.

Where the stack's folder is, `SOUK_HOME` says.
"""

import asyncio
import os
import sys

from deploy.local.programs import Blueprint
from deploy.local.run_file import RunFile
from deploy.local.settings import StackSettings
from deploy.local.stack import Interrupted, hold
from deploy.local.steps import PipedSteps

MODULE = "tests.integration.deploy.local.stand_in"
BLUEPRINTS = (
    Blueprint("imaging", (MODULE,)),
    Blueprint("gateway", (MODULE,), serves="catalog"),
)


async def main(report_to: int) -> None:
    pipe = os.fdopen(report_to, "w")

    def announce(_: RunFile) -> None:
        pipe.close()

    await hold(
        StackSettings.read(),
        steps=PipedSteps(pipe),
        announce=announce,
        counts={"imaging": 2},
        blueprints=BLUEPRINTS,
    )


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1])))
    except Interrupted:
        sys.exit(130)
