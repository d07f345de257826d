"""Who did something to a job or a schedule, by name: other services know accounts by their id alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.catalog.pages import store
from shared.db.pool import Pool, connection


@dataclass(frozen=True, slots=True)
class People:
    """The names of accounts."""

    pool: Pool

    async def named(self, actors: Iterable[str | UUID | None]) -> Mapping[str, str]:
        """The names of actors (`ops 0189…`, or an account alone), by the actor; unknown ones are left out."""
        accounts = {str(actor): account for actor in actors if (account := _account(actor)) is not None}
        if not accounts:
            return {}
        async with connection(self.pool) as conn:
            names = await store.names(conn, list(accounts.values()))
        return {actor: names[account] for actor, account in accounts.items() if account in names}


def _account(actor: str | UUID | None) -> UUID | None:
    try:
        return actor if isinstance(actor, UUID) else UUID((actor or "").rpartition(" ")[2])
    except ValueError:
        return None
