"""Set up a clone: `python3 deploy/setup.py run|test|quality|bench|pdf [--no-broker]`.

The first thing that runs on a fresh machine, so it needs only a Python 3.11 and its standard
library. It makes `.venv`, installs the hashed lock file of the set when that has changed, and sees
to it that there is a RabbitMQ to start, and for tests a Chromium. Doing nothing takes a few milliseconds.

Interrupted at any point it leaves a mark (`.venv/.unfinished`), and the next run starts `.venv` anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".installed"
UNFINISHED = VENV / ".unfinished"

SETS = {  # each set with all it contains
    "run": ("run",),
    "test": ("run", "test"),
    "quality": ("run", "test", "quality"),
    "bench": ("run", "bench"),
    "pdf": ("run", "pdf"),
}

POLICY = Path("/usr/sbin/policy-rc.d")  # asked by Debian's packages before they start a service
POLICY_MARK = "# placed by Souk's set-up"
UNITS = ("rabbitmq-server.service", "epmd.service", "epmd.socket")  # what the packages bring
UNIT_FOLDER = Path("/lib/systemd/system")

NO_BROWSER = "Chromium is missing: install it (on Debian `apt-get install --no-install-recommends chromium`)."
NO_RABBITMQ = (
    "RabbitMQ is missing: install it (on Debian `apt-get install --no-install-recommends "
    "rabbitmq-server`, or run this as root), or set SOUK_AMQP_URL to a broker you have."
)


class SetupFailed(Exception):
    """The set-up cannot go on; the message is one sentence for the person at the terminal."""


@contextmanager
def step(label: str) -> Iterator[None]:
    """Show `  label … 3.1 s` around a piece of work; on a terminal the seconds count up."""
    started = time.monotonic()
    done = threading.Event()
    on_terminal = sys.stdout.isatty()

    def show(word: str = "", end: str = "") -> None:
        lead = f"\r  {label} … " if on_terminal else ""
        print(f"{lead}{word or f'{time.monotonic() - started:.1f} s'}", end=end, flush=True)

    def count_up() -> None:
        while not done.wait(0.1):
            show()

    print(f"  {label} … ", end="", flush=True)
    ticker = threading.Thread(target=count_up, daemon=True)
    if on_terminal:
        ticker.start()
    outcome = "stopped"
    try:
        yield
        outcome = ""
    finally:
        done.set()
        if on_terminal:
            ticker.join()
        show(outcome, end="\n")


def run(*command: str | Path, env: Mapping[str, str] | None = None, detach: bool = False) -> None:
    """Run a command without a word; if it fails, raise `SetupFailed` with all it had to say.

    With `detach` a Ctrl-C in the terminal does not reach the command.
    """
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},  # noqa: TID251 (passed on, not read)
        start_new_session=detach,
    )
    if done.returncode:
        raise SetupFailed(f"`{' '.join(map(str, command))}` failed:\n{done.stdout.strip()}")


@contextmanager
def alone() -> Iterator[None]:
    """Hold the clone's set-up lock, so that two `make` at once do not write one `.venv`."""
    folder = ROOT / ".souk"
    folder.mkdir(exist_ok=True)
    with (folder / "setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with step("waiting for another set-up of this clone"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- the virtual environment ---------------------------------------------------------------------


def ensure_environment(wanted: str) -> None:
    """Make `.venv` if it is missing, half made or moved, and install `wanted` if its lock changed."""
    home = str(ROOT)
    installed: dict[str, str] = {}
    if UNFINISHED.exists() or not PYTHON.exists():
        shutil.rmtree(VENV, ignore_errors=True)
    elif STAMP.exists():
        stamp = json.loads(STAMP.read_text())
        if stamp["home"] == home:
            installed = stamp["locks"]
        else:
            shutil.rmtree(VENV)

    locks = {name: lock_file(name) for name in SETS[wanted]}
    digests = {name: hashlib.sha256(lock.read_bytes()).hexdigest() for name, lock in locks.items()}
    if installed.get(wanted) == digests[wanted]:
        return

    if not PYTHON.exists():
        ensure_venv_module()
        with step("virtual environment"):
            VENV.mkdir(exist_ok=True)
            UNFINISHED.touch()
            run(sys.executable, "-m", "venv", VENV)
    with step(f"packages ({wanted})"):
        UNFINISHED.touch()
        STAMP.unlink(missing_ok=True)
        pip = (PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input")
        with tempfile.TemporaryDirectory(dir=VENV) as scratch:  # pip leaves its own behind on Ctrl-C
            # The lock file is whole: nothing is left to resolve, and older pips would find extras "not pinned" in it.
            whole = ("--no-deps", "--require-hashes", "-r", locks[wanted])
            run(*pip, "install", *whole, env={"TMPDIR": scratch})
        STAMP.write_text(json.dumps({"home": home, "locks": {**installed, **digests}}))
        UNFINISHED.unlink()


def lock_file(name: str) -> Path:
    """Return the lock file of a set."""
    return ROOT / "requirements" / f"{name}.txt"


def ensure_venv_module() -> None:
    """Debian ships `python3 -m venv` without its heart, in a package of its own."""
    ensurepip = importlib.util.find_spec("ensurepip")
    if ensurepip and ensurepip.origin:
        return
    if not may_apt():
        raise SetupFailed(
            "this Python cannot make virtual environments: install the package python3-venv "
            "(apt-get install python3-venv), or run this as root."
        )
    apt_install("python3-venv")


# --- RabbitMQ ------------------------------------------------------------------------------------


def rabbitmq_server() -> Path | None:
    """Find the script that starts a node, the package's own: the one on the PATH changes user."""
    packaged = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    if packaged.exists():
        return packaged
    on_path = shutil.which("rabbitmq-server")
    return Path(on_path).resolve() if on_path else None


def ensure_broker() -> None:
    """See to it that a broker can be had: given, installed, installable, or by Docker."""
    if os.environ.get("SOUK_AMQP_URL") or rabbitmq_server():  # noqa: TID251 (no settings yet)
        return
    if may_apt():
        apt_install("rabbitmq-server")
    elif not has_docker():
        raise SetupFailed(NO_RABBITMQ)


def has_docker() -> bool:
    """Say whether a Docker engine answers."""
    try:
        asked = subprocess.run(("docker", "info"), capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


# --- the browser of the tests --------------------------------------------------------------------


def browser() -> Path | None:
    """Find Debian's Chromium, or what else goes by its name."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    return Path(found) if found else None


def ensure_browser() -> None:
    """Install Chromium where that is possible; without one, the tests of pages are skipped and say so."""
    if browser() or not may_apt():
        return
    try:
        apt_install("chromium")
    except SetupFailed as failure:
        print(f"set-up: no Chromium, so the tests of pages are skipped: {failure}", file=sys.stderr)


# --- Debian packages -----------------------------------------------------------------------------


def may_apt() -> bool:
    """Say whether packages can be installed here."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(package: str) -> None:
    """Install a Debian package; a service that comes with it is neither started nor enabled."""
    apt = ("apt-get", "-qq", "-y", "-o", "DPkg::Lock::Timeout=300", "--no-install-recommends")
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with step(f"download of {package} (apt)"):
        try:
            run(*apt, "install", "--download-only", package, env=quiet)
        except SetupFailed:  # no package lists yet, or old ones
            run("apt-get", "-qq", "update", env=quiet)
            run(*apt, "install", "--download-only", package, env=quiet)
    with step(f"installation of {package} (apt)"), uninterrupted(), services_kept_off():
        run(*apt, "install", package, env=quiet, detach=True)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let dpkg finish: an interrupt is acted on when the block ends."""
    arrived: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: arrived.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if arrived:
        raise KeyboardInterrupt


@contextmanager
def services_kept_off() -> Iterator[None]:
    """Forbid packages to start services, then disable the ones that were not here before.

    Our policy file asks whether this process still lives, so one left by a crash forbids nothing.
    """
    absent = [unit for unit in UNITS if not (UNIT_FOLDER / unit).exists()]
    if POLICY.exists() and POLICY_MARK in POLICY.read_text(errors="replace"):
        POLICY.unlink()
    place = not POLICY.exists()
    if place:
        POLICY.write_text(f"#!/bin/sh\n{POLICY_MARK}\nkill -0 {os.getpid()} || exit 0\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if place:
            POLICY.unlink()
        added = [unit for unit in absent if (UNIT_FOLDER / unit).exists()]
        if added and shutil.which("systemctl"):
            run("systemctl", "disable", *added)


def main(arguments: list[str]) -> int:
    """Set up what the arguments name; 0 when all is there, 1 with a sentence, 130 on Ctrl-C."""
    if sys.version_info < (3, 11):  # noqa: UP036 (a person's python3 may be any)
        print("Souk needs Python 3.11 or newer: make PYTHON=python3.11 …", file=sys.stderr)
        return 1
    wanted = [argument for argument in arguments if argument in SETS]
    if len(wanted) != 1 or set(arguments) - {*wanted, "--no-broker"}:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with alone():
            ensure_environment(wanted[0])
            if "--no-broker" not in arguments:
                ensure_broker()
                if wanted == ["test"]:
                    ensure_browser()
    except SetupFailed as failure:
        print(f"set-up: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("set-up: interrupted; run it again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
