"""The health score for Prometheus: looked at anew for each scrape."""

from typing import Final

from prometheus_client import Gauge

from services.catalog.monitoring.models import Asker
from services.catalog.monitoring.usecases import Monitoring
from shared.ids import new_id
from shared.web.identity import NOBODY, Identity, Role

SCORE: Final = Gauge("souk_health_score", "How this gateway sees the whole installation: 100 is well, 0 is not.")
COST: Final = Gauge("souk_health_cost", "What each term of the health score costs (docs/health.md).", ["term"])


class HealthFigures:
    """Sets the gauges above."""

    def __init__(self, monitoring: Monitoring) -> None:
        self._monitoring = monitoring

    async def refresh(self) -> None:
        """Look, for two seconds at most. What is away lowers the score and fails nothing."""
        asker = Asker(Identity(NOBODY, Role.OPS), str(new_id()))
        health = (await self._monitoring.look(asker)).health
        SCORE.set(health.score)
        for term in health.terms:
            COST.labels(term.name.value).set(term.cost)
