"""A parent that starts a private server, tells about it, and waits to be killed; and who lives after that."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from deploy.local import postgres
from deploy.local.postgres import PostgresServer
from deploy.local.rabbitmq import BrokerUser, RabbitServer

ADMIN = BrokerUser("admin", "an admin's secret", ".*", ".*", ".*", tags=("administrator",))


Kind = Literal["postgres", "postgres-as-nobody", "rabbitmq"]


def killed_parent_of(kind: Kind, folder: Path) -> set[int]:
    """Start a server in another process, kill that with SIGKILL, and return the server's processes."""
    parent = subprocess.Popen([sys.executable, "-m", __name__, kind, str(folder)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout as told:
        line = told.readline()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    return set(json.loads(line))


def living(pids: Iterable[int]) -> set[int]:
    """Return those that still run; a dead one that nobody has waited for does not."""
    return {pid for pid in pids if _state(pid) not in {"", "Z"}}


def descendants(pid: int | str) -> set[int]:
    """Return all processes below one."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    children = {int(child) for thread in threads for child in thread.read_text().split()}
    return children.union(*map(descendants, children))


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def main(kind: str, folder: Path) -> None:
    """Be the parent."""
    if kind == "postgres-as-nobody":
        postgres.WAYS = (postgres.NOBODY,)
    server = RabbitServer(folder, users=[ADMIN]) if kind == "rabbitmq" else PostgresServer(folder)
    server.start()
    sys.stdout.write(json.dumps(sorted(descendants("self"))) + "\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
