"""The migration runner on a real database: who owns what, what is refused, what a second run does."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from shared.db.migrate import MigrationRefused, ServiceMigrations, migrate, quoted, with_database, with_sign_in
from shared.db.pool import Connection
from tests.servers import Databases

PRODUCTS = "-- migrate:up\nCREATE TABLE catalog.products (id int PRIMARY KEY);\n"
PRICES = (
    "-- migrate:up\nALTER TABLE catalog.products ADD price_minor int;\nINSERT INTO catalog.products VALUES (1, 5);\n"
)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        yield connection
    finally:
        await connection.close()


class Project:
    """An empty database, and two services' migrations for it."""

    def __init__(self, admin_url: str, name: str, folder: Path) -> None:
        self.admin_url, self.name, self.folder = admin_url, name, folder
        self.secrets = folder / "secrets"
        self.services = [
            ServiceMigrations("catalog", folder / "catalog", ("pg_trgm", "unaccent", "btree_gin")),
            ServiceMigrations("jobs", folder / "jobs"),
        ]
        self.write("catalog", "0001_products", PRODUCTS)
        self.write("jobs", "0001_jobs", "-- migrate:up\nCREATE TABLE jobs.jobs (id int);\n")

    def write(self, service: str, name: str, text: str) -> None:
        path = self.folder / service / f"{name}.sql"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    async def migrate(self, **options: dict[str, str]) -> dict[str, str]:
        return await migrate(self.admin_url, self.services, secrets_dir=self.secrets, **options)


@pytest.fixture
async def project(databases: Databases, tmp_path: Path) -> AsyncIterator[Project]:
    name = f"souk_{secrets.token_hex(4)}"
    async with connected(databases.admin_url) as admin:
        await admin.execute(f"CREATE DATABASE {name}")
        yield Project(with_database(databases.admin_url, name), name, tmp_path)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        for row in await admin.fetch("SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)", name):
            await admin.execute(f"DROP ROLE {quoted(row['rolname'])}")


@asynccontextmanager
async def plain_admin(project: Project, options: str) -> AsyncIterator[Project]:
    """Let the migrator be a role that owns the database and is no superuser."""
    role, password = f"{project.name}_owner", secrets.token_urlsafe(8)
    async with connected(project.admin_url) as admin:
        await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}' {options}")
        await admin.execute(f"ALTER DATABASE {project.name} OWNER TO {role}")
        superuser, project.admin_url = project.admin_url, with_sign_in(project.admin_url, role, password)
        yield project
        project.admin_url = superuser
        await admin.execute(f"ALTER DATABASE {project.name} OWNER TO CURRENT_USER")


async def test_each_service_signs_in_and_owns_its_own_schema_only(project: Project) -> None:
    urls = await project.migrate()
    async with connected(urls["catalog"]) as catalog:
        assert await catalog.fetchval("SELECT current_user") == f"{project.name}_catalog"
        await catalog.execute("INSERT INTO catalog.products VALUES (1)")
        assert await catalog.fetchval("SELECT similarity('souk', 'souk')") == 1
        for forbidden in ("SELECT * FROM jobs.jobs", "CREATE TABLE public.mine ()", "CREATE ROLE other"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await catalog.execute(forbidden)


async def test_a_second_run_does_nothing_and_a_new_file_is_added(project: Project) -> None:
    urls = await project.migrate()
    assert await project.migrate() == urls
    project.write("catalog", "0002_prices", PRICES)
    await project.migrate()
    async with connected(project.admin_url) as admin:
        assert await admin.fetchval("SELECT price_minor FROM catalog.products") == 5
        names = await admin.fetch("SELECT name FROM catalog.migrations ORDER BY applied_at")
    assert [row["name"] for row in names] == ["0001_products", "0002_prices"]


async def test_a_changed_file_is_refused_by_name(project: Project) -> None:
    await project.migrate()
    project.write("catalog", "0001_products", PRODUCTS + "-- an afterthought\n")
    with pytest.raises(MigrationRefused, match=r"catalog: 0001_products\.sql was changed"):
        await project.migrate()


async def test_a_file_that_fails_leaves_nothing(project: Project) -> None:
    project.write("catalog", "0002_prices", PRICES + "SELECT 1 / 0;\n")
    with pytest.raises(MigrationRefused, match=r"0002_prices\.sql failed.*division by zero"):
        await project.migrate()
    project.write("catalog", "0002_prices", PRICES)
    urls = await project.migrate()
    async with connected(urls["catalog"]) as catalog:
        assert await catalog.fetchval("SELECT count(*) FROM catalog.products") == 1


async def test_two_runs_at_once_apply_each_file_once(project: Project) -> None:
    project.write("catalog", "0002_prices", PRICES)
    first, second = await asyncio.gather(project.migrate(), project.migrate())
    assert first == second
    async with connected(first["catalog"]) as catalog:
        assert await catalog.fetchval("SELECT count(*) FROM catalog.products") == 1


async def test_a_lost_password_is_replaced(project: Project) -> None:
    before = await project.migrate()
    for kept in project.secrets.iterdir():
        assert kept.stat().st_mode & 0o777 == 0o600
        kept.unlink()
    after = await project.migrate()
    assert after["jobs"] != before["jobs"]
    async with connected(after["jobs"]) as jobs:
        assert await jobs.fetchval("SELECT count(*) FROM jobs.jobs") == 0


async def test_createrole_and_ownership_of_the_database_are_enough(project: Project) -> None:
    async with plain_admin(project, "CREATEROLE"):
        urls = await project.migrate()
        assert await project.migrate() == urls
    async with connected(urls["catalog"]) as catalog:
        assert await catalog.fetchval("SELECT tableowner FROM pg_tables WHERE tablename = 'products'") == (
            f"{project.name}_catalog"
        )


async def test_without_createrole_the_grant_and_the_settings_are_named(project: Project) -> None:
    async with plain_admin(project, "NOCREATEROLE"):
        with pytest.raises(MigrationRefused) as refused:
            await project.migrate()
    for named in ("CREATEROLE", "SOUK_CATALOG_DATABASE_URL", "SOUK_JOBS_DATABASE_URL"):
        assert named in str(refused.value)


async def test_given_addresses_are_used_as_they_are(project: Project) -> None:
    async with connected(project.admin_url) as admin:
        given = {}
        for service in ("catalog", "jobs"):
            role = f"{project.name}_{service}_own"
            await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'own'")
            await admin.execute(f"CREATE SCHEMA {service} AUTHORIZATION {role}")
            given[service] = with_sign_in(project.admin_url, role, "own")
    async with plain_admin(project, "NOCREATEROLE"):
        assert await project.migrate(given=given) == given
        assert await project.migrate(given=given) == given
    async with connected(given["jobs"]) as jobs:
        assert await jobs.fetchval("SELECT count(*) FROM jobs.jobs") == 0


async def test_a_missing_schema_of_a_given_role_is_told_with_its_statement(project: Project) -> None:
    async with connected(project.admin_url) as admin:
        role = f"{project.name}_own"
        await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'own'")
    own = with_sign_in(project.admin_url, role, "own")
    with pytest.raises(MigrationRefused, match=f'CREATE SCHEMA "catalog" AUTHORIZATION "{role}"'):
        await project.migrate(given={"catalog": own, "jobs": own})
