"""The one-machine stack with its real servers and stand-in processes: it comes, it goes, it leaves nothing."""

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.eventually import eventually

pytestmark = [pytest.mark.timeout(180), pytest.mark.xdist_group("stack")]

Told = dict[str, str | bool]


class Stack:
    """The supervisor's process and what it tells through its pipe."""

    def __init__(self, process: asyncio.subprocess.Process, told: asyncio.StreamReader, home: Path) -> None:
        self.process = process
        self.home = home
        self._told = told

    async def until(self, **what: str) -> None:
        """Read what it tells until that comes."""
        async for line in self._told:
            told: Told = json.loads(line)
            if what.items() <= told.items():
                return
        raise AssertionError(f"it never told {what}")

    async def until_ready(self) -> None:
        """Read until the pipe is closed, which is when everything is ready."""
        await self._told.read()
        assert self.process.returncode is None

    def processes(self) -> list[str]:
        """Every living process that has to do with this stack's folder."""
        return [each for each in _living() if str(self.home) in each]


def _living() -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parts = [(entry / name).read_bytes().decode(errors="replace") for name in ("cmdline", "environ")]
            found.append(f"{entry.name} {' '.join(parts)} {(entry / 'cwd').readlink()}")
        except OSError:
            continue
    return [each for each in found if not each.startswith(f"{os.getpid()} ")]


@asynccontextmanager
async def starting(home: Path) -> AsyncIterator[Stack]:
    ours, theirs = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.deploy.local.stand_in_stack",
        str(theirs),
        env={"PATH": os.environ["PATH"], "SOUK_HOME": str(home)},  # noqa: TID251 - passed on
        pass_fds=(theirs,),
        start_new_session=True,
    )
    os.close(theirs)
    told = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(told), os.fdopen(ours)
    )
    stack = Stack(process, told, home)
    try:
        yield stack
    finally:
        transport.close()
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def souk(home: Path, *arguments: str) -> tuple[int, str]:
    """Run the `souk` command: its exit code and all it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.cli",
        *arguments,
        env={"PATH": os.environ["PATH"], "SOUK_HOME": str(home)},  # noqa: TID251 - passed on
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


@pytest.mark.long
async def test_a_stack_is_shown_refuses_a_second_and_is_gone_after_down(tmp_path: Path) -> None:
    async with starting(tmp_path) as stack:
        await stack.until_ready()
        run_file = tmp_path / "run.json"
        assert stat.S_IMODE(run_file.stat().st_mode) == 0o600
        run = json.loads(run_file.read_text())
        assert [each["name"] for each in run["processes"]] == ["imaging", "imaging-2", "gateway"]

        code, said = await souk(tmp_path, "up")
        assert (code, "already runs in this clone" in said) == (4, True)
        code, said = await souk(tmp_path, "up", "--detach")
        assert (code, "already runs in this clone" in said) == (4, True)

        os.kill(run["processes"][0]["pid"], signal.SIGKILL)
        await eventually(lambda: json.loads(run_file.read_text())["processes"][0]["restarts"] == 1)

        async def shown() -> list[dict[str, object]]:
            code, said = await souk(tmp_path, "status", "--json")
            assert code == 0, said
            return list(json.loads(said)["processes"])

        assert [each["restarts"] for each in await eventually(shown)] == [1, 0, 0, 0]

        code, said = await souk(tmp_path, "down")
        assert (code, "Souk is stopped." in said) == (0, True)
        assert stack.processes() == []
        assert not run_file.exists()
        assert await stack.process.wait() == 0
        assert await souk(tmp_path, "down") == (0, "Nothing runs in this clone.\n")
        assert (await souk(tmp_path, "status"))[0] == 3


@pytest.mark.long
@pytest.mark.parametrize("label", ["PostgreSQL", "Mail sink", "3 processes"])
async def test_an_interrupt_at_any_step_leaves_nothing(tmp_path: Path, label: str) -> None:
    async with starting(tmp_path) as stack:
        await stack.until(begin=label)
        stack.process.send_signal(signal.SIGINT)
        assert await stack.process.wait() == 130
        assert stack.processes() == []
        assert not (tmp_path / "run.json").exists()


@pytest.mark.long
async def test_a_killed_supervisor_leaves_nothing_and_the_next_one_starts(tmp_path: Path) -> None:
    async with starting(tmp_path) as stack:
        await stack.until_ready()
        stack.process.kill()
        await stack.process.wait()
        await eventually(lambda: not stack.processes(), 20)
        assert (await souk(tmp_path, "status"))[0] == 3
    async with starting(tmp_path) as stack:
        await stack.until_ready()
    assert stack.processes() == []
