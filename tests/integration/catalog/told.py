"""What the catalog wrote down: its outbox, its audit log, how many rows."""

from typing import Any

import orjson

from shared.db.pool import Pool

AFTER_SEEDING = ("account.changed",)


async def outbox(pool: Pool, kind: str) -> list[dict[str, Any]]:
    """The envelopes of one kind of event, in the order written."""
    bodies = await pool.fetch("SELECT body FROM catalog.outbox WHERE type = $1 ORDER BY seq", kind)
    return [orjson.loads(row["body"]) for row in bodies]


async def outbox_kinds(pool: Pool) -> list[str]:
    """The kinds of all events in the order written, those of the seeded accounts left out."""
    written = await pool.fetch("SELECT type FROM catalog.outbox ORDER BY seq")
    return [row["type"] for row in written if row["type"] not in AFTER_SEEDING]


async def audited(pool: Pool, object_id: str) -> list[str]:
    """What the audit log says of an object, in the order written."""
    lines = await pool.fetch("SELECT action FROM catalog.audit WHERE object_id = $1 ORDER BY id", object_id)
    return [line["action"] for line in lines]


async def rows(pool: Pool, table: str) -> int:
    """How many rows a table has."""
    count: int = await pool.fetchval(f"SELECT count(*) FROM catalog.{table}")
    return count
