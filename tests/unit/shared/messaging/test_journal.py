"""What a crash leaves, and who hears of it."""

import subprocess
import sys
from pathlib import Path
from uuid import UUID

from shared.messaging.journal import PLACES, open_journal

ONE, OTHER = UUID(int=1), UUID(int=2)
KILLED = """
import os, signal, sys
from pathlib import Path
from uuid import UUID
from shared.messaging.journal import open_journal
with open_journal(Path(sys.argv[1]), worker="w") as journal:
    done = journal.begin(UUID(int=1), "send-email", 1, 1)
    journal.begin(UUID(int=2), "process-image", 7, 3)
    journal.end(done)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_ran_when_the_process_was_killed_is_told_by_the_next_one(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=30)
    with open_journal(tmp_path, worker="w") as journal:
        assert journal.crash is not None
        [attempt] = journal.crash.attempts
        assert (attempt.job_id, attempt.job_type, attempt.fence, attempt.attempt) == (OTHER, "process-image", 7, 3)
        crash_id = journal.crash.id
    with open_journal(tmp_path, worker="w") as again:  # killed before it could tell: told under the same id
        assert again.crash is not None
        assert again.crash.id == crash_id
        again.forget_crash()
    with open_journal(tmp_path, worker="w") as clean:
        assert clean.crash is None


def test_two_processes_never_share_a_slot(tmp_path: Path) -> None:
    with open_journal(tmp_path, worker="w") as first:
        first.begin(ONE, "send-email", 1, 1)
        with open_journal(tmp_path, worker="w") as second:
            assert second.crash is None
    with open_journal(tmp_path, worker="other") as other:
        assert other.crash is None
    with open_journal(tmp_path, worker="w") as next_one:
        assert next_one.crash is not None


def test_a_full_journal_stops_nobody(tmp_path: Path) -> None:
    with open_journal(tmp_path, worker="w") as journal:
        places = [journal.begin(UUID(int=number), "send-email", 1, 1) for number in range(PLACES + 3)]
        for place in places:
            journal.end(place)
    with open_journal(tmp_path, worker="w") as journal:
        assert journal.crash is None


def test_without_a_folder_work_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (None, tmp_path / "file" / "below a file"):
        with open_journal(folder, worker="w") as journal:
            journal.end(journal.begin(ONE, "send-email", 1, 1))
