"""The queues with the broker's figures and the ledger's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yarl import URL

from services.jobs.health.store import HealthStore
from services.jobs.queues.management import Management
from services.jobs.queues.models import BrokerFigures, QueueView, viewed
from services.jobs.settings import Settings
from shared.db.pool import Pool, connection
from shared.errors import Unavailable
from shared.messaging import topology


@dataclass(frozen=True, slots=True)
class Queues:
    """All queues. `problem` says why the broker's figures are missing, if they are; `pages` is where to see more."""

    items: Sequence[QueueView]
    problem: str | None
    pages: str | None


class QueueDesk:
    """The broker's queues; reads only."""

    def __init__(self, pool: Pool, store: HealthStore, management: Management | None, settings: Settings) -> None:
        self._pool = pool
        self._store = store
        self._management = management
        self._queues = topology.build(settings.tiers).queues
        self._pages = _pages(settings)

    async def all(self) -> Queues:
        """Every queue of the topology. With the broker away the ledger's figures are still told."""
        figures, problem = await self._figures()
        async with connection(self._pool) as conn:
            waiting = await self._store.oldest_waiting(conn, list(topology.WORK_BY_TYPE))
        oldest: dict[str, float] = {}
        for one in waiting:
            oldest[one.type] = max(oldest.get(one.type, 0.0), round(one.seconds, 1))
        return Queues(viewed(self._queues, figures, oldest), problem, self._pages)

    async def _figures(self) -> tuple[Mapping[str, BrokerFigures], str | None]:
        if self._management is None:
            return {}, "SOUK_MANAGEMENT_URL names no management API of RabbitMQ to ask."
        try:
            return await self._management.figures(), None
        except Unavailable as exc:
            return {}, exc.detail


def _pages(settings: Settings) -> str | None:
    """Where people see the management pages: never with the password that the api uses."""
    if settings.management_pages_url is not None or settings.management_url is None:
        return settings.management_pages_url
    return str(URL(settings.management_url.get_secret_value()).with_user(None))
