"""Child processes that never outlive us: not a Ctrl-C, not even a `kill -9` of this process."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# The kernel's parent-death signal fires when the *thread* that forked ends, so every child is
# forked by this one thread, which ends with the interpreter. No thread starts before the first use.
_forker = ThreadPoolExecutor(1, thread_name_prefix="forker")


class ServerFailed(Exception):
    """A server did not start or stop; the message says which and shows the end of its log."""


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    when_orphaned: signal.Signals = signal.SIGKILL,
    as_user: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own (a terminal's Ctrl-C does not reach it), output to `log`.

    When this process dies, however it dies, the child gets `when_orphaned` (on Linux). `as_user` is a command that
    runs its arguments as another user; it comes first, since the kernel forgets the signal with the old user.
    """
    setpriv = shutil.which("setpriv")
    guard = [setpriv, "--pdeathsig", when_orphaned.name.removeprefix("SIG")] if setpriv else []

    def fork() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                [*as_user, *guard, *command],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    return _forker.submit(fork).result()


def stop(process: subprocess.Popen[bytes], *signals: signal.Signals, seconds: float) -> None:
    """Send the signals one after the other, each with that long to work, until the process ends.

    SIGKILL comes last of all. Nothing happens to a process that has ended.
    """
    for sent in (*signals, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(sent)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            continue


def wait_until(is_ready: Callable[[], bool], *, child: subprocess.Popen[bytes], seconds: float, log: Path) -> None:
    """Wait for a server to be ready; raise `ServerFailed` if it ends first or takes too long."""
    deadline = time.monotonic() + seconds
    while not is_ready():
        ended = child.poll() is not None
        if ended or time.monotonic() > deadline:
            what = "ended while starting" if ended else f"was not ready after {seconds:.0f} s"
            raise ServerFailed(f"{log.stem} {what}; the end of {log}:\n{tail(log)}")
        time.sleep(0.02)


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log file."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
