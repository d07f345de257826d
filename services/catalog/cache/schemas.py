"""Bodies and answers of the caches' addresses."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import add
from uuid import UUID

from typing_extensions import TypedDict

from services.catalog.cache.models import CacheCounts, Clearing, Mode, Replica
from shared.web.bodies import Body


class ClearBody(Body):
    """POST /api/admin/cache/clear; `expire` frees only what is past its time."""

    mode: Mode = "clear"


class CacheShown(TypedDict):
    """One cache. `hit_rate` is null before the first read."""

    hits: int
    misses: int
    hit_rate: float | None
    evictions: int
    invalidations: int
    size: int
    max: int


class CachesShown(TypedDict):
    """All caches of a replica, or of all replicas, by name; `sizes` says `size/max` of each."""

    hits: int
    misses: int
    hit_rate: float | None
    sizes: Mapping[str, str]
    caches: Mapping[str, CacheShown]


class ReplicaShown(CachesShown):
    """A gateway replica as it last reported. One that is not live checks each hit against the database."""

    id: UUID
    name: str
    seen_at: datetime
    is_live: bool
    is_this: bool


class AllCaches(TypedDict):
    """Each replica, and the sum of all."""

    replicas: list[ReplicaShown]
    sum: CachesShown


class ClearingShown(TypedDict):
    """What came of a request: entries removed in all and by replica and cache; `missing` did not answer in time."""

    mode: Mode
    replicas: int
    answered: int
    removed: int
    by_replica: Mapping[str, Mapping[str, int]]
    missing: Sequence[str]


def caches_shape(replicas: Sequence[Replica], own: UUID) -> AllCaches:
    """Each replica, and the sum of all."""
    return {
        "replicas": [
            {
                "id": replica.id,
                "name": replica.name,
                "seen_at": replica.seen_at,
                "is_live": replica.is_live,
                "is_this": replica.id == own,
                **_shape(replica.caches),
            }
            for replica in replicas
        ],
        "sum": _shape(summed(replicas)),
    }


def clearing_shape(clearing: Clearing) -> ClearingShown:
    """What came of a request."""
    return {
        "mode": clearing.mode,
        "replicas": clearing.replicas,
        "answered": clearing.answered,
        "removed": clearing.total,
        "by_replica": {name: dict(removed) for name, removed in clearing.removed.items()},
        "missing": list(clearing.missing),
    }


def summed(replicas: Sequence[Replica]) -> dict[str, CacheCounts]:
    """The caches of all replicas together."""
    names = dict.fromkeys(name for replica in replicas for name in replica.caches)
    return {name: reduce(add, (one.caches.get(name, CacheCounts()) for one in replicas)) for name in names}


def _shape(caches: Mapping[str, CacheCounts]) -> CachesShown:
    total = reduce(add, caches.values(), CacheCounts())
    return {
        "hits": total.hits,
        "misses": total.misses,
        "hit_rate": _rate(total),
        "sizes": {name: f"{one.size}/{one.max}" for name, one in caches.items()},
        "caches": {
            name: {
                "hits": one.hits,
                "misses": one.misses,
                "hit_rate": _rate(one),
                "evictions": one.evictions,
                "invalidations": one.invalidations,
                "size": one.size,
                "max": one.max,
            }
            for name, one in caches.items()
        },
    }


def _rate(counts: CacheCounts) -> float | None:
    return None if counts.hit_rate is None else round(counts.hit_rate, 4)
