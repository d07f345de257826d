"""Every SQL constant of the catalog is a statement that the migrated schema understands."""

import importlib
import pkgutil

import pytest

import services.catalog
from shared.db.pool import Pool

STATEMENTS = {
    f"{module.name}.{name}": text
    for module in pkgutil.walk_packages(services.catalog.__path__, "services.catalog.")
    if not module.name.endswith("__main__")
    for name, text in vars(importlib.import_module(module.name)).items()
    if name.isupper() and not name.startswith("_") and isinstance(text, str) and text.lstrip().startswith("--")
}


def test_statements_are_found() -> None:
    assert {"services.catalog.products.store.MOVE", "services.catalog.audit.RECORD"} <= set(STATEMENTS)


async def test_every_statement_can_be_prepared(pool: Pool) -> None:
    wrong = {}
    async with pool.acquire() as conn:
        for name, text in STATEMENTS.items():
            try:
                await conn.prepare(text)
            except Exception as exc:  # noqa: BLE001 - all of them are told at once
                wrong[name] = repr(exc)
    assert wrong == {}


@pytest.mark.parametrize("name", ["NEWEST", "CHEAPEST", "DEAREST"])
async def test_the_first_page_of_the_catalogue_reads_an_index_in_order(pool: Pool, name: str) -> None:
    text = STATEMENTS[f"services.catalog.products.store.{name}"]
    parameters = {1: "48"}
    for number in range(9, 0, -1):
        text = text.replace(f"${number}", parameters.get(number, "NULL"))
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("SET LOCAL enable_seqscan = off")
        await conn.execute("SET LOCAL enable_hashjoin = off")
        await conn.execute("SET LOCAL enable_mergejoin = off")
        await conn.execute("SET LOCAL enable_bitmapscan = off")
        plan = "\n".join(row[0] for row in await conn.fetch(f"EXPLAIN {text}"))
    assert "products_newest" in plan or "products_cheapest" in plan, plan
    assert "Sort" not in plan, plan
