"""Composition root of `python -m services.jobs ledger`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from services.jobs.changes import ChangeTeller
from services.jobs.control.sender import ControlSender
from services.jobs.control.store import ControlStore
from services.jobs.dead_letters.collector import collecting
from services.jobs.dispatch import Dispatcher
from services.jobs.lookout import Lookout, Part
from services.jobs.measures.store import measures
from services.jobs.partitions import Partitions
from services.jobs.parts import make_ledger, make_pruner, make_recorder
from services.jobs.publishing import JobPublisher
from services.jobs.rescue.rescuer import Rescuer
from services.jobs.rescue.store import RescueStore
from services.jobs.schedules.overlap import Overlap
from services.jobs.settings import Settings
from shared.clock import utc_now
from shared.contracts import jobs
from shared.db.gaps import reading_all
from shared.db.measures import measuring
from shared.db.outbox import Inbox, Outbox, relaying
from shared.db.pool import open_pool
from shared.db.replay import announcing, ask_for_all
from shared.lifecycle import background, every
from shared.messaging import topology
from shared.messaging.attempt import HandlerTable
from shared.messaging.broker import open_broker
from shared.messaging.declare import keeping_topology
from shared.messaging.reader import reading
from shared.messaging.working import working
from shared.web.checks import all_consuming, database_answers
from shared.web.ops import operations_port

TELL_SECONDS = 1.0
PARTITION_SECONDS = 3600.0
FORGET_SECONDS = 300.0
RECORD_PACE_SECONDS = 0.025
"""No reader of the ledger sees so short a delay, and at 5,000 reports a second a transaction holds a hundred."""


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[None]:
    """Dispatch events, record reports, publish what is due, keep the topology. Any number may run."""
    whole = topology.build(settings.tiers)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_pool(settings.jobs_database_url.get_secret_value(), name="jobs-ledger")
        )
        broker = await stack.enter_async_context(open_broker(settings.amqp_url.get_secret_value(), name="ledger"))
        ledger = make_ledger()
        partitions = Partitions(pool, utc_now)
        publisher = JobPublisher(pool, broker.publisher, ledger)
        overlap = Overlap(pool, Outbox("jobs"))
        dispatcher = Dispatcher(
            ledger, inbox=Inbox("jobs"), overlap=overlap, partitions=partitions, publisher=publisher
        )
        recorder = make_recorder(pool, ledger)
        handlers: HandlerTable = {
            jobs.CleanupJobs: make_pruner(pool, ledger, partitions, settings).cleanup_jobs,
        }

        await stack.enter_async_context(background(every(PARTITION_SECONDS, partitions.run_once), name="partitions"))
        await stack.enter_async_context(
            keeping_topology(
                broker.consuming,
                whole,
                returned=broker.publisher.returned,
                on_found_missing=partial(ask_for_all, broker.publisher, source="jobs"),
            )
        )
        relay = await stack.enter_async_context(relaying(pool, broker.publisher, schema="jobs"))
        await stack.enter_async_context(
            announcing(pool, broker, relay, schema="jobs", topology=whole, seconds=settings.announce_seconds)
        )
        sender = ControlSender(pool, ControlStore(), broker.publisher, broker.publishing)
        lookout = Lookout(
            pool=pool,
            ledger=ledger,
            due=Part(publisher.run_once, is_wanted=lambda: publisher.is_in_doubt),
            held=Part(overlap.run_once),
            untold=Part(sender.run_once, is_wanted=lambda: sender.is_due),
        )
        await stack.enter_async_context(lookout.looking())
        teller = ChangeTeller(pool, ledger, Outbox("jobs"))
        await stack.enter_async_context(background(every(TELL_SECONDS, teller.run_once), name="changes"))
        await stack.enter_async_context(measuring(pool, measures, schema="jobs"))
        rescuer = Rescuer(
            pool,
            RescueStore(ledger),
            broker.publisher,
            publisher,
            probe_seconds=settings.probe_seconds,
            silence_seconds=settings.silence_seconds,
        )
        await stack.enter_async_context(background(every(settings.probe_seconds / 2, rescuer.run_once), name="rescue"))
        await stack.enter_async_context(background(every(FORGET_SECONDS, rescuer.forget), name="forget workers"))
        grace = settings.grace_seconds
        recording = await stack.enter_async_context(
            reading(
                broker,
                topology.LEDGER_QUEUE,
                recorder.handle,
                topology=whole,
                grace_seconds=grace,
                pace_seconds=RECORD_PACE_SECONDS,
            )
        )
        dispatching = await stack.enter_async_context(
            reading_all(
                broker,
                "dispatch",
                dispatcher.handle,
                pool=pool,
                schema="jobs",
                topology=whole,
                grace_seconds=grace,
                announce_seconds=settings.announce_seconds,
            )
        )
        burying = await stack.enter_async_context(collecting(pool, broker, whole, grace_seconds=grace))
        cleaning = await stack.enter_async_context(
            working(
                broker,
                handlers,
                worker="ledger",
                tiers=settings.tiers,
                grace_seconds=grace,
                state_dir=settings.state_dir,
            )
        )
        checks = {
            "database": database_answers(pool),
            "broker": all_consuming([recording, dispatching, *burying, *cleaning]),
        }
        await stack.enter_async_context(operations_port(settings, checks, refresh=[relay.tell_age]))
        yield
