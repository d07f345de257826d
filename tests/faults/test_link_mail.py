"""Whatever becomes of the link to the mail server, each letter arrives: once, or with the same Message-ID and counted.

A ledger and a notifier run in the test's loop; a proxy is between them and a real SMTP server.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from deploy.local.ports import free_ports
from services.jobs import ledger
from services.jobs.models import JobState
from services.jobs.parts import make_desk
from services.jobs.settings import Settings as LedgerSettings
from services.jobs.usecases import JobRequest, JobsDesk, ShownJob
from services.notifier import app as notifier
from services.notifier.settings import Settings as NotifierSettings
from shared.db.pool import Pool, open_pool
from shared.ids import new_id
from shared.web.identity import Identity, Role
from tests.eventually import eventually
from tests.faults.proxy import FaultProxy, Toward, fault_proxy
from tests.integration.notifier import catalog as catalogs
from tests.integration.notifier.people import ADA, TO_ADMINS
from tests.integration.notifier.smtp_sink import Sink, serving
from tests.servers import Database, Vhost

pytestmark = pytest.mark.long
KEY: Final = "k" * 40
LETTERS: Final = 6
TAKEN: Final = re.compile(rb"250 2\.0\.0 kept\r\n")
"""How the server of this test answers a mail that it has taken, toward the client."""
END_OF_MAIL: Final = re.compile(rb"\r\n\.\r\n")
"""SMTP's end of a mail, toward the server: without it nothing was sent."""
MAIL_SECONDS: Final = 2.0
"""How long one mail may take here; 20 s in a real installation."""
_MESSAGE_ID: Final = re.compile(rb"^Message-ID: *(\S+)", re.IGNORECASE | re.MULTILINE)


@dataclass
class Post:
    """Where letters are entered, what arrived, and the way in between."""

    desk: JobsDesk
    jobs: Pool
    sink: Sink
    way: FaultProxy
    entered: list[UUID] = field(default_factory=list)

    async def enter(self, count: int) -> None:
        """Enter letters to the one admin there is."""
        by = Identity(new_id(), Role.OPS)
        for _ in range(count):
            asked = JobRequest(type="send-email", payload=TO_ADMINS.model_dump(mode="json"))
            self.entered.append((await self.desk.enqueue(asked, by=by, request_id=None)).shown.job.id)

    async def all_done(self, within_seconds: float = 60) -> list[ShownJob]:
        """Wait until every letter's job is completed."""

        async def done() -> list[ShownJob]:
            shown = [await self.desk.get(each) for each in self.entered]
            assert {each.job.state for each in shown} == {JobState.COMPLETED}
            return shown

        return await eventually(done, within_seconds, every=0.1)

    async def is_broken(self) -> bool:
        """Whether the ledger knows that the mail server is away."""
        return bool(await self.jobs.fetchval("SELECT count(*) FROM jobs.breakers WHERE is_open"))

    def copies(self) -> Counter[bytes]:
        """How many copies of each letter arrived, by Message-ID."""
        found = (_MESSAGE_ID.search(content) for _, content in self.sink.taken)
        return Counter(each[1] for each in found if each is not None)


def counted(outcome: str) -> float:
    """How many mails ended so, as the metric says."""
    return REGISTRY.get_sample_value("souk_mails_total", {"outcome": outcome}) or 0.0


