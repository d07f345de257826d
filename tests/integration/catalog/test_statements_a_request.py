"""How often the database is asked for one request: never for what is known, at most twice for what is not."""

from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession

from services.catalog.gateway import open_app, open_caches
from services.catalog.settings import GatewaySettings
from shared.db.pool import Pool
from shared.web.server import serving
from tests.factories import make_approved
from tests.integration.catalog.conftest import Client


class AlwaysLive:
    """Every change is heard of."""

    is_live = True


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What asyncpg was given to execute with arguments, by anybody of this process."""
    heard: list[str] = []
    execute = asyncpg.Connection._execute  # type: ignore[attr-defined]

    def counting(self: Any, query: str, *arguments: Any, **options: Any) -> Any:
        heard.append(query)
        return execute(self, query, *arguments, **options)

    monkeypatch.setattr(asyncpg.Connection, "_execute", counting)
    return heard


async def test_a_known_answer_asks_nothing_and_another_at_most_twice(
    gateway_settings: GatewaySettings, pool: Pool, vendor: Client, admin: Client, statements: list[str]
) -> None:
    product = await make_approved(vendor, admin)
    async with (
        open_app(gateway_settings, pool, caches=open_caches(pool, liveness=AlwaysLive())) as app,
        serving(app, host="127.0.0.1", port=0, grace_seconds=0.5) as port,
        ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        for path in (f"/api/products/{product['id']}", f"/api/products/{product['slug']}", "/api/products"):
            counts = []
            for _ in range(3):
                statements.clear()
                async with client.get(path) as answer:
                    assert answer.status == 200
                counts.append(len(statements))
            assert 1 <= counts[0] <= 2
            assert counts[1:] == [0, 0]
