"""Message edge of the catalog worker: one coroutine per job type, and per event that more than one use case hears."""

from dataclasses import asdict
from typing import Any

from pydantic import JsonValue

from services.catalog.cache.schemas import clearing_shape
from services.catalog.cache_clearing import CacheClearing
from services.catalog.images.usecases import Images
from services.catalog.inventory.low_stock import LowStock
from services.catalog.sync.runner import Runner
from shared.contracts.envelope import Envelope
from shared.contracts.events import JobFailed
from shared.contracts.jobs import CheckLowStock, CleanupCache, SyncInventory
from shared.messaging.attempt import Attempt


async def check_low_stock(_: CheckLowStock, __: Attempt, *, low_stock: LowStock) -> JsonValue:
    """`check-low-stock`: the result counts alerts opened and closed, and the vendors told of how many products."""
    return asdict(await low_stock.check())


async def cleanup_cache(job: CleanupCache, attempt: Attempt, *, clearing: CacheClearing) -> JsonValue:
    """`cleanup-cache`: the result counts what each replica removed, and names those that did not answer."""
    result: dict[str, Any] = {**clearing_shape(await clearing.work(job, job_id=attempt.job_id))}
    return result


async def sync_inventory(job: SyncInventory, attempt: Attempt, *, runner: Runner) -> JsonValue:
    """`sync-inventory`: the result counts the source's rows by what became of them, or says what is wrong with it."""
    return await runner.work(job, attempt)


async def job_failed(event: JobFailed, envelope: Envelope, *, images: Images, runner: Runner) -> None:
    """`job.failed`: a picture or a run that waits for the job learns of it."""
    await images.job_failed(event, envelope)
    await runner.job_failed(event)
