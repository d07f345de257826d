"""The whole of Souk on one machine: what is started in which order, and stopped in reverse."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from deploy.local.accounts import seed
from deploy.local.home import Home
from deploy.local.ports import claimed, free_ports
from deploy.local.postgres import PostgresServer
from deploy.local.programs import (
    BLUEPRINTS,
    PREFERRED_GATEWAY_PORT,
    SERVICES,
    Blueprint,
    Replica,
    Wiring,
    program_of,
    replicas_of,
    service_urls,
)
from deploy.local.rabbitmq import ALL, MONITOR, NOTHING, BrokerUser, RabbitServer
from deploy.local.run_file import Accounts, Management, RunFile, RunningProcess
from deploy.local.settings import CLONE, StackSettings, machine
from deploy.local.steps import Steps, step
from deploy.local.supervisor import ProcessState, Program, Supervisor
from shared.db.migrate import discover, migrate
from shared.messaging import topology
from shared.secret_files import kept_secret

log = structlog.get_logger(__name__)

ADMINISTRATOR = "souk"
MAIL_SINK = "mailsink"
WATCH_SECONDS = 0.5


class Interrupted(Exception):
    """A signal came before the stack was ready; everything that had been started is stopped."""


@dataclass(frozen=True, slots=True)
class Broker:
    """RabbitMQ as the stack uses it: the administrator's address, and one per process."""

    url: str
    urls: Mapping[str, str]
    management: Management | None
    monitor_url: str = ""
    """The management API in the name of a user who may only look."""


class Server(Protocol):
    """A server as `postgres.py` and `rabbitmq.py` start it: blocking, safe to call twice, from any thread."""

    @property
    def pid(self) -> int | None:
        """The process, if it runs."""

    def start(self) -> None:
        """Return once it answers."""

    def stop(self) -> None:
        """End it in good order."""


@asynccontextmanager
async def running(
    settings: StackSettings,
    *,
    steps: Steps,
    counts: Mapping[str, int] | None = None,
    blueprints: tuple[Blueprint, ...] = BLUEPRINTS,
) -> AsyncIterator[RunFile]:
    """Start everything, supervise it while the block runs, stop everything.

    Raises AlreadyRunning when this clone has a stack. Whatever fails or is cancelled, what had been started is
    stopped before the error leaves.
    """
    home = Home(settings.home)
    async with AsyncExitStack() as opened:
        opened.enter_context(home.locked())
        home.prepare()
        home.run_file.unlink(missing_ok=True)  # a killed supervisor left it
        opened.callback(home.run_file.unlink, missing_ok=True)
        has_port = opened.enter_context(claimed(PREFERRED_GATEWAY_PORT))
        replicas = replicas_of(counts or {}, blueprints, gateway_port=PREFERRED_GATEWAY_PORT if has_port else None)
        (database_url, database_urls, accounts), broker = await _together(
            _open_database(opened, home, settings, steps),
            _open_broker(opened, home, settings, steps, blueprints),
        )

        sink = _mail_sink(home, service_urls(replicas).get("catalog", ""))
        with step(steps, "Mail sink"):
            helpers = await opened.enter_async_context(Supervisor([sink], folder=CLONE, log_folder=home.logs))
            await helpers.ready(settings.ready_seconds)

        wiring = _wiring(home, settings, replicas, broker, database_urls, sink)

        def told() -> RunFile:
            return RunFile(
                gateway=wiring.common["SOUK_PUBLIC_URL"],
                mailbox=sink.ops_url,
                management=broker.management,
                amqp_url=broker.url,
                database_url=database_url,
                supervisor=home.supervisor_pid() or 0,
                processes=tuple(_shown(each) for each in services.states()),
                helpers=tuple(_shown(each) for each in helpers.states()),
                accounts=accounts,
            )

        def rewrite() -> None:
            if not home.run_file.exists():  # it is there from the moment that everything is ready
                return
            try:
                told().write(home.run_file)
            except OSError as full:
                log.warning("run_file_not_written", error=str(full))

        with step(steps, f"{len(replicas)} processes"):
            services = Supervisor(
                [program_of(each, wiring) for each in replicas],
                folder=CLONE,
                log_folder=home.logs,
                on_change=rewrite,
            )
            await opened.enter_async_context(services)
            await services.ready(settings.ready_seconds)
        told().write(home.run_file)
        yield told()


