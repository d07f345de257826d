"""The caches of one gateway for Prometheus, read from their own counts at the scrape: a hit pays nothing for it."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from services.catalog.cache.caches import Caches
from services.catalog.cache.models import CacheCounts


class CacheFigures(Collector):
    """What each cache did since its gateway started, and holds; the sum, where a process has several gateways."""

    def __init__(self) -> None:
        self.told: list[Caches] = []

    def collect(self) -> Iterable[Metric]:
        """The four families, with the caches' present counts."""
        sums: dict[str, CacheCounts] = {}
        for caches in self.told:
            for name, counts in caches.counted().items():
                sums[name] = sums.get(name, CacheCounts()) + counts
        yield from _families(sums)

    def describe(self) -> Iterable[Metric]:
        """The same without values."""
        yield from _families({})


def _families(caches: Mapping[str, CacheCounts]) -> Iterator[Metric]:
    reads = CounterMetricFamily(
        "souk_cache_reads", "Reads of a cache, by outcome: hit or miss.", labels=["cache", "outcome"]
    )
    dropped = CounterMetricFamily(
        "souk_cache_dropped",
        "Entries that went before their time: evicted for want of room, or invalidated by a change.",
        labels=["cache", "why"],
    )
    entries = GaugeMetricFamily("souk_cache_entries", "Entries that a cache holds.", labels=["cache"])
    room = GaugeMetricFamily("souk_cache_max_entries", "Entries that a cache may hold.", labels=["cache"])
    for name, counts in caches.items():
        reads.add_metric([name, "hit"], counts.hits)
        reads.add_metric([name, "miss"], counts.misses)
        dropped.add_metric([name, "evicted"], counts.evictions)
        dropped.add_metric([name, "invalidated"], counts.invalidations)
        entries.add_metric([name], counts.size)
        room.add_metric([name], counts.max)
    yield from (reads, dropped, entries, room)


_FIGURES: Final = CacheFigures()
"""One, as the registry is: it takes no family twice."""


@contextmanager
def told(caches: Caches) -> Iterator[None]:
    """Tell of these caches while the block runs."""
    if not _FIGURES.told:
        REGISTRY.register(_FIGURES)
    _FIGURES.told.append(caches)
    try:
        yield
    finally:
        _FIGURES.told.remove(caches)
        if not _FIGURES.told:
            REGISTRY.unregister(_FIGURES)
