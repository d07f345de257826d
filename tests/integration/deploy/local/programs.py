"""Programs for a supervisor under test."""

import os
import sys
from pathlib import Path

from deploy.local.supervisor import Program


def stand_in(name: str, port: int, *behaviour: str) -> Program:
    """A stand-in process that answers on `port`."""
    return Program(
        name=name,
        argv=(sys.executable, "-m", "tests.integration.deploy.local.stand_in", *behaviour),
        environment={"PATH": os.defpath, "SOUK_OPS_PORT": str(port)},
        ops_url=f"http://127.0.0.1:{port}",
    )


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
