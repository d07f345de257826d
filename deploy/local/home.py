"""The folder `.souk/` of a clone: what lies where, and the lock that lets one stack run in it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO


class AlreadyRunning(Exception):
    """Another stack holds the lock of this clone."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(f"Souk already runs in this clone (supervisor {pid or 'starting'}).")
        self.pid = pid


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below `.souk/`. Nothing is made until `prepare()`."""

    folder: Path

    @property
    def run_file(self) -> Path:
        """Tells scripts where everything is; there only while a stack runs."""
        return self.folder / "run.json"

    @property
    def logs(self) -> Path:
        """One log per process."""
        return self.folder / "log"

    @property
    def secrets(self) -> Path:
        """Generated passwords and keys, readable by their owner alone."""
        return self.folder / "secrets"

    @property
    def mail(self) -> Path:
        """Every mail that the mail sink accepted."""
        return self.folder / "mail"

    @property
    def blobs(self) -> Path:
        """The object store."""
        return self.folder / "blobs"

    @property
    def state(self) -> Path:
        """A folder for each process that keeps something small over its restarts."""
        return self.folder / "state"

    def prepare(self) -> None:
        """Make the folders that must exist before anything starts."""
        for folder in (self.folder, self.secrets):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.logs, self.mail, self.blobs, self.state):
            folder.mkdir(exist_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the one stack of this clone. Raises AlreadyRunning.

        The kernel drops an flock with its holder, so a lock left by kill -9 is no obstacle. The file keeps
        the holder's pid for `souk down` and is never removed: a removed file could be locked twice.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._lock_file.open("a+") as lock:
            if not _grab(lock):
                raise AlreadyRunning(self.supervisor_pid())
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def supervisor_pid(self) -> int | None:
        """Who runs the stack of this clone; None when nobody does."""
        try:
            with self._lock_file.open() as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(lock.read() or 0) or None
        except FileNotFoundError:
            pass
        return None

    @property
    def _lock_file(self) -> Path:
        return self.folder / "lock"


def _grab(lock: IO[str]) -> bool:
    """Try twice: a `souk status` that looks at the lock holds it for an instant."""
    for pause_seconds in (0.05, 0):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause_seconds)
        else:
            return True
    return False
