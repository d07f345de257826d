"""Copies of the migrated database for the tests of one worker, used again after each test.

A copy of the template is some thousand files and costs more than most tests; putting one back as it was costs a few
milliseconds, since a test leaves rows in a handful of tables.
"""

import io
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from shared.db.migrate import quoted, with_database
from tests.servers import Database, Databases

TABLES = """
    -- Every table of ours.
    SELECT format('%I.%I', nspname, relname) AS name
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE relkind = 'r' AND nspname <> 'information_schema' AND nspname !~ '^pg_'
"""
ROWS = """
    -- A table, and a number that changes with its rows; null where it has none.
    SELECT '{0}' AS name, (SELECT sum(hashtextextended(t::text, 0)::numeric)::text FROM {0} AS t) AS rows
"""
SEQUENCES = """
    -- Every sequence of ours and the last value it gave; null where it gave none.
    SELECT format('%I.%I', schemaname, sequencename) AS name, last_value FROM pg_sequences
"""
SHAPE = """
    -- A number that changes with tables, indexes, their columns and rights, triggers and functions.
    SELECT sum(hashtextextended(thing, 0)::numeric)::text
    FROM (SELECT concat_ws(' ', c.oid, relname, relnatts, relchecks, relacl) FROM pg_class AS c WHERE c.oid >= 16384
          UNION ALL SELECT concat_ws(' ', oid, tgname, tgenabled) FROM pg_trigger
          UNION ALL SELECT concat_ws(' ', oid, proname, xmin) FROM pg_proc WHERE oid >= 16384) AS things (thing)
"""
END_OTHERS = """
    -- Break off every other connection to this database, and wait until it has gone.
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class State:
    """What a fresh copy is like: its shape, the rows of its tables, the last values of its sequences."""

    shape: str
    tables: dict[str, str | None]
    sequences: dict[str, int | None]
    contents: dict[str, bytes]


class Copies:
    """The copies of one worker. What a test did to the rows is undone; a copy it changed otherwise is dropped."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._free: list[str] = []
        self._fresh: State | None = None

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Database]:
        """A database just as the migrations leave it, nobody else's while the block runs."""
        name = self._free.pop() if self._free else await self._made()
        urls = {service: with_database(url, name) for service, url in self._databases.service_urls.items()}
        yield Database(with_database(self._databases.admin_url, name), urls)
        if await self._is_restored(name):
            self._free.append(name)
        else:
            await self._dropped(name)

    async def drop_all(self) -> None:
        """Drop every copy nobody uses."""
        while self._free:
            await self._dropped(self._free.pop())

    async def _made(self) -> str:
        name = f"{self._databases.template}_{secrets.token_hex(4)}"
        async with self._connected() as admin:
            await admin.execute(f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(self._databases.template)}")
        if self._fresh is None:
            async with self._connected(name) as copy:
                self._fresh = await _state_of(copy)
        return name

    async def _is_restored(self, name: str) -> bool:
        """Put a copy's rows back. False if that can't be done, or is not enough."""
        assert self._fresh is not None
        async with self._connected(name) as copy:
            await copy.execute(END_OTHERS)
            if await copy.fetchval(SHAPE) != self._fresh.shape:
                return False
            try:
                await _put_back(copy, self._fresh)
            except asyncpg.PostgresError:  # of a given server we may not be told everything: a new copy then
                return False
            return await _tables_of(copy) == self._fresh.tables

    async def _dropped(self, name: str) -> None:
        async with self._connected() as admin:
            await admin.execute(f"DROP DATABASE {quoted(name)} WITH (FORCE)")

    @asynccontextmanager
    async def _connected(self, name: str | None = None) -> AsyncIterator[asyncpg.Connection]:
        url = self._databases.admin_url
        connection = await asyncpg.connect(with_database(url, name) if name else url, timeout=10)
        try:
            yield connection
        finally:
            await connection.close()


async def _state_of(copy: asyncpg.Connection) -> State:
    tables = await _tables_of(copy)
    contents = {}
    for name, rows in tables.items():
        if rows is not None:
            schema, _, table = name.partition(".")
            written = io.BytesIO()
            await copy.copy_from_table(table, schema_name=schema, output=written)
            contents[name] = written.getvalue()
    return State(await copy.fetchval(SHAPE), tables, await _sequences_of(copy), contents)


async def _put_back(copy: asyncpg.Connection, fresh: State) -> None:
    """Empty the tables that differ, fill those that had rows, set back the sequences."""
    now = await _tables_of(copy)
    if differing := [name for name, rows in now.items() if rows != fresh.tables[name]]:
        await copy.execute("SET session_replication_role = replica")  # what is append-only refuses to be emptied
        await copy.execute(f"TRUNCATE {', '.join(differing)} CASCADE")
    for name in differing:
        if name in fresh.contents:
            schema, _, table = name.partition(".")
            await copy.copy_to_table(table, schema_name=schema, source=io.BytesIO(fresh.contents[name]))
    for name, value in (await _sequences_of(copy)).items():
        if value != (kept := fresh.sequences[name]):
            await copy.execute("SELECT setval($1::text::regclass, $2, $3)", name, kept or 1, kept is not None)


async def _tables_of(copy: asyncpg.Connection) -> dict[str, str | None]:
    rows_of_each = "UNION ALL".join(ROWS.format(row["name"]) for row in await copy.fetch(TABLES))
    return {row["name"]: row["rows"] for row in await copy.fetch(rows_of_each)}


async def _sequences_of(copy: asyncpg.Connection) -> dict[str, int | None]:
    return {row["name"]: row["last_value"] for row in await copy.fetch(SEQUENCES)}
