"""Reporting's parts on a database of their own."""

from collections.abc import AsyncIterator

import pytest

from shared.db.pool import Pool, open_pool
from tests.servers import Database


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    """Connections with reporting's own role."""
    async with open_pool(database.url("reporting"), name="test") as opened:
        yield opened
