"""What operators ask about the work over time."""

from collections.abc import Sequence

from services.jobs.activity import store
from services.jobs.activity.models import STEPS, Span, Step, start_of, steps
from shared.clock import Clock
from shared.db.pool import Pool, connection


class ActivityDesk:
    """Throughput, waits and run times over time; reads only."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock

    async def over_time(self, span: Span, *, job_type: str | None) -> Sequence[Step]:
        """The steps of a span, of one type or of all."""
        now, (number, length) = self._clock(), STEPS[span]
        since = start_of(now, length) - length * (number - 1)
        async with connection(self._pool) as conn:
            found = await store.read(conn, since=since, job_type=job_type, step=length)
        return steps(span, found, now=now)
