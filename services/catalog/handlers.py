"""Message edge of the catalog worker: one coroutine per job type. Events go to the use cases as they are."""

from dataclasses import asdict

from pydantic import JsonValue

from services.catalog.cache.schemas import clearing_shape
from services.catalog.cache_clearing import CacheClearing
from services.catalog.inventory.low_stock import LowStock
from shared.contracts.jobs import CheckLowStock, CleanupCache
from shared.messaging.attempt import Attempt


async def check_low_stock(_: CheckLowStock, __: Attempt, *, low_stock: LowStock) -> JsonValue:
    """`check-low-stock`: the result counts alerts opened and closed, and the vendors told of how many products."""
    return asdict(await low_stock.check())


async def cleanup_cache(job: CleanupCache, attempt: Attempt, *, clearing: CacheClearing) -> JsonValue:
    """`cleanup-cache`: the result counts what each replica removed, and names those that did not answer."""
    return clearing_shape(await clearing.work(job, job_id=attempt.job_id))
