"""The private PostgreSQL: first start, restart, power cut, and what a killed parent leaves."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local import postgres
from deploy.local.children import ServerFailed
from deploy.local.ports import answers
from deploy.local.postgres import PostgresServer
from tests.eventually import eventually
from tests.integration.deploy.local.orphans import killed_parent_of, living


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    started = PostgresServer(tmp_path / "postgres")
    started.start()
    yield started
    started.kill()


async def ask(server: PostgresServer, query: str) -> object:
    connection = await asyncpg.connect(server.url, timeout=10)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_data_survive_a_stop_and_a_power_cut(server: PostgresServer) -> None:
    await ask(server, "CREATE TABLE kept (id int)")
    server.stop()
    server.stop()
    assert server.pid is None
    server.start()
    await ask(server, "INSERT INTO kept VALUES (1)")
    server.kill()
    server.start()
    server.start()
    assert await ask(server, "SELECT count(*) FROM kept") == 1


async def test_it_is_safe_by_default(server: PostgresServer) -> None:
    for setting, value in {"fsync": "on", "server_encoding": "UTF8", "unix_socket_directories": ""}.items():
        assert await ask(server, f"SELECT current_setting('{setting}')") == value
    assert (server.folder / "password").stat().st_mode & 0o777 == 0o600
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.url, password="wrong", timeout=10)


async def test_only_the_loopback_interface_answers(server: PostgresServer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: it only tells this machine's own address
        address = probe.getsockname()[0]
    with socket.socket() as outside:
        assert outside.connect_ex((address, server.port)) != 0


async def test_a_pid_file_of_a_power_cut_is_no_obstacle(server: PostgresServer) -> None:
    pid_file = server.data / "postmaster.pid"
    server.kill()
    stale = pid_file.read_text().split("\n", 1)[1]
    pid_file.write_text(f"{os.getpid()}\n{stale}")  # as if the number had been given to somebody else
    server.start()
    assert await ask(server, "SELECT 1") == 1


async def test_a_second_server_in_the_folder_waits_and_is_refused(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = PostgresServer._wait_for_predecessor
    monkeypatch.setattr(PostgresServer, "_wait_for_predecessor", lambda self: wait(self, seconds=0.1))
    with pytest.raises(ServerFailed, match="another PostgreSQL runs"):
        PostgresServer(server.folder).start()
    assert await ask(server, "SELECT 1") == 1


async def test_the_path_may_be_long(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / ("long " * 30) / "postgres")
    server.start()
    assert await ask(server, "SELECT 1") == 1
    server.stop()
    server.wipe()
    assert not server.folder.exists()


async def test_a_killed_parent_leaves_no_server(tmp_path: Path) -> None:
    processes = killed_parent_of("postgres", tmp_path / "postgres")
    assert len(processes) > 3
    successor = PostgresServer(tmp_path / "postgres")
    successor.start()
    assert not living(processes)
    assert await ask(successor, "SELECT 1") == 1
    successor.kill()
    await eventually(lambda: not answers(successor.port))


async def test_data_of_another_version_are_refused_with_a_way_out(server: PostgresServer) -> None:
    server.stop()
    (server.data / "PG_VERSION").write_text("9\n")
    with pytest.raises(ServerFailed, match="made by PostgreSQL 9"):
        server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
class TestRootWithoutUserNamespaces:
    """As in most containers."""

    async def test_runs_it_as_nobody_even_in_a_folder_closed_to_others(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = PostgresServer(tmp_path / "postgres")
        server.start()
        await ask(server, "CREATE TABLE kept (id int)")
        server.stop()
        monkeypatch.setattr(postgres, "WAYS", (postgres.NOBODY,))
        server.start()
        assert await ask(server, "SELECT count(*) FROM kept") == 0
        assert server.pid is not None
        assert os.stat(f"/proc/{server.pid}").st_uid == 65534  # noqa: PTH116 (waits for nothing)
        server.stop()

    async def test_leaves_no_server_when_it_is_killed(self, tmp_path: Path) -> None:
        processes = killed_parent_of("postgres-as-nobody", tmp_path / "postgres")
        assert len(processes) > 3
        await eventually(lambda: not living(processes))

    def test_and_without_nobody_is_told_what_to_do(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(postgres, "WAYS", ())
        with pytest.raises(ServerFailed, match="run as an ordinary user, or set SOUK_DATABASE_URL"):
            PostgresServer(tmp_path / "postgres").start()
