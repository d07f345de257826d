"""A worker as a process of its own, whose handler may kill it: takes a broker URL and a state folder.

A picture whose source is `blob:poison` kills the process; any other is done in 50 ms.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import uvloop

from shared.contracts import jobs
from shared.messaging.attempt import Attempt
from shared.messaging.broker import open_broker
from shared.messaging.topology import parse_tiers
from shared.messaging.working import working

POISON = "blob:poison"


async def _process(job: jobs.ProcessImage, attempt: Attempt) -> dict[str, int]:
    await asyncio.sleep(0.05)
    if job.source == POISON:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"attempt": attempt.number}


async def main(url: str, state_dir: Path) -> None:
    """Work until killed."""
    async with (
        open_broker(url, name="killed worker") as broker,
        working(
            broker,
            {jobs.ProcessImage: _process},
            worker="imaging",
            tiers=parse_tiers("1s,2s"),
            grace_seconds=5,
            state_dir=state_dir,
        ),
    ):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2])))
