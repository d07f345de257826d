"""Brings a database to what the services' migrations say: schemas, roles, extensions, then the files.

Files are `NNNN_name.sql` in dbmate's format: what follows `-- migrate:up` is run, once, in one transaction,
in the order of the names. Forward only: `-- migrate:down` is not read. Safe to run twice, and from
several places at once: one advisory lock covers the whole run. A crash leaves whole migrations.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

import asyncpg

from shared.secret_files import kept_secret

if TYPE_CHECKING:
    from shared.db.pool import Connection

EXTENSIONS_FILE = "extensions.txt"

LOCK = """
    -- One migration run at a time in this database; the lock goes with the session.
    SELECT pg_advisory_lock(hashtext('souk migrate'))
"""

DESCRIBE = """
    -- Who are we, where, and what may we do?
    SELECT current_database() AS database, current_user AS role, rolsuper AS is_superuser,
           rolsuper OR rolcreaterole AS may_create_roles
    FROM pg_roles WHERE rolname = current_user
"""

ROLE_EXISTS = """
    -- Is there a role of this name?
    SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)
"""

SCHEMA_EXISTS = """
    -- Is there a schema of this name?
    SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)
"""

MISSING_EXTENSIONS = """
    -- Which of these extensions are not in this database yet?
    SELECT name FROM unnest($1::text[]) AS name
    WHERE NOT EXISTS (SELECT FROM pg_extension WHERE extname = name)
"""

TABLE_EXISTS = """
    -- Is there such a table, by its quoted name? (Not `to_regclass`: that needs rights on the schema.)
    SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = $1 AND tablename = 'migrations')
"""


class MigrationRefused(Exception):
    """The migrations cannot be applied as they stand; the message says which file or grant and what to do."""


@dataclass(frozen=True, slots=True)
class ServiceMigrations:
    """One service's schema (of the service's name), its files, and the extensions they need."""

    service: str
    folder: Path
    extensions: tuple[str, ...] = ()

    @property
    def url_setting(self) -> str:
        """The setting that gives this service's own sign-in."""
        return f"SOUK_{self.service.upper()}_DATABASE_URL"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file, read."""

    name: str
    checksum: str
    statements: str


def discover(services: Path) -> list[ServiceMigrations]:
    """Find `<service>/migrations` below a folder; extensions are the lines of `extensions.txt` beside the files."""
    found = []
    for folder in sorted(services.glob("*/migrations")):
        wanted = folder / EXTENSIONS_FILE
        extensions = tuple(wanted.read_text().split()) if wanted.exists() else ()
        found.append(ServiceMigrations(folder.parent.name, folder, extensions))
    return found


def read_migrations(folder: Path) -> list[Migration]:
    """Read a service's files in order. Raises MigrationRefused for a file without an up section or a number twice."""
    migrations: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        text = path.read_text()
        sections = re.split(r"^-- migrate:(up|down)[ \t]*$", text, flags=re.MULTILINE)
        if sections[1:2] != ["up"]:
            raise MigrationRefused(f"{path} does not begin with a line `-- migrate:up`")
        number = path.name.partition("_")[0]
        if migrations and migrations[-1].name.partition("_")[0] == number:
            raise MigrationRefused(f"{folder} has two migrations with the number {number}")
        checksum = hashlib.sha256(text.encode()).hexdigest()
        migrations.append(Migration(path.stem, checksum, sections[2]))
    return migrations


async def migrate(
    admin_url: str,
    services: Sequence[ServiceMigrations],
    *,
    secrets_dir: Path,
    given: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Bring every service's schema up to date and return the service's own database address, by service.

    The role of a service is `<database>_<service>`; its password is made up once and kept in `secrets_dir`. A service
    in `given` signs in with that address instead, and its role is left as it is. Raises MigrationRefused.
    """
    read = [(service, read_migrations(service.folder)) for service in services]
    given = given or {}
    urls: dict[str, str] = {}
    connection = await asyncpg.connect(admin_url, timeout=10)
    try:
        await connection.execute(LOCK)
        [here] = await connection.fetch(DESCRIBE)
        _require_roles(here, [service for service in services if service.service not in given])
        for service, migrations in read:
            await _ensure_extensions(connection, service)
            if service.service in given:
                urls[service.service] = given[service.service]
                await _apply_as_given(given[service.service], service, migrations)
                continue
            role = f"{here['database']}_{service.service}"
            password = await _ensure_role(connection, role, here["is_superuser"], secrets_dir)
            urls[service.service] = with_sign_in(admin_url, role, password)
            await _ensure_schema(connection, service, owner=role)
            await connection.execute(f"SET ROLE {quoted(role)}")
            await _apply(connection, service.service, migrations)
            await connection.execute("RESET ROLE")
    finally:
        await connection.close()
    return urls


def with_sign_in(url: str, user: str, password: str) -> str:
    """Return the address with another user and password."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{place}").geturl()


