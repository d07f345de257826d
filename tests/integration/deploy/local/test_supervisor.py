"""The supervisor with stand-in programs."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from deploy.local.ports import free_port, free_ports
from deploy.local.supervisor import NotReady, Supervisor
from tests.eventually import eventually
from tests.integration.deploy.local.programs import is_alive, stand_in

HERE = Path.cwd()


def supervise(log_folder: Path, *programs: tuple[str, ...], **options: float) -> Supervisor:
    ports = free_ports(len(programs))
    return Supervisor(
        [stand_in(name, port, *how) for (name, *how), port in zip(programs, ports, strict=True)],
        folder=HERE,
        log_folder=log_folder,
        **options,  # type: ignore[arg-type]
    )


async def test_a_killed_program_is_started_again(tmp_path: Path) -> None:
    async with supervise(tmp_path, ("one",), ("two",)) as supervisor:
        await supervisor.ready(20)
        before = supervisor.states()
        assert before[0].pid is not None
        os.kill(before[0].pid, signal.SIGKILL)
        await eventually(lambda: supervisor.states()[0].restarts == 1)
        await supervisor.ready(20)
        after = supervisor.states()
        assert after[0].pid not in (None, before[0].pid)
        assert after[1] == before[1]


async def test_a_program_sees_its_own_environment_only(tmp_path: Path) -> None:
    program = stand_in("one", free_port())
    async with Supervisor([program], folder=HERE, log_folder=tmp_path) as supervisor:
        await supervisor.ready(20)
        async with aiohttp.ClientSession() as http, http.get(f"{program.ops_url}/environment") as got:
            seen = await got.json(content_type=None)
    seen.pop("LC_CTYPE", None)  # set by Python itself
    assert seen == program.environment


async def test_a_program_that_keeps_exiting_fails_the_start_with_its_last_words(tmp_path: Path) -> None:
    async with supervise(tmp_path, ("hopeless", "broken")) as supervisor:
        with pytest.raises(NotReady, match=r"(?s)hopeless keeps exiting.*this one can't start"):
            await supervisor.ready(20)


async def test_a_program_that_is_late_fails_the_start_by_name(tmp_path: Path) -> None:
    async with supervise(tmp_path, ("prompt",), ("slow", "late")) as supervisor:
        with pytest.raises(NotReady, match=r"\Aslow is not ready after 1 s"):
            await supervisor.ready(1)


async def test_programs_are_told_to_stop_and_the_stubborn_killed(tmp_path: Path) -> None:
    async with supervise(tmp_path, ("good",), ("bad", "stubborn"), grace_seconds=0.5) as supervisor:
        await supervisor.ready(20)
        pids = [state.pid for state in supervisor.states()]
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    assert not any(is_alive(pid) for pid in pids if pid)


async def test_a_stop_does_not_wait_for_a_back_off(tmp_path: Path) -> None:
    async with supervise(tmp_path, ("hopeless", "broken")) as supervisor:
        await eventually(lambda: supervisor.states()[0].restarts >= 3)
        begun = time.monotonic()
    assert time.monotonic() - begun < 0.5


async def test_what_a_dead_program_left_behind_is_ended_too(tmp_path: Path) -> None:
    async with supervise(tmp_path, ("family", "parent")) as supervisor:
        await supervisor.ready(20)
        helper = int(supervisor.log_file("family").read_text().split()[1])
        parent = supervisor.states()[0].pid
        assert is_alive(helper)
        assert parent is not None
        os.kill(parent, signal.SIGKILL)
        await eventually(lambda: not is_alive(helper))


async def test_the_log_of_the_last_run_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    for _ in range(2):
        async with supervise(tmp_path, ("hopeless", "broken")) as supervisor:
            await eventually(lambda: supervisor.states()[0].restarts >= 1)
    assert (tmp_path / "hopeless.log").exists()
    assert "can't start" in (tmp_path / "hopeless.log.1").read_text()


async def test_no_program_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    supervisor = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.deploy.local.supervise_and_wait",
        tmp_path,
        *map(str, free_ports(2)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert supervisor.stdout
    pids = [int(pid) for pid in (await supervisor.stdout.readline()).split()]
    assert len(pids) == 2
    assert all(is_alive(pid) for pid in pids)
    supervisor.kill()
    await supervisor.wait()
    await eventually(lambda: not any(is_alive(pid) for pid in pids))
