"""All SQL of categories."""

from collections.abc import Sequence
from typing import Final

from services.catalog.categories.models import Category
from shared.db.pool import Connection

LIST: Final = """
    -- All of them, in their order.
    SELECT slug, name FROM catalog.categories ORDER BY position
"""


async def categories(conn: Connection) -> Sequence[Category]:
    """All of them, in their order."""
    return [Category(**row) for row in await conn.fetch(LIST)]
