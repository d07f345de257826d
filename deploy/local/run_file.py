"""`.souk/run.json`: tells scripts and people where everything of the running stack is."""

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Account(_Part):
    """Someone who signs in to the pages and has a key for machines."""

    email: str
    password: str
    api_key: str


class Vendor(Account):
    """A vendor's account."""

    vendor_id: str


class Channel(_Part):
    """A machine that sends orders."""

    api_key: str


class Accounts(_Part):
    """Everyone that a fresh stack knows."""

    admin: Account
    ops: Account
    channel: Channel
    vendors: tuple[Vendor, ...]


class Management(_Part):
    """RabbitMQ's management UI and who may sign in."""

    url: str
    user: str
    password: str


class RunningProcess(_Part):
    """One supervised process; `pid` is null between an exit and the next start."""

    name: str
    pid: int | None
    ops_url: str
    restarts: int = 0


class RunFile(_Part):
    """The running stack. `processes` are Souk's own, `helpers` what the one-machine run adds to them."""

    gateway: str
    mailbox: str
    management: Management | None
    amqp_url: str
    database_url: str
    supervisor: int
    processes: tuple[RunningProcess, ...]
    helpers: tuple[RunningProcess, ...] = ()
    accounts: Accounts

    def write(self, path: Path) -> None:
        """Replace the file, readable by its owner alone: it holds passwords."""
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(self.model_dump_json(indent=2) + "\n")
        draft.replace(path)

    @classmethod
    def read(cls, path: Path) -> "RunFile | None":
        """What the file says; None when there is no such file."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return None