def with_database(url: str, database: str) -> str:
    """Return the address with another database."""
    return urlsplit(url)._replace(path=f"/{quote(database, safe='')}").geturl()


def quoted(name: str) -> str:
    """Quote an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _require_roles(here: asyncpg.Record, services: Sequence[ServiceMigrations]) -> None:
    """Refuse early when roles must be made and may not be."""
    if services and not here["may_create_roles"]:
        settings = ", ".join(service.url_setting for service in services)
        raise MigrationRefused(
            f"role {here['role']} may not create roles: grant it with `ALTER ROLE {quoted(here['role'])} CREATEROLE`, "
            f"or make a role for each service yourself and set {settings}"
        )


async def _ensure_role(connection: "Connection", role: str, is_superuser: bool, secrets_dir: Path) -> str:
    """Make the role unless it exists, and return its password. A lost password file means a new password."""
    if len(role.encode()) > 63:
        raise MigrationRefused(f"{role} is too long for a role (63 bytes): take a shorter database name")
    kept = secrets_dir / f"database-{role}"
    is_known = kept.exists()
    password = kept_secret(kept)
    name = quoted(role)
    if not await connection.fetchval(ROLE_EXISTS, role):
        await connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
        if not is_superuser:
            await connection.execute(f"GRANT {name} TO CURRENT_USER")
    elif not is_known:
        await connection.execute(f"ALTER ROLE {name} LOGIN PASSWORD '{password}'")
    return password


async def _ensure_schema(connection: "Connection", service: ServiceMigrations, *, owner: str) -> None:
    """Make the schema unless it exists; `public` keeps the extensions and is no place for tables."""
    if await connection.fetchval(SCHEMA_EXISTS, service.service):
        return
    with _needing("GRANT CREATE ON DATABASE … (and ownership of schema public)"):
        async with connection.transaction():
            await connection.execute(f"CREATE SCHEMA {quoted(service.service)} AUTHORIZATION {quoted(owner)}")
            await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            await connection.execute(f"GRANT USAGE ON SCHEMA public TO {quoted(owner)}")


async def _ensure_extensions(connection: "Connection", service: ServiceMigrations) -> None:
    """Make the extensions a service needs, in `public`."""
    for row in await connection.fetch(MISSING_EXTENSIONS, list(service.extensions)):
        with _needing(f"a role that may CREATE EXTENSION {row['name']}"):
            await connection.execute(f"CREATE EXTENSION {quoted(row['name'])} SCHEMA public")


async def _apply_as_given(url: str, service: ServiceMigrations, migrations: Sequence[Migration]) -> None:
    """Apply over the service's own sign-in, in a schema that is there or that this role may make."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        if not await connection.fetchval(SCHEMA_EXISTS, service.service):
            role = quoted(unquote(urlsplit(url).username or ""))
            with _needing(f"CREATE SCHEMA {quoted(service.service)} AUTHORIZATION {role}"):
                await connection.execute(f"CREATE SCHEMA {quoted(service.service)}")
        await _apply(connection, service.service, migrations)
    finally:
        await connection.close()


async def _apply(connection: "Connection", schema: str, migrations: Sequence[Migration]) -> None:
    """Apply what is not applied yet, as the role that owns the schema."""
    table = f"{quoted(schema)}.migrations"
    if not await connection.fetchval(TABLE_EXISTS, schema):
        await connection.execute(
            f"CREATE TABLE {table} (name text PRIMARY KEY, checksum text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
    known = await connection.fetch(f"SELECT name, checksum FROM {table}")  # noqa: S608 (a quoted identifier)
    applied = {row["name"]: row["checksum"] for row in known}
    for migration in migrations:
        if migration.name not in applied:
            await _apply_one(connection, table, schema, migration)
        elif applied[migration.name] != migration.checksum:
            raise MigrationRefused(
                f"{schema}: {migration.name}.sql was changed after it was applied; put it back as it was "
                "and write what is new as a new migration"
            )


async def _apply_one(connection: "Connection", table: str, schema: str, migration: Migration) -> None:
    """Run one file and remember it, both or neither."""
    try:
        async with connection.transaction():
            await connection.execute(migration.statements)
            remember = f"INSERT INTO {table} (name, checksum) VALUES ($1, $2)"  # noqa: S608 (a quoted identifier)
            await connection.execute(remember, migration.name, migration.checksum)
    except asyncpg.PostgresError as error:
        raise MigrationRefused(f"{schema}: {migration.name}.sql failed, nothing of it was kept: {error}") from error


@contextmanager
def _needing(grant: str) -> Iterator[None]:
    """Name the grant that a refused statement would need."""
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationRefused(f"{error}; needed: {grant}") from error
