"""Reading migration files, and addresses."""

from pathlib import Path

import pytest

from shared.db.migrate import (
    MigrationRefused,
    ServiceMigrations,
    discover,
    quoted,
    read_migrations,
    with_database,
    with_sign_in,
)


def test_files_come_in_order_and_only_their_up_section_is_run(tmp_path: Path) -> None:
    (tmp_path / "0002_b.sql").write_text("-- migrate:up\nSELECT 2;\n-- migrate:down\nSELECT 'never';\n")
    (tmp_path / "0001_a.sql").write_text("-- Why.\n-- migrate:up\nSELECT 1;\n")
    first, second = read_migrations(tmp_path)
    assert (first.name, first.statements.strip()) == ("0001_a", "SELECT 1;")
    assert (second.name, second.statements.strip()) == ("0002_b", "SELECT 2;")


@pytest.mark.parametrize("text", ["SELECT 1;", "-- migrate:down\nSELECT 1;", "-- migrate:up transaction:false\n"])
def test_a_file_that_is_no_migration_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "0001_a.sql").write_text(text)
    with pytest.raises(MigrationRefused, match="0001_a"):
        read_migrations(tmp_path)


def test_a_number_is_given_once(tmp_path: Path) -> None:
    for name in ("0001_a.sql", "0001_b.sql"):
        (tmp_path / name).write_text("-- migrate:up\n")
    with pytest.raises(MigrationRefused, match="0001"):
        read_migrations(tmp_path)


def test_services_are_found_with_the_extensions_they_list(tmp_path: Path) -> None:
    catalog, jobs = tmp_path / "catalog" / "migrations", tmp_path / "jobs" / "migrations"
    catalog.mkdir(parents=True)
    jobs.mkdir(parents=True)
    (tmp_path / "imaging").mkdir()
    (catalog / "extensions.txt").write_text("pg_trgm\nunaccent\n")
    assert discover(tmp_path) == [
        ServiceMigrations("catalog", catalog, ("pg_trgm", "unaccent")),
        ServiceMigrations("jobs", jobs),
    ]


def test_addresses_keep_what_is_not_replaced() -> None:
    url = "postgresql://admin:old@db.example.com:5433/souk?sslmode=require"
    assert with_sign_in(url, "a b", "p@ss/") == (
        "postgresql://a%20b:p%40ss%2F@db.example.com:5433/souk?sslmode=require"
    )
    assert with_database(url, "other") == "postgresql://admin:old@db.example.com:5433/other?sslmode=require"
    assert with_sign_in("postgresql:///souk?host=/run", "a", "b") == "postgresql://a:b@/souk?host=/run"


def test_a_name_cannot_leave_its_quotes() -> None:
    assert quoted('a"; DROP TABLE b; --') == '"a""; DROP TABLE b; --"'
