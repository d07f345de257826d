"""The health score of a real stack: it falls within 15 s of each fault, says why, and is 100 again once that is healed.

API and metric have to show the same number each time they are looked at.
"""

import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

import aiohttp
import asyncpg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.catalog.monitoring.models import TermName
from shared.ids import new_id
from shared.messaging.topology import EVENTS
from tests.e2e.marketplace import Shop
from tests.eventually import eventually
from tests.faults.stand import Stand
from tests.faults.table import TOLERANCE

STATED_SECONDS: Final = 15.0
LOOK_SECONDS: Final = 5.0
"""What looking itself may take on a busy machine."""
FIVE_MINUTES_AGO: Final = "now() - interval '5 minutes'"

Costs = Mapping[str, int]
Injected = Callable[[Stand, Shop], AbstractAsyncContextManager[None]]
"""The fault is there while the block runs, and healed after it."""


@dataclass(frozen=True)
class Case:
    """A fault, and the terms that have to cost something for it."""

    name: str
    injected: Injected
    terms: frozenset[TermName]
    is_quick: bool = False


# -- processes and servers ---------------------------------------------------------------------------


def stopped(process: str) -> Injected:
    """The process stands still."""

    @asynccontextmanager
    async def injected(stand: Stand, _: Shop) -> AsyncIterator[None]:
        with stand.held(stand.process(process).pid):
            yield

    return injected


def killed(process: str) -> Injected:
    """The process is gone, and its supervisor does not look."""

    @asynccontextmanager
    async def injected(stand: Stand, _: Shop) -> AsyncIterator[None]:
        with stand.held(stand.run.supervisor):
            stand.kill(process)
            yield
        await stand.all_ready()

    return injected


@asynccontextmanager
async def broker_away(stand: Stand, _: Shop) -> AsyncIterator[None]:
    """The broker is gone."""
    with stand.held(stand.run.supervisor):
        pid = stand.server_pid("rabbitmq")
        stand.kill_server("rabbitmq")
        yield
    await stand.server_back("rabbitmq", pid)


@asynccontextmanager
async def mail_server_away(stand: Stand, shop: Shop) -> AsyncIterator[None]:
    """Nobody takes mail, and there is one to be sent: the breaker of its type opens."""
    [sink] = stand.run.helpers
    assert sink.pid is not None
    with stand.held(stand.run.supervisor):
        os.kill(sink.pid, signal.SIGKILL)
        await shop.submit()
        yield


# -- the database ------------------------------------------------------------------------------------


@asynccontextmanager
async def at_database(stand: Stand) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    conn = await stand.database()
    try:
        yield conn
    finally:
        await conn.close()


@asynccontextmanager
async def jobs_shut_out(stand: Stand, _: Shop) -> AsyncIterator[None]:
    """The database knows the jobs service no more."""
    async with at_database(stand) as conn:
        role = await conn.fetchval("SELECT current_database() || '_jobs'")
        await conn.execute(f"ALTER ROLE {role} NOLOGIN")
        await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", role)
        try:
            yield
        finally:
            await conn.execute(f"ALTER ROLE {role} LOGIN")


def locked(table: str) -> Injected:
    """Every statement on the table waits."""

    @asynccontextmanager
    async def injected(stand: Stand, _: Shop) -> AsyncIterator[None]:
        async with at_database(stand) as conn, conn.transaction():
            await conn.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield

    return injected


def unsent(schema: str, relay: str) -> Injected:
    """An event of five minutes ago has not gone out, and what would send it stands still."""

    @asynccontextmanager
    async def injected(stand: Stand, shop: Shop) -> AsyncIterator[None]:
        await shop.settled(await shop.submit(), pictures=0)
        with stand.held(stand.process(relay).pid):
            async with at_database(stand) as conn:
                await conn.execute(
                    f"UPDATE {schema}.outbox SET sent_at = NULL, claimed_until = NULL, created_at = {FIVE_MINUTES_AGO} "
                    f"WHERE seq = (SELECT max(seq) FROM {schema}.outbox)"
                )
            yield

    return injected


@asynccontextmanager
async def job_waiting(stand: Stand, shop: Shop) -> AsyncIterator[None]:
    """A job was published five minutes ago, and its worker has not begun it."""
    with stand.held(stand.process("reporting").pid):
        job = await shop.post_once("ops", "/api/admin/jobs/enqueue", json=REPORT)
        async with at_database(stand) as conn:

            async def published() -> bool:
                done = await conn.execute(
                    f"UPDATE jobs.jobs SET published_at = {FIVE_MINUTES_AGO} "
                    "WHERE id = $1 AND published_at IS NOT NULL",
                    job["id"],
                )
                return done == "UPDATE 1"

            await eventually(published, 20)
        yield


# -- what people can do ------------------------------------------------------------------------------


@asynccontextmanager
async def jobs_failing(_: Stand, shop: Shop) -> AsyncIterator[None]:
    """Many jobs have failed."""
    for _number in range(10):
        await shop.post_once("ops", "/api/admin/jobs/enqueue", json=HOPELESS)
    yield

    async def none_is_left() -> bool:
        stats = (await shop.get("ops", "/api/admin/jobs?action=stats"))["stats"]
        return not stats["pending"] + stats["processing"] + stats["retrying"]

    await eventually(none_is_left, TOLERANCE * STATED_SECONDS, every=0.2)  # else some fail after the history is cleared
    await shop.post_once("admin", "/api/admin/jobs", json={"action": "clear-history"})


