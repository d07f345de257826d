"""The caches as Prometheus sees them."""

from functools import partial

from prometheus_client import REGISTRY

from services.catalog.cache.caches import Caches
from services.catalog.cache.figures import told
from services.catalog.cache.floors import Rows
from services.catalog.cache.models import Answer, Loaded


async def are_current(_: Rows) -> bool:
    return True


async def loaded(body: bytes) -> Loaded:
    return Loaded(Answer(body, '"1"'), {("product", None): 1})


def product(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"cache": "product", **labels})


async def test_what_the_caches_did_and_hold_is_told_while_they_are_there() -> None:
    caches = Caches(are_current=are_current)
    assert product("souk_cache_entries") is None
    with told(caches):
        for _ in range(3):
            await caches.product.read("a", partial(loaded, b"body"))
        assert product("souk_cache_reads_total", outcome="miss") == 1
        assert product("souk_cache_reads_total", outcome="hit") == 2
        assert product("souk_cache_entries") == 1
        assert product("souk_cache_max_entries") == 5000
        caches.clean("clear")
        assert product("souk_cache_entries") == 0
    assert product("souk_cache_entries") is None


async def test_two_gateways_of_one_process_are_told_as_their_sum() -> None:
    first, second = Caches(are_current=are_current), Caches(are_current=are_current)
    with told(first), told(second):
        for caches in (first, second):
            await caches.product.read("a", partial(loaded, b"body"))
        assert product("souk_cache_entries") == 2
    assert product("souk_cache_entries") is None
