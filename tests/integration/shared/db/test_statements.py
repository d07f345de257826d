"""Every statement of every service is one that PostgreSQL accepts, with the rights of the service's own role."""

import importlib
import re
from pathlib import Path

import asyncpg
import pytest

from tests.servers import Database

ROOT = Path(__file__).resolve().parents[4]
STORES = sorted((ROOT / "services").rglob("store.py"))
_COMMENTS = re.compile(r"\s*(--[^\n]*\n\s*)*")
_STATEMENT = re.compile(r"(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE)\b", re.IGNORECASE)
_CONSTANT = re.compile(r"^([A-Z][A-Z0-9_]*)(?:: [^=\n]+)? = ", re.MULTILINE)


def statements(path: Path) -> dict[str, str]:
    """The SQL constants of a store by name."""
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    constants = {name: getattr(module, name) for name in _CONSTANT.findall(path.read_text())}
    return {name: text for name, text in constants.items() if isinstance(text, str) and _is_statement(text)}


def _is_statement(text: str) -> bool:
    return _STATEMENT.match(text, _COMMENTS.match(text).end()) is not None  # type: ignore[union-attr]


def test_the_stores_are_found() -> None:
    assert ROOT / "services" / "jobs" / "store.py" in STORES
    assert len(statements(ROOT / "services" / "jobs" / "store.py")) > 15


@pytest.mark.parametrize("path", STORES, ids=lambda path: str(path.relative_to(ROOT / "services").parent))
async def test_every_statement_of_a_store_can_be_prepared(path: Path, database: Database) -> None:
    service = path.relative_to(ROOT / "services").parts[0]
    found = statements(path)
    assert found, "a store without a statement"
    connection = await asyncpg.connect(database.url(service), timeout=10)
    wrong = {}
    try:
        for name, text in found.items():
            try:
                await connection.prepare(text)
            except asyncpg.PostgresError as exc:
                wrong[name] = f"{type(exc).__name__}: {exc}"
    finally:
        await connection.close()
    assert wrong == {}
