"""The first accounts."""

from services.catalog.seed import SeededAccounts, seed_accounts
from shared.db.pool import Pool, connection
from tests.integration.catalog.conftest import QUICK_HASHER
from tests.servers import Database


async def seeded(database: Database, generation: int) -> SeededAccounts:
    return await seed_accounts(
        database.url("catalog"), secret_of=lambda name: f"{name}-{generation}-{'x' * 20}", hasher=QUICK_HASHER
    )


async def counted(pool: Pool) -> list[int]:
    async with connection(pool) as conn:
        return [
            await conn.fetchval(f"SELECT count(*) FROM catalog.{table}")
            for table in ("accounts", "vendors", "api_keys", "outbox")
        ]


async def test_seeding_again_finds_everything_made(database: Database, pool: Pool) -> None:
    first = await seeded(database, 1)
    assert await counted(pool) == [6, 3, 6, 5]
    assert await seeded(database, 1) == first
    assert await counted(pool) == [6, 3, 6, 5]
    assert [vendor.email for vendor in first.vendors] == [f"vendor{number}@example.com" for number in (1, 2, 3)]


async def test_lost_secrets_are_replaced(database: Database, pool: Pool) -> None:
    first, second = await seeded(database, 1), await seeded(database, 2)
    assert first.admin.api_key != second.admin.api_key
    assert [vendor.vendor_id for vendor in first.vendors] == [vendor.vendor_id for vendor in second.vendors]
    assert await counted(pool) == [6, 3, 6, 5]
    async with connection(pool) as conn:
        stored = await conn.fetchval("SELECT password_hash FROM catalog.accounts WHERE email = $1", second.admin.email)
    assert QUICK_HASHER.verify(stored, second.admin.password)
