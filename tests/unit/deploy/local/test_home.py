"""One stack per clone."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.home import AlreadyRunning, Home
from deploy.local.run_file import Account, Accounts, Channel, RunFile

HOLDS_THE_LOCK = """
import sys, time, pathlib
from deploy.local.home import Home
with Home(pathlib.Path(sys.argv[1])).locked():
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_second_stack_is_refused_and_told_whose_the_first_is(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with subprocess.Popen([sys.executable, "-c", HOLDS_THE_LOCK, tmp_path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"locked\n"
        assert home.supervisor_pid() == holder.pid
        with pytest.raises(AlreadyRunning) as refused, home.locked():
            pass
        assert refused.value.pid == holder.pid
        holder.kill()
        holder.wait()
    assert home.supervisor_pid() is None
    with home.locked():
        pass


def test_nobody_runs_where_nothing_ever_ran(tmp_path: Path) -> None:
    assert Home(tmp_path / "absent").supervisor_pid() is None
    assert RunFile.read(Home(tmp_path).run_file) is None


def test_secrets_are_for_their_owner(tmp_path: Path) -> None:
    home = Home(tmp_path / "new")
    home.prepare()
    assert home.secrets.stat().st_mode & 0o077 == 0
    person = Account(email="admin@example.com", password="secret", api_key="souk_a")
    run = RunFile(
        gateway="http://127.0.0.1:8080",
        mailbox="http://127.0.0.1:8025",
        management=None,
        amqp_url="amqp://",
        database_url="postgresql://",
        supervisor=1,
        processes=(),
        accounts=Accounts(admin=person, ops=person, channel=Channel(api_key="souk_c"), vendors=()),
    )
    run.write(home.run_file)
    assert home.run_file.stat().st_mode & 0o777 == 0o600
    assert RunFile.read(home.run_file) == run
