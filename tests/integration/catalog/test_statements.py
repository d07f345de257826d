"""Every SQL constant of the catalog can be prepared against the migrated schema."""

import importlib
import pkgutil
from collections.abc import Iterator

import services.catalog
from shared.db.pool import Pool, connection


def statements() -> Iterator[tuple[str, str]]:
    for module in pkgutil.walk_packages(services.catalog.__path__, "services.catalog."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            if name.isupper() and isinstance(value, str) and value.lstrip().startswith("--"):
                yield f"{module.name}.{name}", value


async def test_every_statement_fits_the_schema(pool: Pool) -> None:
    failures = {}
    async with connection(pool) as conn:
        for name, statement in statements():
            try:
                await conn.prepare(statement)
            except Exception as exc:  # noqa: BLE001 - all of them are told at once
                failures[name] = repr(exc)
    assert failures == {}
