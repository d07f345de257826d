"""Parts of both processes, put together the same way everywhere, tests included."""

import os

from services.jobs.breakers.store import BreakerStore
from services.jobs.breakers.usecases import Breakers
from services.jobs.control.store import ControlStore
from services.jobs.dead_letters.store import LetterStore
from services.jobs.health.store import HealthStore
from services.jobs.models import JobState
from services.jobs.partitions import Partitions
from services.jobs.pruner import Pruner
from services.jobs.quarantine.store import SuspectStore
from services.jobs.quarantine.usecases import Quarantine
from services.jobs.recorder import Recorder
from services.jobs.rescue.store import RescueStore
from services.jobs.settings import Settings
from services.jobs.store import Ledger
from services.jobs.usecases import JobsDesk
from shared.clock import Clock, utc_now
from shared.db.outbox import Inbox, Outbox
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


def make_desk(pool: Pool, settings: Settings, clock: Clock = utc_now) -> JobsDesk:
    """The jobs api's use cases."""
    ledger, partitions = make_ledger(), Partitions(pool, utc_now)
    pruner = make_pruner(pool, ledger, partitions, settings)
    return JobsDesk(
        pool,
        ledger,
        health=HealthStore(),
        letters=LetterStore(),
        partitions=partitions,
        pruner=pruner,
        clock=clock,
    )


def make_recorder(pool: Pool, ledger: Ledger, clock: Clock = utc_now) -> Recorder:
    """What writes reports into the ledger."""
    control, outbox = ControlStore(), Outbox("jobs")
    return Recorder(
        pool,
        ledger,
        rescue=RescueStore(ledger),
        quarantine=Quarantine(SuspectStore(), control),
        breakers=Breakers(BreakerStore(), control, outbox),
        inbox=Inbox("jobs"),
        outbox=outbox,
        clock=clock,
    )
