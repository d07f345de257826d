"""The whole stack as a test bench: nine processes that can be killed, held and armed, and the two servers below them.

`python -m tests.faults.stand FOLDER GATEWAYS` runs it until SIGTERM; tests start that with `Stand.start`.
"""

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from deploy.local import rabbitmq
from deploy.local.children import ServerFailed, spawn, stop, tail, wait_until
from deploy.local.programs import BLUEPRINTS
from deploy.local.settings import StackSettings
from deploy.local.stack import hold
from deploy.local.steps import terminal
from deploy.local.supervisor import answers_ready
from deploy.setup import rabbitmq_server
from tests.e2e.marketplace import Stack
from tests.eventually import eventually
from tests.faults.failpoints import switch
from tests.faults.guards import WITHOUT

PROCESSES = tuple(each.name for each in BLUEPRINTS)
VHOST = "souk"
START_SECONDS = 120.0
COMES_BACK_SECONDS = 60.0


class Stand(Stack):
    """A stack of its own whose processes run by `launch.py`. Started once, hurt many times.

    Further gateways than the first share its failpoints: the one that gets there first dies.
    """

    def __init__(self, folder: Path, *, gateways: int = 1) -> None:
        super().__init__(folder)
        self._gateways = gateways
        self.log = folder / "stand.log"
        self._switches = folder / "switches"

    def start(self) -> None:
        """Return once everything is ready. Raises `ServerFailed` with the end of the log."""
        self.home.folder.mkdir(parents=True, exist_ok=True)
        for name in PROCESSES:
            (self._switches / name).mkdir(parents=True, exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}  # noqa: TID251
        self._holder = spawn(
            [sys.executable, "-m", "tests.faults.stand", self.home.folder, str(self._gateways)],
            log=self.log,
            env={**kept, **self.environment},
            when_orphaned=signal.SIGTERM,
        )
        wait_until(self.home.run_file.exists, child=self._holder, seconds=START_SECONDS, log=self.log)

    def stop(self) -> None:
        """End everything in good order. Raises `ServerFailed` when it did not end so."""
        stop(self._holder, signal.SIGTERM, seconds=60)
        if self._holder.returncode:
            raise ServerFailed(f"the stack ended with {self._holder.returncode}:\n{tail(self.log)}")

    # -- processes -----------------------------------------------------------------------------------

    def hurt(self, process: str, number: signal.Signals) -> None:
        """Send a signal to one of the nine."""
        pid = self.process(process).pid
        assert pid is not None, f"{process} does not run"
        os.kill(pid, number)

    def arm(self, process: str, failpoint: str) -> None:
        """Have the process kill itself the next time it gets to the failpoint."""
        switch(self._switches, process, failpoint).touch()

    def is_armed(self, process: str, failpoint: str) -> bool:
        """Whether it has not got there yet."""
        return switch(self._switches, process, failpoint).exists()

    def disarm(self) -> None:
        """Take back every failpoint and every removed guard; a guard is back with the next start of its process."""
        for each in self._switches.glob("*/*"):
            each.unlink(missing_ok=True)

    async def without(self, guard: str, *processes: str) -> None:
        """Start these processes anew with the guard taken out."""
        for process in processes:
            switch(self._switches, process, f"{WITHOUT}{guard}").touch()
        await self.restarted(*processes)

    async def restarted(self, *processes: str) -> None:
        """Kill these processes and wait until all are back and ready."""
        killed = {process: self.kill(process) for process in processes}
        await eventually(lambda: all(self.process(each).pid not in (None, pid) for each, pid in killed.items()), 30)
        await self.all_ready()

    async def all_ready(self) -> None:
        """Wait until every process says that it is ready."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:

            async def ready() -> bool:
                processes = self.run.processes
                answers = await asyncio.gather(*(answers_ready(each.ops_url, http) for each in processes))
                missing = [each.name for each, is_ready in zip(processes, answers, strict=True) if not is_ready]
                assert not missing, f"not ready: {missing}"
                return all(each.pid for each in processes)

            await eventually(ready, 4 * COMES_BACK_SECONDS, every=0.1)

    def restarts(self) -> int:
        """How often processes were started anew so far."""
        return sum(process.restarts for process in self.run.processes)

    def gateways(self) -> tuple[str, ...]:
        """The address of every gateway. All of them have to run."""
        first, *others = (each for each in self.run.processes if each.name.partition("-")[0] == "gateway")
        assert first.name == "gateway"
        ports = (_environment_of(each.pid or 0)["SOUK_HTTP_PORT"] for each in others)
        return self.run.gateway, *(f"http://127.0.0.1:{port}" for port in ports)

    def resident_bytes(self) -> Mapping[str, tuple[int, int]]:
        """The pid and the resident memory of every process that runs."""
        found = {}
        for each in self.run.processes:
            with suppress(OSError):
                pages = int(Path(f"/proc/{each.pid}/statm").read_text().split()[1])
                found[each.name] = (each.pid or 0, pages * os.sysconf("SC_PAGESIZE"))
        return found

    # -- servers -------------------------------------------------------------------------------------

    def kill_server(self, name: str) -> None:
        """SIGKILL a server; the supervisor starts it again."""
        self.hurt_server(name, signal.SIGKILL)

    def hurt_server(self, name: str, number: signal.Signals) -> None:
        """Send a signal to the broker (`rabbitmq`) or the database (`postgres`)."""
        os.kill(self.server_pid(name), number)

    async def server_back(self, name: str, killed: int) -> None:
        """Wait until the server that had this pid runs again and answers."""

        async def is_back() -> bool:
            assert self.server_pid(name) != killed
            if name == "postgres":
                await (await self.database()).close()
            else:
                await asyncio.to_thread(self.management.call, "GET", "aliveness-test", VHOST)
            return True

        await eventually(is_back, COMES_BACK_SECONDS, every=0.05)

    def wipe_broker(self) -> None:
        """Throw the broker's data away; call it only while the supervisor is held and the node is dead."""
        shutil.rmtree(self.home.folder / "rabbitmq" / "data")

    @property
    def management(self) -> rabbitmq.Management:
        """RabbitMQ's management API in the administrator's name."""
        told = self.run.management
        assert told is not None
        return rabbitmq.Management(told.url, told.user, told.password)

    async def delete_queue(self, name: str) -> None:
        """Delete a queue with all that is in it."""
        await asyncio.to_thread(self.management.call, "DELETE", "queues", VHOST, name)

    async def delete_bindings(self, exchange: str, queue: str) -> None:
        """Unbind a queue from an exchange."""
        there = ("bindings", VHOST, "e", exchange, "q", queue)
        for binding in await asyncio.to_thread(self.management.call, "GET", *there):
            await asyncio.to_thread(self.management.call, "DELETE", *there, binding["properties_key"])

    async def publish(self, exchange: str, routing_key: str, body: str, properties: Mapping[str, Any]) -> None:
        """Publish a message as the administrator. Raises AssertionError when no queue took it."""
        message = {
            "properties": dict(properties),
            "routing_key": routing_key,
            "payload": body,
            "payload_encoding": "string",
        }
        answer = await asyncio.to_thread(
            self.management.call, "POST", "exchanges", VHOST, exchange, "publish", body=message
        )
        assert answer["routed"], f"nothing takes {routing_key} of {exchange}"

    async def set_memory_limit(self, share: float) -> None:
        """Set the broker's high watermark: 0.00001 raises the memory alarm at once, 0.4 is the default."""
        await self._rabbitmqctl("set_vm_memory_high_watermark", str(share))

    async def set_disk_limit(self, free: str) -> None:
        """Set how much of the disk has to be free: more than there is raises the disk alarm at once."""
        await self._rabbitmqctl("set_disk_free_limit", free)

    async def _rabbitmqctl(self, *arguments: str) -> None:
        given = _environment_of(self.server_pid("rabbitmq"))
        kept = {name: value for name, value in given.items() if name.startswith(("RABBITMQ_", "ERL_EPMD"))}
        rabbitmqctl = Path(rabbitmq_server() or "").parent / "rabbitmqctl"
        process = await asyncio.create_subprocess_exec(
            rabbitmqctl,
            *arguments,
            env={**kept, "PATH": given["PATH"], "HOME": given["HOME"], "LANG": "C.UTF-8"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()

    async def database(self) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection of the database's owner, for reading what no API shows. Raises OSError when it is away."""
        try:
            return await asyncpg.connect(self.run.database_url, timeout=5, command_timeout=20)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as away:
            raise OSError(f"no database: {away!r}") from away

    async def refuse_mail(self, addresses: Sequence[str], reply: str = "451 4.2.1 try later") -> None:
        """Have the mail sink refuse these recipients from now on, and nobody else."""
        async with (
            aiohttp.ClientSession() as http,
            http.put(f"{self.run.mailbox}/api/refusals", json={"addresses": list(addresses), "reply": reply}) as answer,
        ):
            assert answer.status == 200, await answer.text()


def _environment_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(line.split("=", 1) for line in lines if "=" in line)


def main(folder: Path, gateways: int) -> None:
    """Run the stack, every process by `launch.py`, until a signal."""
    switches = str(folder / "switches")
    blueprints = tuple(
        replace(each, arguments=("tests.faults.launch", switches, each.name, *each.arguments)) for each in BLUEPRINTS
    )
    begun = time.monotonic()
    asyncio.run(
        hold(
            StackSettings.read(),
            steps=terminal(),
            announce=lambda _: print(f"ready after {time.monotonic() - begun:.1f} s"),
            counts={"gateway": gateways},
            blueprints=blueprints,
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
