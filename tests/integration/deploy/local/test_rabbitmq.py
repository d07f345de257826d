"""The private RabbitMQ node: accounts, restart, power cut, and what a killed parent leaves.

A node takes five seconds to boot, so these tests share one.
"""

import socket
import urllib.error
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused, ProbableAuthenticationError

from deploy.local.ports import answers
from deploy.local.rabbitmq import BrokerUser, RabbitServer
from tests.eventually import eventually
from tests.integration.deploy.local.orphans import ADMIN, killed_parent_of, living

pytestmark = pytest.mark.timeout(240)

READER = BrokerUser("reader", "a reader's secret / with: signs", read="^inbox$")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitServer]:
    server = RabbitServer(tmp_path_factory.mktemp("a clone") / "rabbitmq", users=[ADMIN, READER])
    server.start()
    yield server
    server.kill()


@asynccontextmanager
async def channel(url: str) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(url, timeout=10) as connection:
        yield await connection.channel()


async def test_accounts_have_their_rights_and_there_is_no_guest(node: RabbitServer) -> None:
    async with channel(node.amqp_url("admin")) as admin:
        await admin.declare_queue("inbox", durable=True)
    async with channel(node.amqp_url("reader")) as reader:
        await (await reader.get_queue("inbox", ensure=False)).get(fail=False)
        with pytest.raises(ChannelAccessRefused):
            await reader.declare_queue("another")
    with pytest.raises(ProbableAuthenticationError):
        await aio_pika.connect(f"amqp://guest:guest@127.0.0.1:{node.amqp_port}/souk", timeout=10)
    assert "guest" not in {user["name"] for user in node.management.call("GET", "users")}


async def test_the_management_api_makes_vhosts_and_accounts(node: RabbitServer) -> None:
    node.management.add_vhost("a/b")
    node.management.add_user(BrokerUser("late", "secret", configure=".*", read=".*"), "a/b")
    async with channel(f"amqp://late:secret@127.0.0.1:{node.amqp_port}/a%2Fb") as late:
        await late.declare_queue("its-own")
    node.management.delete_vhost("a/b")
    with pytest.raises(urllib.error.HTTPError):
        node.management.queues("a/b")


def test_no_password_stands_in_a_file_and_none_is_open_to_others(node: RabbitServer) -> None:
    for path in node.folder.rglob("*"):
        if path.is_file():
            assert ADMIN.password.encode() not in path.read_bytes()
    for name in ("definitions.json", ".erlang.cookie"):
        assert (node.folder / name).stat().st_mode & 0o077 == 0
    assert node.folder.stat().st_mode & 0o077 == 0


def test_nothing_listens_beyond_the_loopback_interface(node: RabbitServer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: it only tells this machine's own address
        address = probe.getsockname()[0]
    for port in (node.amqp_port, node.management_port, node._dist_port, node._epmd_port):
        assert answers(port)
        with socket.socket() as outside:
            assert outside.connect_ex((address, port)) != 0


@pytest.mark.long
async def test_what_is_durable_survives_a_power_cut_and_a_stop(node: RabbitServer) -> None:
    message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    async with channel(node.amqp_url("admin")) as admin:
        await admin.declare_queue("kept", durable=True)
        await admin.default_exchange.publish(message, "kept")
    for end in (node.kill, node.stop):
        end()
        end()
        assert node.pid is None
        assert not answers(node._epmd_port)
        node.start()
        node.start()
    async with channel(node.amqp_url("admin")) as admin:
        kept = await (await admin.get_queue("kept")).get(no_ack=True)
        assert kept.body == b"kept"


async def test_a_killed_parent_leaves_neither_node_nor_epmd(tmp_path: Path) -> None:
    processes = killed_parent_of("rabbitmq", tmp_path / "rabbitmq")
    assert len(processes) >= 2
    await eventually(lambda: not living(processes))
