"""A private RabbitMQ node under one folder: loopback only, own ports, own cookie, own epmd."""

import base64
import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from deploy.local.children import ServerFailed, spawn, stop, wait_until
from deploy.local.ports import answers, free_ports
from deploy.setup import NO_RABBITMQ, rabbitmq_server

NODE = "souk@localhost"
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"

CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
load_definitions = {definitions}
log.file.level = info
disk_free_limit.absolute = 200MB
"""
# After a leader change the dead-letter worker of 3.10 can stand still for minutes without this.
ADVANCED = "[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 5000}]}].\n"
# Without it the distribution port listens on all addresses.
LOOPBACK = "-kernel inet_dist_use_interface {127,0,0,1}"


@dataclass(frozen=True)
class BrokerUser:
    """One account: regular expressions of what it may configure, write and read, in every vhost."""

    name: str
    password: str = field(repr=False)
    configure: str = "^$"
    write: str = "^$"
    read: str = "^$"
    tags: tuple[str, ...] = ()


ALL = ".*"
NOTHING = "^$"
MONITOR = "monitor"
"""The account that sees how many messages queues hold, and nothing else."""


class Management:
    """The few calls of the management HTTP API that tests and the one-machine run need.

    Raises `urllib.error.URLError` when nothing answers; an answer of 400 or above as `HTTPError`.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        """Prepare calls to `url` (without a path) in the name of an administrator."""
        self.url = url
        self.user = user
        self._authorization = base64.b64encode(f"{user}:{password}".encode()).decode()

    def call(self, method: str, *path: str, body: object = None) -> Any:
        """Call `/api/<path…>`, each part escaped, and return the answer's JSON, or None."""
        request = urllib.request.Request(  # noqa: S310 (our own node)
            f"{self.url}/api/{'/'.join(quote(part, safe='') for part in path)}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Basic {self._authorization}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=15) as answer:  # noqa: S310 (our own node)
            content = answer.read()
        return json.loads(content) if content else None

    def add_vhost(self, vhost: str) -> None:
        """Make a vhost, with full rights for this administrator."""
        self.call("PUT", "vhosts", vhost, body={})
        self.set_permissions(vhost, self.user, configure=ALL, write=ALL, read=ALL)

    def delete_vhost(self, vhost: str) -> None:
        """Remove a vhost with all that is in it."""
        self.call("DELETE", "vhosts", vhost)

    def add_user(self, user: BrokerUser, *vhosts: str) -> None:
        """Make or change an account, and give it its rights in these vhosts."""
        self.call("PUT", "users", user.name, body=_account(user))
        for vhost in vhosts:
            self.set_permissions(vhost, user.name, configure=user.configure, write=user.write, read=user.read)

    def set_permissions(self, vhost: str, user: str, *, configure: str, write: str, read: str) -> None:
        """Set what an account may do in a vhost, as regular expressions of names."""
        rights = {"configure": configure, "write": write, "read": read}
        self.call("PUT", "permissions", vhost, user, body=rights)

    def queues(self, vhost: str) -> list[dict[str, Any]]:
        """List the queues of a vhost as the broker describes them."""
        listed: list[dict[str, Any]] = self.call("GET", "queues", vhost)
        return listed


class RabbitServer:
    """One node with its epmd and data. Every method may be called twice, from any thread."""

    def __init__(
        self,
        folder: Path,
        *,
        users: Sequence[BrokerUser],
        vhosts: Sequence[str] = ("souk",),
        ports: Sequence[int] = (),
        config: str = "",
    ) -> None:
        """Prepare a node in `folder`; one of the users must have the tag `administrator`.

        `ports` are those of AMQP, management, distribution and epmd; by default free ones.
        `config` is added to rabbitmq.conf. Nothing is started or written.
        """
        self.folder = folder.resolve()
        self.amqp_port, self.management_port, self._dist_port, self._epmd_port = ports or free_ports(4)
        self.users = {user.name: user for user in users}
        self.vhosts = tuple(vhosts)
        self.log = self.folder / "rabbitmq.log"
        self._config = config
        self._node: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._has_booted = False

    @property
    def pid(self) -> int | None:
        """The node's process, if it runs."""
        return self._node.pid if self._node and self._node.poll() is None else None

    @property
    def management_url(self) -> str:
        """Where the management pages and their HTTP API are."""
        return f"http://127.0.0.1:{self.management_port}"

    @property
    def management(self) -> Management:
        """The management API in the name of the first administrator among the users."""
        admin = next(user for user in self.users.values() if "administrator" in user.tags)
        return Management(self.management_url, admin.name, admin.password)

    def amqp_url(self, user: str, vhost: str | None = None) -> str:
        """Return the address for one of the users, password included; the first vhost by default."""
        account, place = self.users[user], quote(vhost or self.vhosts[0], safe="")
        signs_in = f"{quote(account.name, safe='')}:{quote(account.password, safe='')}"
        return f"amqp://{signs_in}@127.0.0.1:{self.amqp_port}/{place}"

    def start(self) -> None:
        """Boot the node (about 5 s); returns when AMQP and the management API are answered."""
        if self.pid is not None:
            return
        server = rabbitmq_server()
        epmd = _find_epmd()
        if not server or not epmd:
            raise ServerFailed(NO_RABBITMQ)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        self._write_configuration()
        environment = self._environment()
        self._stop_epmd()
        self._epmd = spawn([epmd, "-relaxed_command_check"], log=self.folder / "epmd.log", env=environment)
        wait_until(
            lambda: answers(self._epmd_port),
            child=self._epmd,
            seconds=10,
            log=self.folder / "epmd.log",
        )
        self._has_booted = False
        self._node = spawn([server], log=self.log, env=environment)
        wait_until(self._is_ready, child=self._node, seconds=90, log=self.log)
        self._has_booted = True

    def stop(self) -> None:
        """End the node in good order (about 6 s on 3.10), then its epmd."""
        if self._node:
            # Early in its boot a node puts the signal off for ever, and has nothing to lose.
            stop(self._node, signal.SIGTERM, seconds=30 if self._has_booted else 2)
        self._stop_epmd()

    def kill(self) -> None:
        """End the node as a power cut would; what was durable is there after the next start."""
        if self._node:
            stop(self._node, seconds=10)
        self._stop_epmd()

    def wipe(self) -> None:
        """Throw all data away. The node must not be running."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _stop_epmd(self) -> None:
        if self._epmd:
            stop(self._epmd, signal.SIGTERM, seconds=5)

    def _is_ready(self) -> bool:
        return answers(self.amqp_port, send=AMQP_HEADER) and answers(self.management_port)

    def _write_configuration(self) -> None:
        config = CONFIG.format(
            amqp=self.amqp_port,
            management=self.management_port,
            definitions=self.folder / "definitions.json",
        )
        files = {
            "definitions.json": json.dumps(definitions(list(self.users.values()), self.vhosts), indent=1),
            "rabbitmq.conf": config + self._config,
            "advanced.config": ADVANCED,
            "enabled_plugins": "[rabbitmq_management].\n",
            "environment.conf": "",  # ours and empty, so that /etc/rabbitmq is not read
        }
        for name, content in files.items():
            path = self.folder / name
            path.write_text(content)
            path.chmod(0o600)

    def _environment(self) -> dict[str, str]:
        """Return all the node shall know; nothing named RABBITMQ_ or ERL_ comes from outside."""
        folder = self.folder
        kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ")
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},  # noqa: TID251
            "HOME": str(folder),  # where the Erlang cookie is made
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the node, instead of its parent
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_CONF_ENV_FILE": str(folder / "environment.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_LOGS": str(folder / "rabbitmq.log"),
            "RABBITMQ_PID_FILE": str(folder / "node.pid"),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_CTL_DIST_PORT_MIN": str(self._dist_port + 1),
            "RABBITMQ_CTL_DIST_PORT_MAX": str(self._dist_port + 20),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": LOOPBACK,
        }


def definitions(users: Sequence[BrokerUser], vhosts: Sequence[str]) -> dict[str, object]:
    """What a node makes at its boot (`load_definitions`): vhosts, accounts and their rights, and no guest."""
    return {
        "vhosts": [{"name": vhost} for vhost in vhosts],
        "users": [{"name": user.name, **_account(user)} for user in users],
        "permissions": [
            {
                "user": user.name,
                "vhost": vhost,
                "configure": user.configure,
                "write": user.write,
                "read": user.read,
            }
            for user in users
            for vhost in vhosts
        ],
    }


def _find_epmd() -> str | None:
    """Find epmd; where it is not on the PATH, beside the Erlang runtime."""
    found = shutil.which("epmd")
    if found or not (erl := shutil.which("erl")):
        return found
    beside = sorted(Path(erl).resolve().parents[1].glob("erts-*/bin/epmd"))
    return str(beside[-1]) if beside else None


def _account(user: BrokerUser) -> dict[str, object]:
    """Describe an account as RabbitMQ's API and definitions do, the password salted and hashed.

    https://www.rabbitmq.com/docs/passwords#computing-password-hash
    """
    salt = secrets.token_bytes(4)
    digest = hashlib.sha256(salt + user.password.encode()).digest()
    return {
        "password_hash": base64.b64encode(salt + digest).decode(),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": ",".join(user.tags),
    }
