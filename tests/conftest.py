"""Fixtures for every test: a database and a broker of one's own, from servers started when first needed."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from tests.copies import Copies
from tests.servers import (
    Broken,
    Broker,
    Database,
    Databases,
    Kind,
    Missing,
    Outcome,
    RemoteServers,
    Servers,
    Vhost,
    is_ci,
)

SERVERS = pytest.StashKey[Servers | RemoteServers]()
NEEDS: dict[str, Kind] = {"databases": "database", "broker": "broker"}  # fixture: server
ON_THE_STAND = {"test_under_load.py", "test_guards.py", "test_answers.py", "test_quiet.py", "test_twice.py"}
"""Those of tests/faults that hurt its one stack."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Faults come by chance, and again in the same way by the same seed."""
    parser.addoption("--seed", type=int, default=1, help="the chance of the tests in tests/faults")


def pytest_configure(config: pytest.Config) -> None:
    """Be ready to start servers, or to ask the process that can."""
    given = getattr(config, "workerinput", {}).get("servers")
    config.stash[SERVERS] = RemoteServers(*given) if given else Servers()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist where to ask."""
    servers = node.config.stash[SERVERS]
    node.workerinput["servers"] = servers.serve()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """With `--dist loadfile`, keep what shares one stack in one worker."""
    return FilesAndStack(config, log) if config.getvalue("dist") == "loadfile" else None


class FilesAndStack(LoadFileScheduling):  # type: ignore[misc] # xdist is untyped
    """A file's tests run in one worker, and so do all that share one stack: end-to-end tests but the demo, faults."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        folder, _, name = file.rpartition("/")
        return folder if (folder == "tests/e2e" and name != "test_demo.py") or name in ON_THE_STAND else file


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start what the collected tests need, side by side, while the first ones run."""
    used = {name for item in session.items if isinstance(item, pytest.Function) for name in item.fixturenames}
    for fixture, kind in NEEDS.items():
        if fixture in used and not session.config.option.collectonly:
            session.config.stash[SERVERS].start(kind)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers with the run."""
    servers = config.stash.get(SERVERS, None)
    if isinstance(servers, Servers):
        servers.stop()


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> Databases:
    """The PostgreSQL of this run."""
    outcome = _outcome(request, "database")
    assert isinstance(outcome, Databases)
    return outcome


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Broker:
    """The RabbitMQ of this run."""
    outcome = _outcome(request, "broker")
    assert isinstance(outcome, Broker)
    return outcome


@pytest.fixture(scope="session")
def copies(databases: Databases) -> Iterator[Copies]:
    """The databases this worker has made."""
    made = Copies(databases)
    yield made
    asyncio.run(made.drop_all())


@pytest.fixture
async def database(copies: Copies) -> AsyncIterator[Database]:
    """A database just as the migrations leave it."""
    async with copies.one() as one:
        yield one


@pytest.fixture
def vhost(broker: Broker) -> Iterator[Vhost]:
    """An empty vhost, removed at the end."""
    name = f"test-{secrets.token_hex(4)}"
    broker.management.add_vhost(name)
    yield Vhost(name, urlsplit(broker.amqp_url)._replace(path=f"/{quote(name)}").geturl(), broker.management)
    broker.management.delete_vhost(name)


def _outcome(request: pytest.FixtureRequest, kind: Kind) -> Outcome:
    """Wait for a server; without one the test is skipped, or fails where CI=true."""
    match request.config.stash[SERVERS].get(kind):
        case Missing(why) if not is_ci():
            pytest.skip(why)
        case Missing(why) | Broken(why):
            pytest.fail(why, pytrace=False)
        case outcome:
            return outcome
