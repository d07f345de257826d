"""One stack for all faults: they hurt it one after the other, and it has to be well again after each."""

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.e2e.marketplace import living
from tests.faults.stand import Stand

Note = Callable[[str, float], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A client that is cancelled while it connects leaves its socket to the garbage collector (aiohttp)."""
    for item in items:
        if isinstance(item, pytest.Function) and "stand" in item.fixturenames:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Up before the first test that asks for it; at the end it is gone, and no process of it is left."""
    stand = Stand(Path(tmp_path_factory.mktemp("stand")))
    stand.start()
    try:
        yield stand
    finally:
        stand.stop()
    assert living(stand.home.folder) == []


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> Random:
    """Chance from `--seed` and the test's name: the same seed hurts in the same way, alone or among others."""
    return Random(f"{request.config.getoption('seed')} {request.node.name}")


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What to give as `--seed` to see the same again."""
    return int(request.config.getoption("seed"))


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Put a figure into the test's report."""
    return lambda name, seconds: request.node.user_properties.append((name, round(seconds, 2)))
