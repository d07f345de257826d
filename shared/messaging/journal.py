"""The crash journal: which jobs a worker process runs right now, in memory that outlives the process.

One small file per worker slot, mapped into memory: beginning a job writes 64 bytes of it, ending one clears a byte,
neither is a system call. A process killed by SIGKILL leaves its entries to the next process of the slot, which tells
the ledger before it takes any job (protocol.md 12). A machine that goes down may lose them: then its jobs are merely
delivered again.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from uuid import UUID

from shared.contracts.reports import CrashedAttempt
from shared.ids import new_id
from shared.log import get_logger

log = get_logger(__name__)

PLACES: Final = 255
"""Jobs that one process runs at once, at most; one more is run without an entry."""
MOST_SLOTS: Final = 64
_MAGIC: Final = b"soukjrn1"
_HEADER: Final = struct.Struct("<8s16s40x")
_ENTRY: Final = struct.Struct("<BxxxII16s36s")
"""Whether it runs, fence, attempt, job id, type."""
_BYTES: Final = _HEADER.size + PLACES * _ENTRY.size
_NO_PLACE: Final = 0


@dataclass(frozen=True, slots=True)
class Crash:
    """What a process left that ended in the middle of jobs. `id` is that process's run: told twice, it counts once."""

    id: UUID
    attempts: tuple[CrashedAttempt, ...]


class Journal:
    """The jobs that run in this process. `crash` is what the process before it left; None after a clean end."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._free = [_HEADER.size + place * _ENTRY.size for place in reversed(range(PLACES))]
        self.crash = self._left()
        if self.crash is None:
            self._begin_run()

    def begin(self, job_id: UUID, job_type: str, fence: int, attempt: int) -> int:
        """Note that a job runs from now on; returns its place, for `end`."""
        if not self._free:
            return _NO_PLACE
        place = self._free.pop()
        # The flag last: a process killed in between has not begun the job.
        _ENTRY.pack_into(self._memory, place, 0, fence, attempt, job_id.bytes, job_type.encode()[:36])
        self._memory[place] = 1
        return place

    def end(self, place: int) -> None:
        """Note that the job at `place` runs no more."""
        if place != _NO_PLACE:
            self._memory[place] = 0
            self._free.append(place)

    def forget_crash(self) -> None:
        """The ledger knows: begin anew. Killed before this, the same crash is told again under the same id."""
        self.crash = None
        for place in range(_HEADER.size, _BYTES, _ENTRY.size):
            self._memory[place] = 0
        self._begin_run()

    def _begin_run(self) -> None:
        _HEADER.pack_into(self._memory, 0, _MAGIC, new_id().bytes)

    def _left(self) -> Crash | None:
        magic, run = _HEADER.unpack_from(self._memory, 0)
        if magic != _MAGIC:
            return None
        entries = (_ENTRY.unpack_from(self._memory, place) for place in range(_HEADER.size, _BYTES, _ENTRY.size))
        attempts = tuple(
            CrashedAttempt(
                job_id=UUID(bytes=job_id), job_type=job_type.rstrip(b"\0").decode(), fence=fence, attempt=attempt
            )
            for runs, fence, attempt, job_id, job_type in entries
            if runs
        )
        return Crash(UUID(bytes=run), attempts) if attempts else None


@contextmanager
def open_journal(folder: Path | None, *, worker: str) -> Iterator[Journal]:
    """The journal of the first slot of `folder` that no other process has; slots are `<worker>-<n>.journal`.

    Without a folder, or where none can be written, the journal is in plain memory: a crash is then found by rescue
    alone, and counted by nobody. The kernel drops the lock of a slot with its process, however that ends.
    """
    try:
        file = None if folder is None else _free_slot(folder, worker)
    except OSError as exc:
        log.error("crash_journal_not_kept", folder=str(folder), error=repr(exc))
        file = None
    if file is None:
        with mmap.mmap(-1, _BYTES) as memory:
            yield Journal(memory)
        return
    with file, mmap.mmap(file.fileno(), _BYTES) as memory:
        yield Journal(memory)


def _free_slot(folder: Path, worker: str) -> IO[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, MOST_SLOTS + 1):
        file = (folder / f"{worker}-{number}.journal").open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(file.fileno(), 0, _BYTES)  # on a full disk it fails here, and not by SIGBUS later
        except BlockingIOError:
            file.close()
        except OSError:
            file.close()
            raise
        else:
            return file
    raise BlockingIOError(f"all {MOST_SLOTS} slots are taken")