@asynccontextmanager
async def type_paused(_: Stand, shop: Shop) -> AsyncIterator[None]:
    """An operator paused a type."""
    await shop.post_once("ops", "/api/admin/job-types/cleanup-cache/pause")
    yield
    await shop.post_once("ops", "/api/admin/job-types/cleanup-cache/resume")


@asynccontextmanager
async def letter_dead(stand: Stand, shop: Shop) -> AsyncIterator[None]:
    """A message came that nobody can read."""
    await stand.publish(EVENTS, "product.submitted", "{", {"delivery_mode": 2, "message_id": str(new_id())})
    yield
    await purged(shop)


async def purged(shop: Shop) -> None:
    """Throw away all dead letters."""
    letters = (await shop.get("admin", "/api/admin/dead-letters?limit=100"))["items"]
    for letter in letters:
        async with shop.http.delete(
            f"{shop.gateway}/api/admin/dead-letters/{letter['id']}", headers=shop.as_("admin")
        ) as answer:
            assert answer.status < 300, await answer.text()


REPORT: Final = {"type": "generate-report", "payload": {"report_type": "daily_metrics"}}
HOPELESS: Final = {"type": "generate-report", "payload": {"report_type": "horoscope"}, "max_attempts": 1}

CASES: Final = (
    Case("the relay stands still", stopped("relay"), frozenset({TermName.EVENT_STREAM}), is_quick=True),
    Case("the ledger stands still", stopped("ledger"), frozenset({TermName.WORKERS})),
    Case("the ledger is killed", killed("ledger"), frozenset({TermName.WORKERS})),
    Case("imaging is killed", killed("imaging"), frozenset({TermName.WORKERS}), is_quick=True),
    Case("the notifier is killed", killed("notifier"), frozenset({TermName.WORKERS})),
    Case("reporting is killed", killed("reporting"), frozenset({TermName.WORKERS})),
    Case("the catalog worker is killed", killed("catalog-worker"), frozenset({TermName.WORKERS})),
    Case("the jobs api is killed", killed("jobs-api"), frozenset({TermName.JOBS_SERVICE})),
    Case("the scheduler is killed", killed("scheduler"), frozenset({TermName.SCHEDULER})),
    Case("the broker is away", broker_away, frozenset({TermName.EVENT_STREAM})),
    Case("the mail server is away", mail_server_away, frozenset({TermName.BREAKERS})),
    Case("the database does not know jobs", jobs_shut_out, frozenset({TermName.JOBS_SERVICE})),
    Case("the database of jobs is slow", locked("jobs.counters"), frozenset({TermName.JOBS_SERVICE})),
    Case("the database of the catalog is slow", locked("catalog.outbox"), frozenset({TermName.DATABASE})),
    Case("an event of the catalog waits", unsent("catalog", "relay"), frozenset({TermName.OUTBOX})),
    Case("an event of the ledger waits", unsent("jobs", "ledger"), frozenset({TermName.JOBS_OUTBOX})),
    Case("a job waits", job_waiting, frozenset({TermName.WAITING})),
    Case("jobs fail", jobs_failing, frozenset({TermName.FAILURES})),
    Case("a type is paused", type_paused, frozenset({TermName.PAUSED})),
    Case("a message is dead", letter_dead, frozenset({TermName.DEAD_LETTERS})),
)


async def looked(stand: Stand, shop: Shop) -> tuple[int, Costs]:
    """Score and costs, as the API and the gateway's metric show them alike."""
    health = (await shop.get("ops", "/api/admin/monitoring"))["health"]
    async with shop.http.get(f"{stand.process('gateway').ops_url}/metrics") as answer:
        told = {
            (sample.name, sample.labels.get("term", "")): sample.value
            for family in text_string_to_metric_families(await answer.text())
            for sample in family.samples
        }
    assert told["souk_health_score", ""] == health["score"], "API and metric were asked one after the other"
    costs = {term["name"]: term["cost"] for term in health["terms"]}
    assert {name: told["souk_health_cost", name] for name in costs} == costs
    return health["score"], {name: cost for name, cost in costs.items() if cost}


async def is_well(stand: Stand, shop: Shop) -> bool:
    score, costs = await looked(stand, shop)
    assert score == 100, costs
    return True


async def costs_for(terms: frozenset[TermName], stand: Stand, shop: Shop) -> Costs | None:
    score, costs = await looked(stand, shop)
    assert score == 100 - sum(costs.values())
    return costs if terms <= costs.keys() else None


@pytest.fixture
async def shop(stand: Stand) -> AsyncIterator[Shop]:
    """The people of the stand, on which nothing is wrong that other tests left behind."""
    await stand.all_ready()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http:
        shop = Shop(stand, http)
        await shop.post_once("admin", "/api/admin/jobs", json={"action": "clear-history"})
        await purged(shop)
        await eventually(partial(is_well, stand, shop), TOLERANCE * STATED_SECONDS, every=0.2)
        yield shop


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.name, marks=[] if case.is_quick else [pytest.mark.long]) for case in CASES],
)
async def test_the_score_falls_with_the_fault_and_is_whole_once_it_is_healed(
    case: Case, stand: Stand, shop: Shop
) -> None:
    async with case.injected(stand, shop):
        await eventually(partial(costs_for, case.terms, stand, shop), STATED_SECONDS + LOOK_SECONDS, every=0.2)
    await eventually(partial(is_well, stand, shop), TOLERANCE * STATED_SECONDS, every=0.2)


def test_every_term_but_the_cache_is_made_to_cost_by_some_fault() -> None:
    covered = frozenset[TermName]().union(*(case.terms for case in CASES))
    assert frozenset(TermName) - covered == {TermName.CACHE}
