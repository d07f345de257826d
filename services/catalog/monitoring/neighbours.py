"""Asking the services behind the gateway, in the caller's name."""

from collections.abc import Mapping
from typing import Final, TypeVar

import aiohttp
from pydantic import ValidationError
from yarl import URL

from services.catalog.monitoring.models import Asker, Heard, HeardWork, Task
from services.catalog.proxy import Upstream
from shared.errors import Unavailable

ANSWER_SECONDS: Final = 1.0
"""How long a service may take for its whole answer."""
JOBS: Final = URL("/api/admin/jobs")
OVERVIEW: Final = URL("/api/admin/jobs/overview")
SCHEDULES: Final = URL("/api/admin/schedules")

A = TypeVar("A", bound=Heard)


class HealthAnswer(Heard):
    """`GET /api/admin/jobs?action=health`."""

    health: HeardWork


class StatsAnswer(Heard):
    """`GET /api/admin/jobs?action=stats`."""

    stats: dict[str, int]


class SchedulesAnswer(Heard):
    """`GET /api/admin/schedules`."""

    items: tuple[Task, ...]


class LastHour(Heard):
    """Jobs of a type that ended within the hour, and attempts that were made again."""

    completed: int
    failed: int
    retried: int


class TypeSeen(Heard):
    """A type of jobs at a glance. `counts` are by state."""

    type: str
    counts: dict[str, int]
    workers: int
    oldest_waiting_seconds: float
    last_hour: LastHour

    @property
    def waiting(self) -> int:
        """Jobs that wait for a worker, or for another attempt."""
        return self.counts.get("pending", 0) + self.counts.get("retrying", 0)


class OverviewAnswer(Heard):
    """`GET /api/admin/jobs/overview`."""

    items: tuple[TypeSeen, ...]


class Neighbours:
    """What monitoring asks of jobs and scheduler. Each call raises `Unavailable`, saying how the answer failed."""

    def __init__(self, upstreams: Mapping[str, Upstream]) -> None:
        self._jobs = upstreams["jobs"]
        self._scheduler = upstreams["scheduler"]

    async def stats(self, asker: Asker) -> dict[str, int]:
        """The jobs by state and the number of active workers."""
        return (await heard(self._jobs, JOBS % {"action": "stats"}, StatsAnswer, asker)).stats

    async def work_health(self, asker: Asker) -> HeardWork:
        """Who works, what waits and what failed."""
        return (await heard(self._jobs, JOBS % {"action": "health"}, HealthAnswer, asker)).health

    async def types(self, asker: Asker) -> tuple[TypeSeen, ...]:
        """Every type of jobs: what waits, who works, how the last hour went."""
        return (await heard(self._jobs, OVERVIEW, OverviewAnswer, asker)).items

    async def schedules(self, asker: Asker) -> tuple[Task, ...]:
        """The entries of the schedule."""
        return (await heard(self._scheduler, SCHEDULES, SchedulesAnswer, asker)).items


async def heard(upstream: Upstream, url: URL, answer: type[A], asker: Asker) -> A:
    """Ask a service in somebody's name. Raises `Unavailable`, saying how it failed, after a second at most."""
    try:
        status, body = await upstream.called(
            "GET", url, asker.identity, request_id=asker.request_id, seconds=ANSWER_SECONDS
        )
    except TimeoutError as exc:
        raise Unavailable(f"the {upstream.service} service took over {ANSWER_SECONDS:g} s") from exc
    except aiohttp.ClientError as exc:
        raise Unavailable(f"the {upstream.service} service does not answer") from exc
    if status != 200:
        raise Unavailable(f"the {upstream.service} service answered {status}")
    try:
        return answer.model_validate_json(body)
    except ValidationError as exc:
        raise Unavailable(f"the {upstream.service} service gave an answer that cannot be read") from exc
