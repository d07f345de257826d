"""Products as the catalogue shows them, one by one."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar
from uuid import UUID

from services.catalog.gathering import Gathering
from services.catalog.models import is_slug
from services.catalog.products import store
from services.catalog.products.errors import ProductNotFound
from services.catalog.products.models import Product
from shared.db.pool import Connection, Pool, connection

K = TypeVar("K")


class ShownProducts:
    """Those that are asked for at once are read at once: caches that were cleared fill with few statements."""

    def __init__(self, pool: Pool) -> None:
        self._by_id = Gathering[UUID, Product](partial(_read, pool, store.shown_by_ids))
        self._by_slug = Gathering[str, Product](partial(_read, pool, store.shown_by_slugs))

    async def one(self, key: UUID | str) -> Product:
        """By id or slug. Raises `ProductNotFound`, and `Unavailable` when the database is away.

        PostgreSQL is asked for no text that is no slug: it might refuse it, and with it what others asked for at once.
        """
        if isinstance(key, UUID):
            product = await self._by_id.load(key)
        else:
            product = await self._by_slug.load(key) if is_slug(key) else None
        if product is None:
            raise ProductNotFound.any()
        return product


async def _read(
    pool: Pool, read: Callable[[Connection, Sequence[K]], Awaitable[dict[K, Product]]], keys: Sequence[K]
) -> dict[K, Product]:
    async with connection(pool) as conn:
        return await read(conn, keys)