@pytest.fixture
async def post(database: Database, vhost: Vhost) -> AsyncIterator[Post]:
    """Proven to work before the test begins."""
    ledger_ops, notifier_ops, notifier_http = free_ports(3)
    base: dict[str, Any] = {"amqp_url": vhost.amqp_url, "retry_tiers": "1s,2s", "grace_seconds": 2}
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        catalog = await enter(catalogs.running(catalogs.Catalog({"admins": [ADA]})))
        sink = await enter(serving(Sink()))
        way = await enter(fault_proxy(f"smtp://{sink.server.host}:{sink.server.port}"))
        ledgers = LedgerSettings.model_validate(
            {**base, "jobs_database_url": database.url("jobs"), "ops_port": ledger_ops, "http_port": 0}
        )
        notifiers = NotifierSettings.model_validate(
            {
                **base,
                "notifier_database_url": database.url("notifier"),
                "notifier_key": KEY,
                "catalog_url": catalog.url,
                "catalog_key": catalogs.KEY,
                "public_url": "https://souk.example.com",
                "mail_from": "Souk <souk@example.com>",
                "smtp_host": "127.0.0.1",
                "smtp_port": way.port,
                "smtp_tls": "none",
                "smtp_timeout_seconds": MAIL_SECONDS,
                "http_port": notifier_http,
                "ops_port": notifier_ops,
            }
        )
        await enter(ledger.running(ledgers))
        await enter(notifier.running(notifiers))
        jobs = await enter(open_pool(database.url("jobs"), name="test"))
        running = Post(make_desk(jobs, ledgers), jobs, sink, way)
        await running.enter(1)
        await running.all_done()
        yield running


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        pytest.param(FaultProxy.cut, FaultProxy.flow, id="away"),
        pytest.param(FaultProxy.stall, FaultProxy.flow, id="silent"),
    ],
)
async def test_a_server_that_goes_and_returns_costs_no_attempt_and_no_copy(
    post: Post, begin: Callable[[FaultProxy], None], end: Callable[[FaultProxy], None]
) -> None:
    begin(post.way)
    await post.enter(LETTERS)
    await eventually(post.is_broken, 30)
    refused = counted("unavailable")
    await eventually(lambda: counted("unavailable") >= refused + 2, 30)  # it was tried, and tried again
    assert (await post.desk.stats())["failed"] == 0
    end(post.way)
    await post.way.join()
    done = await post.all_done()
    assert {shown.job.attempt for shown in done} == {1}
    outcomes = {line.entry.outcome for shown in done for line in shown.history}
    assert {"postponed", "completed"} <= outcomes <= {"started", "postponed", "completed"}
    assert set(post.copies().values()) == {1}
    assert len(post.copies()) == LETTERS + 1
    await eventually(lambda: _is_mended(post), 20)


async def _is_mended(post: Post) -> bool:
    return not await post.is_broken()


@dataclass(frozen=True, slots=True)
class Loss:
    """Bytes that do not pass, since the link is reset in that moment; `copies` of that mail arrive in the end."""

    pattern: re.Pattern[bytes]
    toward: Toward
    copies: int


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(Loss(TAKEN, Toward.CLIENT, 2), id="the answer: it was sent"),
        pytest.param(Loss(END_OF_MAIL, Toward.SERVER, 1), id="the end: it was not"),
    ],
)
async def test_a_lost_answer_is_counted_and_a_copy_has_the_same_message_id(post: Post, loss: Loss) -> None:
    lost = counted("answer_lost")
    trap = post.way.at(loss.pattern, loss.toward, FaultProxy.reset)
    await post.enter(1)
    *_, done = await post.all_done()
    assert trap.sprung.is_set()
    assert counted("answer_lost") == lost + 1
    assert done.job.attempt == 2
    assert sorted(post.copies().values()) == sorted([1, loss.copies])


async def test_what_a_stall_holds_up_arrives_late_and_is_counted(post: Post) -> None:
    """The mail is on its way when nobody waits for its answer any more: its copy is the second one."""
    lost = counted("answer_lost")
    trap = post.way.at(END_OF_MAIL, Toward.SERVER, FaultProxy.stall)
    await post.enter(1)
    await trap.sprung.wait()
    await eventually(lambda: counted("answer_lost") == lost + 1, 30)
    post.way.flow()
    *_, done = await post.all_done()
    assert done.job.attempt == 2
    await eventually(lambda: sorted(post.copies().values()) == [1, 2], 20)
