"""One real stack for every end-to-end test: nine processes, PostgreSQL, RabbitMQ and the mail sink, as `make up`."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.collector import Collector, collecting
from tests.e2e.marketplace import Shop, Stack, living


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """Takes the spans of every process of the stack."""
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, collector: Collector) -> Iterator[Stack]:
    """Up before the first test that asks for it; at the end it is gone, and no process of it is left."""
    stack = Stack(Path(tmp_path_factory.mktemp("stack")), collector=collector.url)
    up = stack.souk("up", "--detach")
    assert up.returncode == 0, f"{up.stdout}{up.stderr}"
    try:
        yield stack
    finally:
        down = stack.souk("down")
    assert (down.returncode, living(stack.home.folder)) == (0, []), down.stdout
    assert not stack.home.run_file.exists()


@pytest.fixture
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    """The people of the running stack."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http:
        yield Shop(stack, http)
