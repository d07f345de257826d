"""The epoch of the event stream, kept in the database for replicas that come later."""

from dataclasses import dataclass

from services.catalog.cache import store
from shared.db.pool import Pool, connection


@dataclass(frozen=True, slots=True)
class StoredEpochs:
    """An `EpochBook` of the catalog's schema. Raises `Unavailable`."""

    pool: Pool

    async def write(self, epoch: str) -> None:
        """Keep it; again is without effect."""
        async with connection(self.pool) as conn:
            await store.write_epoch(conn, epoch)

    async def latest(self, otherwise: str) -> str:
        """The one written last, by whoever."""
        async with connection(self.pool) as conn:
            latest = await store.latest_epoch(conn)
            if latest is None:
                await store.write_epoch(conn, otherwise)
                latest = await store.latest_epoch(conn)
        return latest or otherwise
