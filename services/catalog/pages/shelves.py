"""The names of the shelves. They change with migrations only, so they are read once."""

from collections.abc import Mapping

from services.catalog.categories import store
from shared.db.pool import Pool, connection


class ShelfNames:
    """Names by slug, in their order."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._names: Mapping[str, str] = {}

    async def all(self) -> Mapping[str, str]:
        """Raises `Unavailable` until they could be read once."""
        if not self._names:
            async with connection(self._pool) as conn:
                self._names = {one.slug: one.name for one in await store.categories(conn)}
        return self._names
