"""The set-up's decisions; the commands it would run are only noted."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from deploy import setup


class Machine:
    """A clone in a temporary folder, and what was run in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ran: list[str] = []
        self.interrupt_at = ""
        (root / "requirements").mkdir(parents=True)
        for name in setup.SETS:
            self.lock(name, "first")

    def lock(self, name: str, content: str) -> None:
        """Write a lock file."""
        (self.root / "requirements" / f"{name}.txt").write_text(f"{name} {content}")

    def run(self, *command: str | Path, **_options: object) -> None:
        """Stand in for `setup.run`."""
        words = [str(word) for word in command]
        what = "venv" if "venv" in words else Path(words[-1]).stem
        if what == "venv":
            python = self.root / ".venv" / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()
        if what == self.interrupt_at:
            raise KeyboardInterrupt
        self.ran.append(what)

    def ensure(self, wanted: str) -> list[str]:
        """Set up and return what that ran."""
        self.ran = []
        setup.ensure_environment(wanted)
        return self.ran


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    clone = Machine(tmp_path / "clone")
    move(clone.root, monkeypatch)
    monkeypatch.setattr(setup, "run", clone.run)
    return clone


def move(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the set-up believe that it stands in this folder."""
    monkeypatch.setattr(setup, "ROOT", root)
    monkeypatch.setattr(setup, "VENV", root / ".venv")
    monkeypatch.setattr(setup, "PYTHON", root / ".venv" / "bin" / "python")
    monkeypatch.setattr(setup, "STAMP", root / ".venv" / ".installed")
    monkeypatch.setattr(setup, "UNFINISHED", root / ".venv" / ".unfinished")


def test_the_second_run_does_nothing(machine: Machine) -> None:
    assert machine.ensure("run") == ["venv", "run"]
    assert machine.ensure("run") == []


def test_a_larger_set_contains_the_smaller_ones(machine: Machine) -> None:
    assert machine.ensure("quality") == ["venv", "quality"]
    assert machine.ensure("run") == []
    assert machine.ensure("test") == []


def test_a_smaller_set_is_no_larger_one(machine: Machine) -> None:
    machine.ensure("run")
    assert machine.ensure("test") == ["test"]


def test_a_changed_lock_is_installed(machine: Machine) -> None:
    machine.ensure("test")
    machine.lock("test", "second")
    assert machine.ensure("run") == []
    assert machine.ensure("test") == ["test"]


@pytest.mark.parametrize("interrupted", ["venv", "run"])
def test_after_an_interruption_the_environment_is_made_anew(machine: Machine, interrupted: str) -> None:
    machine.interrupt_at = interrupted
    with pytest.raises(KeyboardInterrupt):
        machine.ensure("run")
    machine.interrupt_at = ""
    assert machine.ensure("run") == ["venv", "run"]
    assert machine.ensure("run") == []


def test_a_moved_clone_gets_an_environment_of_its_own(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.ensure("run")
    machine.root = machine.root.rename(machine.root.with_name("moved"))
    move(machine.root, monkeypatch)
    assert machine.ensure("run") == ["venv", "run"]


def test_python_without_venv_is_told_the_package_to_install(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr(setup, "may_apt", lambda: False)
    with pytest.raises(setup.SetupFailed, match="python3-venv"):
        machine.ensure("run")


def test_an_unknown_set_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert setup.main(["runn"]) == 2
    assert "run|test|quality|bench" in capsys.readouterr().err


def test_a_failed_command_shows_what_it_said() -> None:
    with pytest.raises(setup.SetupFailed, match="no such thing"):
        setup.run("sh", "-c", "echo no such thing >&2; exit 3")


def test_a_step_shows_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    with setup.step("virtual environment"):
        pass
    assert capsys.readouterr().out == "  virtual environment … 0.0 s\n"


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    reached = []

    def interrupted() -> None:
        with setup.uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            reached.append("the end")

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert reached == ["the end"]


class TestServicesKeptOff:
    """The policy file that keeps Debian's packages from starting their services."""

    @pytest.fixture
    def policy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        path = tmp_path / "policy-rc.d"
        monkeypatch.setattr(setup, "POLICY", path)
        return path

    def test_it_forbids_while_the_set_up_works_and_goes_with_it(self, policy: Path) -> None:
        with setup.services_kept_off():
            assert subprocess.run([policy], check=False).returncode == 101
        assert not policy.exists()

    def test_one_left_by_a_crash_forbids_nothing_and_is_replaced(self, policy: Path) -> None:
        ended = subprocess.Popen(["true"])
        ended.wait()
        with setup.services_kept_off():
            left = policy.read_text().replace(str(os.getpid()), str(ended.pid))
        policy.write_text(left)
        policy.chmod(0o755)
        assert subprocess.run([policy], check=False, stderr=subprocess.DEVNULL).returncode == 0
        with setup.services_kept_off():
            assert subprocess.run([policy], check=False).returncode == 101
        assert not policy.exists()

    def test_somebody_elses_stays_as_it_is(self, policy: Path) -> None:
        policy.write_text("#!/bin/sh\nexit 101\n")
        with setup.services_kept_off():
            pass
        assert policy.read_text() == "#!/bin/sh\nexit 101\n"

    def test_services_that_were_not_here_are_left_disabled(
        self, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ran: list[tuple[str, ...]] = []
        monkeypatch.setattr(setup, "UNIT_FOLDER", tmp_path)
        monkeypatch.setattr(setup, "run", lambda *command: ran.append(command))
        monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
        (tmp_path / "epmd.service").touch()
        with setup.services_kept_off():
            (tmp_path / "rabbitmq-server.service").touch()
        assert ran == [("systemctl", "disable", "rabbitmq-server.service")]


@pytest.mark.parametrize(
    ("is_there", "may_apt", "installs"), [(True, True, False), (False, True, True), (False, False, False)]
)
def test_a_browser_is_installed_where_there_is_none_and_that_is_possible(
    monkeypatch: pytest.MonkeyPatch, is_there: bool, may_apt: bool, installs: bool
) -> None:
    installed: list[str] = []
    monkeypatch.setattr(setup, "browser", lambda: Path("/usr/bin/chromium") if is_there else None)
    monkeypatch.setattr(setup, "may_apt", lambda: may_apt)
    monkeypatch.setattr(setup, "apt_install", installed.append)
    setup.ensure_browser()
    assert bool(installed) is installs


def test_a_browser_that_cannot_be_had_ends_no_set_up(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: str) -> None:
        raise setup.SetupFailed("no network")

    monkeypatch.setattr(setup, "browser", lambda: None)
    monkeypatch.setattr(setup, "may_apt", lambda: True)
    monkeypatch.setattr(setup, "apt_install", fail)
    setup.ensure_browser()
    assert "no network" in capsys.readouterr().err
