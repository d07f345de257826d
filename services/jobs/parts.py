"""The parts both processes are made of."""

import os

from services.jobs.models import JobState
from services.jobs.partitions import Partitions
from services.jobs.pruner import Pruner
from services.jobs.settings import Settings
from services.jobs.store import Ledger
from shared.clock import utc_now
from shared.db.pool import Pool

COUNTER_SHARDS = 8


def make_ledger() -> Ledger:
    """The ledger's tables, with the counter shard of this process."""
    return Ledger(shard=os.getpid() % COUNTER_SHARDS)


def make_pruner(pool: Pool, ledger: Ledger, partitions: Partitions, settings: Settings) -> Pruner:
    """The pruner with the configured retention."""
    keep_days = {
        JobState.COMPLETED: settings.completed_days,
        JobState.CANCELLED: settings.completed_days,
        JobState.FAILED: settings.failed_days,
    }
    return Pruner(pool, ledger, partitions, keep_days, utc_now)
