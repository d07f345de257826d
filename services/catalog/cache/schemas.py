"""Bodies and answers of the caches' addresses."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any
from uuid import UUID

from services.catalog.cache.models import CacheCounts, Clearing, Mode, Replica
from shared.web.bodies import Body


class ClearBody(Body):
    """POST /api/admin/cache/clear; `expire` frees only what is past its time."""

    mode: Mode = "clear"


def caches_shape(replicas: Sequence[Replica], own: UUID) -> Mapping[str, Any]:
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


def clearing_shape(clearing: Clearing) -> dict[str, Any]:
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


def _shape(caches: Mapping[str, CacheCounts]) -> dict[str, Any]:
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
