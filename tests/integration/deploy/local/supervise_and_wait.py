"""Supervise two stand-ins until killed: `python -m … <folder> <port> <port>` prints their pids."""

import asyncio
import sys
from pathlib import Path

from deploy.local.supervisor import Supervisor
from tests.integration.deploy.local.programs import stand_in


async def main(folder: Path, ports: list[int]) -> None:
    programs = [stand_in(f"program-{port}", port) for port in ports]
    async with Supervisor(programs, folder=Path.cwd(), log_folder=folder) as supervisor:
        await supervisor.ready(20)
        print(*(state.pid for state in supervisor.states()), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), [int(port) for port in sys.argv[2:]]))