async def hold(
    settings: StackSettings,
    *,
    steps: Steps,
    announce: Callable[[RunFile], None],
    counts: Mapping[str, int] | None = None,
    blueprints: tuple[Blueprint, ...] = BLUEPRINTS,
) -> None:
    """Run the stack until SIGINT, SIGTERM or SIGHUP. Raises Interrupted if that comes before it is ready."""
    ready = False
    with cancelled_by_signals() as received:
        try:
            async with AsyncExitStack() as opened:
                stack = running(settings, steps=steps, counts=counts, blueprints=blueprints)
                announce(await opened.enter_async_context(stack))
                ready = True
                try:
                    await asyncio.Event().wait()
                finally:
                    with step(steps, "Stopping"):
                        await opened.aclose()
        except asyncio.CancelledError:
            if not received:
                raise
            if not ready:
                raise Interrupted(signal.Signals(received[0]).name) from None


@contextmanager
def cancelled_by_signals() -> Iterator[list[int]]:
    """Turn the first signal into a cancellation of this task; more of them do not disturb the clean-up."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    received: list[int] = []

    def on_signal(number: int) -> None:
        received.append(number)
        if len(received) == 1:
            task.cancel()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield received
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


# -- PostgreSQL and RabbitMQ -------------------------------------------------------------------------


async def _open_database(
    opened: AsyncExitStack, home: Home, settings: StackSettings, steps: Steps
) -> tuple[str, Mapping[str, str], Accounts]:
    """The migrator's address, each service's own, and the accounts in it."""
    if settings.database_url:
        url = settings.database_url.get_secret_value()
    else:
        with step(steps, "PostgreSQL"):
            server = PostgresServer(home.folder / "postgres")
            await opened.enter_async_context(_kept_running("PostgreSQL", server))
            url = server.url
    with step(steps, "Migrations"):
        urls = await migrate(
            url,
            discover(CLONE / "services"),
            secrets_dir=home.secrets,
            given=settings.given_database_urls,
        )
    with step(steps, "Accounts"):
        accounts = await seed(urls["catalog"], home.secrets)
    return url, urls, accounts


async def _open_broker(
    opened: AsyncExitStack,
    home: Home,
    settings: StackSettings,
    steps: Steps,
    blueprints: tuple[Blueprint, ...],
) -> Broker:
    """A given broker as it is, else a private one with a least-privilege user for each process."""
    if settings.amqp_url:
        url = settings.amqp_url.get_secret_value()
        return Broker(url, {each.name: url for each in blueprints}, management=None)
    administrator = BrokerUser(
        ADMINISTRATOR,
        kept_secret(home.secrets / "broker-administrator"),
        configure=ALL,
        write=ALL,
        read=ALL,
        tags=("administrator",),
    )
    monitor = BrokerUser(
        MONITOR, kept_secret(home.secrets / "broker-monitor"), NOTHING, NOTHING, NOTHING, ("monitoring",)
    )
    users = [monitor, *(_broker_user(each.name, home) for each in blueprints)]
    with step(steps, "RabbitMQ"):
        server = RabbitServer(home.folder / "rabbitmq", users=[administrator, *users])
        await opened.enter_async_context(_kept_running("RabbitMQ", server))
    return Broker(
        server.amqp_url(ADMINISTRATOR),
        {each.name: server.amqp_url(each.name) for each in users},
        Management(url=server.management_url, user=ADMINISTRATOR, password=administrator.password),
        server.management_url.replace("://", f"://{MONITOR}:{monitor.password}@"),
    )


def _broker_user(process: str, home: Home) -> BrokerUser:
    may = topology.permissions(process)
    password = kept_secret(home.secrets / f"broker-{process}")
    return BrokerUser(process, password, may.configure, may.write, may.read)


@asynccontextmanager
async def _kept_running(name: str, server: Server) -> AsyncIterator[None]:
    """A server of its own kind, started again when it dies. Cancelled while it starts, it is stopped first."""
    starting = asyncio.create_task(asyncio.to_thread(server.start))
    try:
        await asyncio.shield(starting)
        watching = asyncio.create_task(_restart_when_dead(name, server))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    finally:
        await asyncio.to_thread(server.stop)
        # Cancelled while it started, the thread may just now have made a process: see it end, and make sure.
        await asyncio.gather(starting, return_exceptions=True)
        await asyncio.to_thread(server.stop)


async def _restart_when_dead(name: str, server: Server) -> None:
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        if server.pid is None:
            log.warning("server_exited", server=name)
            starting = asyncio.create_task(asyncio.to_thread(server.start))
            try:
                await asyncio.shield(starting)
            except asyncio.CancelledError:
                await asyncio.gather(starting, return_exceptions=True)
                raise
            except Exception as failed:  # noqa: BLE001 - tried again at the next look
                log.error("server_not_restarted", server=name, error=str(failed))


async def _together(first: Coroutine[Any, Any, Any], second: Coroutine[Any, Any, Any]) -> tuple[Any, Any]:
    """Both at once; the first error ends the other and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = group.create_task(first), group.create_task(second)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return tasks[0].result(), tasks[1].result()


