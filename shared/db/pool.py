"""PostgreSQL connections that give up in time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final, TypeAlias

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from shared.encoding import to_json
from shared.errors import DependencyDown, Unavailable
from shared.log import get_logger

log = get_logger(__name__)

CONNECT_SECONDS: Final = 5.0
CLOSE_SECONDS: Final = 5.0
COMMAND_SECONDS: Final = 20.0
"""asyncpg waits for ever on a dead link unless both limits are set."""

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

DATABASE_GONE: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server's last words are being read from an idle connection just now
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
"""What asyncpg raises when the server or the link is gone."""


async def _prepare(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    async with asyncio.timeout(CONNECT_SECONDS):
        for kind in ("json", "jsonb"):
            await connection.set_type_codec(
                kind,
                schema="pg_catalog",
                encoder=lambda value: to_json(value).decode(),
                decoder=orjson.loads,
            )


async def _leave_as_is(_: "asyncpg.Connection[asyncpg.Record]") -> None:
    """asyncpg would ask the server to reset the session each time a connection comes back to the pool: one more way
    there and back for each use. Nobody leaves anything in a session here: settings and advisory locks are the
    transaction's, and who listens stops listening. An open transaction is rolled back all the same.
    """


@asynccontextmanager
async def open_pool(url: str, *, name: str, max_size: int = 8) -> AsyncIterator[Pool]:
    """A pool for one process, `name` as shown in pg_stat_activity. Opens no connection before it is used."""
    pool = asyncpg.create_pool(
        url,
        min_size=0,
        max_size=max_size,
        init=_prepare,
        reset=_leave_as_is,
        timeout=CONNECT_SECONDS,
        command_timeout=COMMAND_SECONDS,
        max_inactive_connection_lifetime=300,
        server_settings={"application_name": name, "timezone": "UTC", "jit": "off"},
    )
    await pool
    try:
        yield pool
    finally:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await pool.close()
        except TimeoutError:  # a statement that does not end must not keep the process
            pool.terminate()


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """A transaction on a connection of the pool. Raises `Unavailable` when the database is away.

    When the connection is lost during COMMIT nobody can tell whether it happened: only what is safe to run again
    (an idempotency key, an inbox row, a guarded update) may be run in here.
    """
    async with connection(pool) as acquired, acquired.transaction():
        yield acquired


class connection:  # noqa: N801 - used as the function it could be; a generator would cost each statement more
    """A connection of the pool, for single statements. Raises `Unavailable` when the database is away.

    It is `DependencyDown` only where no connection could be had: one that is lost later, or a statement over its time,
    may be the doing of whoever uses it.
    """

    __slots__ = ("_held", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Connection:
        try:
            self._held = await _acquire(self._pool)
        except DATABASE_GONE as exc:
            raise _away(DependencyDown, exc) from exc
        return self._held

    async def __aexit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        try:
            await self._pool.release(self._held)
        except DATABASE_GONE as exc:
            error = exc
        if isinstance(error, DATABASE_GONE):
            if isinstance(error, TimeoutError):
                # What made this link silent made the others so: without this each costs a statement its whole time.
                await self._pool.expire_connections()
            raise _away(Unavailable, error) from error


async def fetch_planned(conn: Connection, statement: str, *arguments: object) -> "list[asyncpg.Record]":
    """Fetch by a plan made for these arguments; for filters of which most are not given (`$1 IS NULL OR …`).

    A statement that is kept gets one plan for all filters, and the only one right for all of them reads everything.
    """
    planned = await conn.prepare(statement, name="")
    return await planned.fetch(*arguments)


async def _acquire(pool: Pool) -> PoolConnectionProxy:
    """One connection, in a limited time. Making one has its own limit: the clock is only watched where all are used."""
    is_one_free = not pool._queue.empty()  # type: ignore[attr-defined] # what asks in public looks at each of them
    return await pool.acquire(timeout=None if is_one_free else CONNECT_SECONDS)


def _away(kind: type[Unavailable], error: BaseException) -> Unavailable:
    log.warning("database_unavailable", error=repr(error))
    return kind("The database did not answer.", retry_after_seconds=1)
