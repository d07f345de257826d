"""What a stack costs that nobody uses: statements a second, CPU and memory of its nine processes."""

import asyncio
import re
import tempfile
import time
from collections import Counter
from pathlib import Path

import asyncpg

from deploy.local.run_file import RunningProcess
from tests.bench.figures import Figure
from tests.bench.stage import Stage, memory_mib, process_stat
from tests.e2e.marketplace import Stack

SETTLE_SECONDS = 30
MEASURED_SECONDS = 60
LOG_ALL = ("ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
_STATEMENT = re.compile(r"^\S+ \S+ UTC \[\d+\] (\S+) LOG: +(?:execute [^:]*|statement): ", re.MULTILINE)


async def measure(_: Stage) -> list[Figure]:
    """A stack of its own, as `make up` starts it; PostgreSQL counts by its log, `BEGIN` and `COMMIT` too."""
    with tempfile.TemporaryDirectory(prefix="souk-idle-") as folder:
        stack = Stack(Path(folder))
        up = await asyncio.to_thread(stack.souk, "up", "--detach")
        assert up.returncode == 0, f"{up.stdout}{up.stderr}"
        try:
            await asyncio.sleep(SETTLE_SECONDS)
            return await _measured(stack)
        finally:
            await asyncio.to_thread(stack.souk, "down")


async def _measured(stack: Stack) -> list[Figure]:
    await _log_all(stack.run.database_url)
    log, processes = stack.home.folder / "postgres" / "postgres.log", stack.run.processes
    length, cpu, begun = log.stat().st_size, _cpu_seconds(processes), time.monotonic()
    await asyncio.sleep(MEASURED_SECONDS)
    spent, seconds = _cpu_seconds(processes) - cpu, time.monotonic() - begun
    by_role = Counter(_STATEMENT.findall(log.read_text()[length:]))
    statements, share = sum(by_role.values()) / seconds, 100 * spent / seconds
    largest, where = max((_resident_mib(process), process.name) for process in processes)
    total = sum(_resident_mib(process) for process in processes)
    told = ", ".join(f"{role.partition('@')[0]} {count / seconds:.1f}" for role, count in by_role.most_common(3))
    return [
        Figure(f"idle stack: statements ({told})", f"{statements:.1f}/s", "-", statements, 5, "/s", is_most=True),
        Figure("idle stack: CPU of nine processes", f"{share:.1f} %", "-", share, 3, "% of a core", is_most=True),
        Figure(
            f"idle stack: memory of the largest ({where}; all {total:.0f} MiB)",
            f"{largest:.0f} MiB",
            "-",
            largest,
            100,
            "MiB",
            is_most=True,
        ),
    ]


async def _log_all(database_url: str) -> None:
    owner = await asyncpg.connect(database_url)
    try:
        for statement in LOG_ALL:
            await owner.execute(statement)
    finally:
        await owner.close()


def _cpu_seconds(processes: tuple[RunningProcess, ...]) -> float:
    return sum(process_stat(process.pid)[2] for process in processes if process.pid is not None)


def _resident_mib(process: RunningProcess) -> float:
    assert process.pid is not None
    return memory_mib(process.pid, "VmRSS")
