"""A scheduler's parts on a database of their own."""

from collections.abc import AsyncIterator

import pytest

from shared.db.pool import Pool, open_pool
from tests.servers import Database


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """Connections with the scheduler's own role."""
    async with open_pool(database.url("scheduler"), name="test") as opened:
        yield opened
