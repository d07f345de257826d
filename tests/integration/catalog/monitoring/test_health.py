"""The health score on real databases and a real broker: faults lower it, their end brings it back to 100."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import aiohttp
import pytest
from prometheus_client import generate_latest
from pydantic import SecretStr

from services.catalog.cache.models import CacheCounts
from services.catalog.monitoring import neighbours, usecases
from services.catalog.monitoring.figures import HealthFigures
from services.catalog.monitoring.models import Asker, Health, TermName
from services.catalog.monitoring.neighbours import Neighbours
from services.catalog.monitoring.usecases import Monitoring, Stream
from services.catalog.proxy import Upstream
from services.jobs.settings import Settings as JobsSettings
from shared.clock import utc_now
from shared.contracts.envelope import wrap
from shared.contracts.events import CacheClearRequested, JobsChanged, OutboxDrained
from shared.contracts.reports import Outcome
from shared.db.outbox import Outbox
from shared.db.pool import Pool, open_pool, transaction
from shared.ids import new_id
from shared.lifecycle import background, every
from shared.messaging.broker import open_broker
from shared.messaging.declare import keeping_topology
from shared.messaging.stream import EventStream, MemoryEpochs
from shared.messaging.topology import EVENT_STREAM, EVENTS, build
from shared.web.identity import Identity, Role
from tests.eventually import eventually
from tests.faults.proxy import fault_proxy
from tests.integration.catalog.conftest import KEY
from tests.integration.catalog.monitoring.installation import Place, Work, jobs_app, scheduler_app
from tests.servers import Database, Vhost

OPERATOR = Asker(Identity(new_id(), Role.OPS), "request-1")


@dataclass
class LiveStream:
    """A reader of the stream that hears all."""

    is_live: bool = True
    is_reading: bool = True


@dataclass
class Installation:
    """Everything monitoring sees, healthy to begin with."""

    catalog: Pool
    work: Work
    scheduler: Place
    services: Neighbours
    stream: Stream = field(default_factory=LiveStream)
    caches: dict[str, CacheCounts] = field(default_factory=dict)

    async def look(self) -> Health:
        """What an operator is told."""
        return (await self.monitoring().look(OPERATOR)).health

    def monitoring(self) -> Monitoring:
        """What looks."""
        return Monitoring(
            pool=self.catalog,
            services=self.services,
            stream=self.stream,
            caches=lambda: self.caches,
            clock=utc_now,
        )

    async def comes_to_cost(self, costs: dict[TermName, int]) -> None:
        """Just these terms cost something. Asked again for a while: on a busy machine an answer may be late."""

        async def so() -> bool:
            assert await self.costs() == costs
            return True

        await eventually(so, 15, every=0.1)

    async def costs(self) -> dict[TermName, int]:
        """The terms that cost something; the score is what they leave."""
        health = await self.look()
        costs = {term.name: term.cost for term in health.terms if term.cost}
        assert health.score == 100 - sum(costs.values())
        return costs


@pytest.fixture
async def installation(database: Database, pool: Pool) -> AsyncIterator[Installation]:
    settings = JobsSettings(
        amqp_url=SecretStr("amqp://nobody@127.0.0.1:9/"),
        jobs_database_url=SecretStr(database.url("jobs")),
        jobs_key=SecretStr(KEY),
    )
    async with AsyncExitStack() as stack:
        jobs_pool = await stack.enter_async_context(open_pool(database.url("jobs"), name="test"))
        scheduler_pool = await stack.enter_async_context(open_pool(database.url("scheduler"), name="test"))
        client = await stack.enter_async_context(aiohttp.ClientSession(auto_decompress=False))
        places = {
            "jobs": Place(lambda: jobs_app(jobs_pool, settings)),
            "scheduler": Place(lambda: scheduler_app(scheduler_pool, key=KEY)),
        }
        for place in places.values():
            await place.come()
            stack.push_async_callback(place.go)
        services = Neighbours(
            {name: Upstream(name, place.url, SecretStr(KEY), client) for name, place in places.items()}
        )
        work = Work(jobs_pool, places["jobs"])
        await work.see_all()
        yield Installation(pool, work, places["scheduler"], services)


async def test_a_quiet_healthy_installation_has_100(installation: Installation) -> None:
    await installation.comes_to_cost({})
    health = await installation.look()
    assert (health.score, health.status) == (100, "excellent")


async def test_a_jobs_api_that_is_away_takes_its_terms_with_it(installation: Installation) -> None:
    await installation.work.place.go()
    await installation.comes_to_cost(
        {
            TermName.JOBS_SERVICE: 10,
            TermName.WORKERS: 20,
            TermName.WAITING: 5,
            TermName.FAILURES: 5,
            TermName.JOBS_OUTBOX: 3,
            TermName.BREAKERS: 4,
            TermName.PAUSED: 1,
            TermName.DEAD_LETTERS: 2,
        }
    )
    notes = {term.name: term.note for term in (await installation.look()).terms}
    assert notes[TermName.WORKERS] == "Not observed: the jobs service does not answer."
    await installation.work.place.come()
    await installation.comes_to_cost({})


async def test_a_scheduler_that_is_away_costs_its_term(installation: Installation) -> None:
    await installation.scheduler.go()
    await installation.comes_to_cost({TermName.SCHEDULER: 5})
    await installation.scheduler.come()
    await installation.comes_to_cost({})


async def test_an_event_unsent_for_long_costs_and_its_sending_heals(installation: Installation) -> None:
    async with transaction(installation.catalog) as conn:
        await Outbox("catalog").add(conn, CacheClearRequested(request_id=new_id(), mode="expire"))
    await installation.comes_to_cost({})
    await installation.catalog.execute("UPDATE catalog.outbox SET created_at = now() - interval '5 minutes'")
    await installation.comes_to_cost({TermName.OUTBOX: 10})
    await installation.catalog.execute("UPDATE catalog.outbox SET sent_at = now()")
    await installation.comes_to_cost({})


async def test_types_without_a_worker_cost_until_one_is_there(installation: Installation) -> None:
    await installation.work.forget("imaging")
    await installation.comes_to_cost({TermName.WORKERS: 10})
    health = await installation.look()
    assert health.status == "good"
    assert [term.note for term in health.terms if term.cost] == ["No worker reads process-image."]
    await installation.work.forget("notifier")
    await installation.comes_to_cost({TermName.WORKERS: 20})
    await installation.work.see("imaging-2", "process-image")
    await installation.work.see("notifier-2", "send-email", "send-notification")
    await installation.comes_to_cost({})


async def test_a_job_that_waits_for_long_costs_until_it_is_done(installation: Installation) -> None:
    job_id = await installation.work.waiting_job()
    await installation.comes_to_cost({TermName.WAITING: 3})
    await installation.work.report(job_id, Outcome.COMPLETED)
    await installation.comes_to_cost({})


async def test_failed_jobs_cost_by_their_share_of_the_last_hour(installation: Installation) -> None:
    for _ in range(4):
        await installation.work.report(await installation.work.waiting_job(), Outcome.FAILED)
    await installation.comes_to_cost({TermName.FAILURES: 2})
    await installation.work.pool.execute("UPDATE jobs.jobs SET finished_at = now() - interval '2 hours'")
    await installation.comes_to_cost({})


async def test_a_type_whose_dependency_is_away_costs_until_it_is_back(installation: Installation) -> None:
    await installation.work.tell_breaker("send-email", is_open=True)
    await installation.comes_to_cost({TermName.BREAKERS: 2})
    notes = [term.note for term in (await installation.look()).terms if term.cost]
    assert [note and note.endswith("UTC: MailUnavailable: no route.") for note in notes] == [True]
    await installation.work.tell_breaker("send-email", is_open=False)
    await installation.comes_to_cost({})


async def test_a_paused_type_costs_a_little_until_it_is_resumed(installation: Installation) -> None:
    await installation.work.pool.execute("INSERT INTO jobs.paused_types (type, actor) VALUES ('send-email', 'ops')")
    await installation.comes_to_cost({TermName.PAUSED: 1})
    await installation.work.pool.execute("DELETE FROM jobs.paused_types")
    await installation.comes_to_cost({})


async def test_dead_letters_of_no_job_cost_until_they_are_dealt_with(installation: Installation) -> None:
    await installation.work.dead_letter()
    await installation.comes_to_cost({TermName.DEAD_LETTERS: 1})
    await installation.work.pool.execute("DELETE FROM jobs.dead_letters")
    await installation.comes_to_cost({})


async def test_an_event_of_the_ledger_unsent_for_long_costs(installation: Installation) -> None:
    async with transaction(installation.work.pool) as conn:
        await Outbox("jobs").add(conn, JobsChanged(types=("send-email",)))
    await installation.work.pool.execute("UPDATE jobs.outbox SET created_at = now() - interval '5 minutes'")
    await installation.comes_to_cost({TermName.JOBS_OUTBOX: 3})
    await installation.work.pool.execute("UPDATE jobs.outbox SET sent_at = now()")
    await installation.comes_to_cost({})


async def test_the_score_is_told_to_prometheus(installation: Installation) -> None:
    async def told(score: int) -> bool:
        await HealthFigures(installation.monitoring()).refresh()
        return f"souk_health_score {score}.0" in generate_latest().decode()

    await eventually(lambda: told(100), 15)
    await installation.scheduler.go()
    await eventually(lambda: told(95), 15)
    assert 'souk_health_cost{term="scheduler"} 5.0' in generate_latest().decode()


async def test_caches_that_answer_little_cost(installation: Installation) -> None:
    installation.caches["product"] = CacheCounts(hits=100, misses=1900)
    await installation.comes_to_cost({TermName.CACHE: 5})
    installation.caches["product"] = CacheCounts(hits=1800, misses=200)
    await installation.comes_to_cost({})


async def test_a_database_that_does_not_answer_in_time_is_not_waited_for(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usecases, "LOOK_SECONDS", 0.3)
    async with installation.catalog.acquire() as conn, conn.transaction():
        await conn.execute("LOCK TABLE catalog.outbox IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(20):
            await installation.comes_to_cost({TermName.DATABASE: 15, TermName.OUTBOX: 10})
    monkeypatch.undo()
    await installation.comes_to_cost({})


async def test_a_service_that_takes_too_long_is_not_waited_for(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "ANSWER_SECONDS", 0.3)
    async with installation.work.pool.acquire() as conn, conn.transaction():
        await conn.execute("LOCK TABLE jobs.counters IN ACCESS EXCLUSIVE MODE")
        await installation.comes_to_cost({TermName.JOBS_SERVICE: 10})
    monkeypatch.undo()
    await installation.comes_to_cost({})


async def test_a_broker_that_is_away_costs_and_so_does_a_relay_that_is_silent(
    installation: Installation, vhost: Vhost
) -> None:
    topology = build(())
    async with AsyncExitStack() as stack:
        way = await stack.enter_async_context(fault_proxy(vhost.amqp_url))
        relay = await stack.enter_async_context(open_broker(vhost.amqp_url, name="relay"))
        gateway = await stack.enter_async_context(open_broker(way.url, name="gateway"))
        await stack.enter_async_context(keeping_topology(relay.consuming, topology))
        stream = EventStream(
            gateway.consuming,
            EVENT_STREAM,
            topology=topology,
            epochs=MemoryEpochs(),
            heartbeat=OutboxDrained,
            live_seconds=1.0,
        )
        await stack.enter_async_context(background(stream.run(), name="stream"))
        installation.stream = stream

        async def beat() -> None:
            event = OutboxDrained()
            envelope = wrap(
                event, identifier=new_id(), kind=event.type, source="catalog", subject=event.subject, time=utc_now()
            )
            await relay.publisher.publish(envelope, exchange=EVENTS, routing_key=event.type)

        async def noted() -> str | None:
            terms = {term.name: term for term in (await installation.look()).terms}
            return terms[TermName.EVENT_STREAM].note

        async with background(every(0.2, beat), name="heartbeat"):
            await installation.comes_to_cost({})
            way.cut()

            async def away() -> bool:
                return await noted() == "The broker does not answer."

            await eventually(away, 10)
            await installation.comes_to_cost({TermName.EVENT_STREAM: 15})
            await way.join()
            await installation.comes_to_cost({})

        async def silent() -> bool:
            return await noted() == "The relay's heartbeat does not come."

        await eventually(silent, 10)
        await installation.comes_to_cost({TermName.EVENT_STREAM: 15})
        async with background(every(0.2, beat), name="heartbeat"):
            await installation.comes_to_cost({})
