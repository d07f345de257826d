"""The HTTP edge of monitoring. It always answers 200 with what it knows; the score says what is wrong."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from aiohttp import web
from typing_extensions import TypedDict

from services.catalog.answers import answer
from services.catalog.monitoring.models import Asker, Health, HeardWork, Task, hit_rate
from services.catalog.monitoring.usecases import Caches, Monitoring, Sight
from shared.web.identity import IDENTITY
from shared.web.problems import REQUEST_ID

MONITORING: Final = web.AppKey("monitoring", Monitoring)


class CachesOfGateway(TypedDict):
    """The caches of the gateway that answers."""

    hits: int
    misses: int
    hit_rate: float | None
    sizes: Mapping[str, str]


class TaskShown(TypedDict):
    """An entry of the schedule."""

    name: str
    last_run: datetime | None
    next_run: datetime | None
    enabled: bool


class WorkShown(TypedDict):
    """What the jobs service and the scheduler tell; null where one of them does not answer."""

    active_workers: int | None
    automated_tasks: list[TaskShown] | None
    stats: Mapping[str, int] | None
    work: HeardWork | None


class SightShown(TypedDict):
    """The whole installation as this gateway sees it."""

    health: Health
    cache: CachesOfGateway
    jobs: WorkShown
    observed_at: datetime


def routes(monitoring: Monitoring) -> list[web.RouteDef]:
    """The one route."""

    async def look(request: web.Request) -> web.Response:
        sight = await monitoring.look(Asker(request[IDENTITY], request[REQUEST_ID]))
        return answer(_shown(sight), headers={"Cache-Control": "no-store"})

    return [web.get("/api/admin/monitoring", look)]


def _shown(sight: Sight) -> SightShown:
    return {
        "health": sight.health,
        "cache": _caches_shown(sight.caches),
        "jobs": {
            "active_workers": None if sight.stats is None else sight.stats.get("active_workers"),
            "automated_tasks": None if sight.tasks is None else [_task_shown(task) for task in sight.tasks],
            "stats": sight.stats,
            "work": sight.work,
        },
        "observed_at": sight.at,
    }


def _caches_shown(caches: Caches) -> CachesOfGateway:
    hits, misses = sum(cache.hits for cache in caches.values()), sum(cache.misses for cache in caches.values())
    return {
        "hits": hits,
        "misses": misses,
        "hit_rate": hit_rate(hits, misses),
        "sizes": {name: f"{cache.size}/{cache.max}" for name, cache in caches.items()},
    }


def _task_shown(task: Task) -> TaskShown:
    return {
        "name": task.name,
        "last_run": task.last_run,
        "next_run": task.next_runs[0] if task.next_runs else None,
        "enabled": task.enabled,
    }
