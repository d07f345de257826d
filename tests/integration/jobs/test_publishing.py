"""What is claimed to be published, when nobody knows whether it is."""

from uuid import UUID

import pytest

from services.jobs.models import NewJob, Order, new_job
from services.jobs.partitions import Partitions
from services.jobs.parts import make_ledger
from services.jobs.publishing import JobPublisher
from shared.clock import utc_now
from shared.contracts import jobs
from shared.db.pool import Connection, open_pool
from shared.errors import Unavailable
from shared.ids import new_id
from shared.messaging.publisher import Publisher
from shared.messaging.work import JobMessage
from tests.faults.proxy import COMMITTED, FaultProxy, Toward, fault_proxy
from tests.servers import Database


async def test_what_the_lost_answer_to_a_commit_left_claimed_is_published_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[UUID] = []

    async def note(message: JobMessage, _: Publisher) -> None:
        published.append(message.envelope.id)

    monkeypatch.setattr(JobMessage, "publish", note)
    job = new_job(Order(jobs.CleanupCache(), target="cache"), cause=new_id(), cause_type="test", caused_at=utc_now())
    async with fault_proxy(database.url("jobs")) as way, open_pool(way.url, name="test") as pool:
        await Partitions(pool, utc_now).ensure_for([job.id])
        ledger = make_ledger()
        publisher = JobPublisher(pool, Publisher(pytest.fail), ledger)

        async def insert(conn: Connection) -> list[NewJob]:
            return [job] if await ledger.insert(conn, [job]) else []

        trap = way.at(COMMITTED, Toward.CLIENT, FaultProxy.reset)
        with pytest.raises(Unavailable):
            await publisher.claimed(insert)
        assert trap.sprung.is_set()
        assert await publisher.claimed(insert) == [], "it is there, and claimed"
        assert await publisher.run_once() == 1
        assert await publisher.run_once() == 0
    assert published == [job.id]
