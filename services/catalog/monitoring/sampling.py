"""What this gateway sees and does, added up by the hour for the daily metrics: the health score, use of the caches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.catalog.monitoring import store
from services.catalog.monitoring.models import Asker, Sample
from services.catalog.monitoring.usecases import Caches, Monitoring
from shared.clock import Clock
from shared.contracts.events import Measure
from shared.db.pool import Connection, Pool, transaction
from shared.ids import new_id
from shared.web.identity import NOBODY, Identity, Role

SAMPLE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Use:
    """How often a cache had been asked at the last sample."""

    hits: int = 0
    misses: int = 0


class Sampling:
    """Takes a sample a minute. A gateway that is killed takes what its caches did since the last one with it."""

    def __init__(self, *, pool: Pool, monitoring: Monitoring, caches: Callable[[], Caches], clock: Clock) -> None:
        self._pool = pool
        self._monitoring = monitoring
        self._caches = caches
        self._clock = clock
        self._told: dict[str, Use] | None = None

    async def run_once(self) -> None:
        """Look, and add what was seen to its hour. Raises `Unavailable`: then the next sample tells of the caches.

        The first one only notes where the caches stand: a gateway that has just started sees nothing of the others yet.
        """
        if self._told is None:
            self._told = self._used()
            return
        now = self._clock()
        score = (await self._monitoring.look(Asker(Identity(NOBODY, Role.OPS), str(new_id())))).health.score
        used = self._used()
        samples = [Sample("health", "", 1, score), *_more(used, self._told)]
        async with transaction(self._pool) as conn:
            await store.add_samples(conn, now.replace(minute=0, second=0, microsecond=0), samples)
        self._told = used

    def _used(self) -> dict[str, Use]:
        return {name: Use(cache.hits, cache.misses) for name, cache in self._caches().items()}


def _more(used: Mapping[str, Use], before: Mapping[str, Use]) -> list[Sample]:
    samples = []
    for name, use in used.items():
        last = before.get(name, Use())
        samples.append(Sample("cache_hits", name, use.hits - last.hits))
        samples.append(Sample("cache_misses", name, use.misses - last.misses))
    return [sample for sample in samples if sample.count > 0]


async def measures(conn: Connection, begun: datetime, ended: datetime) -> Sequence[Measure]:
    """The catalog's `measures.recorded`: what all gateways sampled in the hour, and products by status at its end."""
    sampled = await store.samples(conn, since=begun, until=ended)
    products = [
        Measure(name="products", label=status, count=count) for status, count in await store.products_by_status(conn)
    ]
    return [*sampled, *products]