# -- what the processes are told ---------------------------------------------------------------------


def _wiring(
    home: Home,
    settings: StackSettings,
    replicas: list[Replica],
    broker: Broker,
    database_urls: Mapping[str, str],
    sink: Program,
) -> Wiring:
    urls = service_urls(replicas)
    return Wiring(
        amqp_urls=broker.urls,
        database_urls=database_urls,
        keys={each: kept_secret(home.secrets / f"{each}-key") for each in SERVICES},
        urls=urls,
        state=str(home.state),
        common={
            "SOUK_RETRY_TIERS": settings.retry_tiers,
            "SOUK_BLOBS_URL": home.blobs.as_uri(),
            "SOUK_OUTBOUND_ALLOW": json.dumps(settings.outbound_allow),
            "SOUK_SYNC_KEY": kept_secret(home.secrets / "sync-key"),
            "SOUK_VAPID_PRIVATE_KEY": kept_secret(home.secrets / "vapid-key"),
            "SOUK_PUBLIC_URL": urls.get("catalog", ""),
            "SOUK_TIME_ZONE": settings.time_zone,
            "SOUK_SCHEDULE_FILE": str(settings.schedule_file),
            "SOUK_SMTP_HOST": "127.0.0.1",
            "SOUK_SMTP_PORT": sink.environment["SOUK_SMTP_PORT"],
            "SOUK_SMTP_TLS": "none",
            "SOUK_MAIL_FROM": settings.mail_from,
            "SOUK_MANAGEMENT_URL": broker.monitor_url,
            "SOUK_MAIL_SEARCH_URL": f"{sink.ops_url}/?q={{job}}",
        },
        base={
            **machine(),
            "SOUK_LOG_FORMAT": "json",
            "SOUK_LOG_LEVEL": settings.log_level,
            "SOUK_OTLP_ENDPOINT": settings.otlp_endpoint or "",
        },
    )


def _mail_sink(home: Home, public_url: str) -> Program:
    smtp_port, http_port = free_ports(2)
    return Program(
        name=MAIL_SINK,
        argv=(sys.executable, "-m", "deploy.local.mailsink"),
        environment={
            **machine(),
            "SOUK_SMTP_PORT": str(smtp_port),
            "SOUK_HTTP_PORT": str(http_port),
            "SOUK_STATE_DIR": str(home.mail),
            "SOUK_PUBLIC_URL": public_url or "http://127.0.0.1:8080",
        },
        ops_url=f"http://127.0.0.1:{http_port}",
    )


def _shown(process: ProcessState) -> RunningProcess:
    return RunningProcess(name=process.name, pid=process.pid, ops_url=process.ops_url, restarts=process.restarts)
