"""What a caller hears when the database is lost under it."""

import asyncio
from typing import Any, cast

import asyncpg
import pytest

from shared.db.pool import Pool, connection
from shared.errors import Unavailable


class AnyPool:
    """A pool whose connections are objects that nobody uses."""

    def __init__(self) -> None:
        self._queue: asyncio.LifoQueue[object] = asyncio.LifoQueue()
        self.held = 0

    async def acquire(self, *, timeout: float | None) -> object:
        self.held += 1
        return object()

    async def release(self, _: object) -> None:
        self.held -= 1

    async def expire_connections(self) -> None:
        """There are none."""


@pytest.mark.parametrize(
    "lost",
    [
        ConnectionResetError("reset"),
        TimeoutError(),
        asyncpg.ConnectionDoesNotExistError("closed in the middle of operation"),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.CrashShutdownError("another server process exited abnormally"),
        asyncpg.InterfaceError("connection is closed"),
        # A statement sent between the arrival of the server's FATAL and the end of the link.
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
    ],
    ids=lambda lost: type(lost).__name__,
)
async def test_a_lost_database_is_unavailable_and_worth_another_try(lost: Exception) -> None:
    pool = AnyPool()
    with pytest.raises(Unavailable) as told:
        async with connection(cast(Pool, pool)):
            raise lost
    assert pool.held == 0
    assert told.value.retryable
    assert told.value.__cause__ is lost


@pytest.mark.parametrize(
    "wrong", [asyncpg.UniqueViolationError("twice"), asyncpg.UndefinedTableError("none"), KeyError("x")]
)
async def test_any_other_error_stays_what_it_is(wrong: Any) -> None:
    pool = AnyPool()
    with pytest.raises(type(wrong)):
        async with connection(cast(Pool, pool)):
            raise wrong
    assert pool.held == 0
