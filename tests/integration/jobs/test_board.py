"""What the job board asks the jobs api: types at a glance, figures over time, a job's kin, bulk, queues."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from yarl import URL

from services.jobs.activity import store as activity
from services.jobs.activity.models import Span
from services.jobs.activity.schemas import activity_shown
from services.jobs.activity.usecases import ActivityDesk
from services.jobs.control.schemas import BulkBody
from services.jobs.control.store import ControlStore
from services.jobs.control.usecases import BulkAction, ControlDesk
from services.jobs.health.store import HealthStore
from services.jobs.listing.store import ListFilter
from services.jobs.models import JobState
from services.jobs.parts import make_ledger
from services.jobs.queues.management import open_management
from services.jobs.queues.models import Kind
from services.jobs.queues.usecases import QueueDesk
from services.jobs.settings import Settings
from services.jobs.usecases import JobRequest, JobsDesk
from shared import causes
from shared.clock import utc_now
from shared.contracts import jobs
from shared.contracts.events import ImageAdded
from shared.contracts.reports import Outcome
from shared.db.outbox import Outbox
from shared.db.pool import Pool
from shared.errors import InvalidInput
from shared.ids import new_id
from shared.messaging import topology
from shared.messaging.attempt import Attempt
from tests.eventually import eventually
from tests.integration.jobs.conftest import Marketplace
from tests.integration.jobs.recording import recorded
from tests.integration.jobs.test_rescue import one_job, picture
from tests.integration.jobs.test_routes import OPS, VENDOR, Api, api, report
from tests.servers import Vhost

__all__ = ["api"]


@dataclass(frozen=True)
class Board:
    """The desks behind the board."""

    control: ControlDesk
    activity: ActivityDesk
    pool: Pool


@pytest.fixture
def board(pool: Pool) -> Board:
    return Board(ControlDesk(pool, make_ledger(), ControlStore(), utc_now), ActivityDesk(pool, utc_now), pool)


async def test_types_are_told_at_a_glance(api: Api, board: Board) -> None:
    await api.job(Outcome.COMPLETED)
    await api.job(Outcome.RETRYING, Outcome.FAILED)
    await api.job(job=jobs.CleanupCache())
    await board.control.pause("cleanup-cache", by=OPS, request_id=None)
    found = {each["type"]: each for each in (await api.call("GET", "/api/admin/jobs/overview", by=OPS))["items"]}
    assert set(found) == set(topology.WORK_BY_TYPE)
    stock = found["check-low-stock"]
    assert (stock["counts"]["completed"], stock["counts"]["failed"], stock["counts"]["pending"]) == (1, 1, 0)
    assert (stock["last_hour"]["completed"], stock["last_hour"]["failed"], stock["last_hour"]["retried"]) == (1, 1, 1)
    assert found["cleanup-cache"]["counts"]["pending"] == 1
    assert found["cleanup-cache"]["paused"]["actor"].startswith("ops ")
    await api.call("GET", "/api/admin/jobs/overview", by=VENDOR, status=403)


async def test_what_became_of_jobs_is_counted_by_the_minute(api: Api, board: Board) -> None:
    for outcomes in [(Outcome.COMPLETED,), (Outcome.STARTED, Outcome.COMPLETED), (Outcome.RETRYING, Outcome.FAILED)]:
        await api.job(*outcomes)
    await api.job(Outcome.CANCELLED)
    await api.job()
    steps = await board.activity.over_time(Span.HOUR, job_type="check-low-stock")
    assert len(steps) == 60
    tally = steps[-1].tally
    tally.add(steps[-2].tally)  # the minute may have ended meanwhile
    assert (tally.completed, tally.failed, tally.cancelled, tally.retried) == (2, 1, 1, 1)
    assert tally.begun == 4  # the one that was cancelled had been begun
    assert (tally.attempts, tally.ran_ms, tally.longest_run_ms) == (4, 20, 5)
    assert 0 <= tally.waited_ms <= tally.longest_wait_ms * 4
    others = await board.activity.over_time(Span.DAY, job_type="send-email")
    assert (len(others), sum(step.tally.completed for step in others)) == (96, 0)


async def test_a_report_that_comes_twice_is_counted_once(api: Api, board: Board) -> None:
    job_id = await api.job(Outcome.COMPLETED)
    rows = await api.pool.fetch("SELECT sum(completed) AS completed, sum(attempts) AS attempts FROM jobs.activity")
    await api.pool.execute("DELETE FROM jobs.inbox")
    await recorded(api.recorder, [report(UUID(job_id), 1, Outcome.COMPLETED)])
    again = await api.pool.fetch("SELECT sum(completed) AS completed, sum(attempts) AS attempts FROM jobs.activity")
    assert rows == again


async def test_activity_over_http_has_means_and_every_step(api: Api, board: Board) -> None:
    await api.job(Outcome.COMPLETED)
    shown = activity_shown(Span.QUARTER_DAY, await board.activity.over_time(Span.QUARTER_DAY, job_type=None))
    assert (shown["step_seconds"], len(shown["items"])) == (300, 72)
    counted = [step for step in shown["items"] if step["completed"]]
    assert [(step["run_ms"], step["longest_run_ms"]) for step in counted] == [(5, 5)]
    assert shown["items"][0]["run_ms"] is None


async def test_old_figures_are_dropped(api: Api, board: Board) -> None:
    await api.job(Outcome.COMPLETED)
    await api.pool.execute("UPDATE jobs.activity SET minute = now() - interval '3 days'")
    await api.job(Outcome.COMPLETED)
    async with api.pool.acquire() as conn:
        await activity.forget(conn)
    assert await api.pool.fetchval("SELECT sum(completed) FROM jobs.activity") == 1


async def test_a_job_is_shown_whole_with_what_is_around_it(api: Api, desk: JobsDesk) -> None:
    cause = new_id()
    job_id = await api.job(Outcome.RETRYING, Outcome.FAILED, cause=cause)
    beside = await api.job(job=jobs.CleanupCache(), cause=cause)
    asked = JobRequest("check-low-stock", {}, copy_of=UUID(job_id))
    copy = await desk.enqueue(asked, by=OPS, request_id=None)
    await api.call("POST", f"/api/admin/jobs/{job_id}/retry", by=OPS)
    whole = await api.call("GET", f"/api/admin/jobs/{job_id}", by=OPS)
    assert [line["outcome"] for line in whole["history"]] == ["retrying", "failed", "copied", "retried_by_hand"]
    assert whole["history"][1]["error"] == {"class": "SmtpAway", "message": "no route"}
    assert whole["history"][3]["actor"].startswith("ops ")
    assert [each["id"] for each in whole["led_to"]] == [str(copy.shown.job.id)]
    assert [each["id"] for each in whole["beside"]] == [beside]
    assert (whole["cause_type"], whole["parent_job"]) == ("test", None)
    made = await api.call("GET", f"/api/admin/jobs/{copy.shown.job.id}", by=OPS)
    assert (made["parent"], made["parent_job"]["id"], made["beside"]) == (job_id, job_id, [])
    await api.call("GET", f"/api/admin/jobs/{new_id()}", by=OPS, status=404)
    await api.call("GET", f"/api/admin/jobs/{job_id}", by=VENDOR, status=403)


async def test_a_copy_belongs_to_whom_the_original_did(api: Api, desk: JobsDesk) -> None:
    vendor_id = new_id()
    original = await api.job(vendor_id=vendor_id)
    copy = await desk.enqueue(JobRequest("check-low-stock", {}, copy_of=UUID(original)), by=OPS, request_id=None)
    assert copy.shown.job.vendor_id == vendor_id
    with pytest.raises(InvalidInput) as refused:
        await desk.enqueue(JobRequest("check-low-stock", {}, copy_of=new_id()), by=OPS, request_id=None)
    assert [error.pointer for error in refused.value.errors] == ["/copy_of"]


async def test_what_a_handler_tells_is_known_to_come_from_its_job(marketplace: Marketplace) -> None:
    """Through the broker: the event of an attempt becomes a job that names the one behind it."""

    async def tells(job: jobs.ProcessImage, attempt: Attempt) -> None:
        assert causes.current_job() == attempt.job_id
        event = ImageAdded(product_id=new_id(), vendor_id=new_id(), image_id=new_id(), source="upload:x")
        if attempt.cause_id == first:
            async with marketplace.pool.acquire() as conn:
                await Outbox("jobs").add(conn, event)

    first = new_id()
    async with marketplace.working({jobs.ProcessImage: tells}):
        await marketplace.publish(picture(), event_id=first)
        parent = await one_job(marketplace, first, JobState.COMPLETED)

        async def led_to() -> Any:
            return (await marketplace.desk.whole(parent.job.id)).kin.led_to

        children = await eventually(led_to, 20)
        whole = await marketplace.desk.whole(children[0].id)
    assert whole.kin.parent is not None
    assert whole.kin.parent.id == parent.job.id
    assert causes.current_job() is None


async def test_many_are_counted_first_and_then_retried(api: Api, board: Board) -> None:
    failed = [await api.job(Outcome.FAILED) for _ in range(3)]
    cancelled, done = await api.job(Outcome.CANCELLED), await api.job(Outcome.COMPLETED)
    where = ListFilter(q="SmtpAway")
    counted = await bulk(board, BulkAction.RETRY, where)
    assert (counted.jobs, counted.is_dry_run, counted.is_all, counted.over_seconds) == (3, True, True, 0.3)
    assert (await api.stats())["failed"] == 3
    retried = await bulk(board, BulkAction.RETRY, where, is_dry_run=False)
    assert (retried.jobs, retried.is_dry_run) == (3, False)
    stats = await api.stats()
    assert (stats["failed"], stats["pending"], stats["cancelled"], stats["completed"]) == (0, 3, 1, 1)
    states = {row["id"]: row for row in await api.pool.fetch("SELECT id, fence, max_attempts, run_at FROM jobs.jobs")}
    assert {states[UUID(one)]["fence"] for one in failed} == {2}
    assert {states[UUID(one)]["fence"] for one in (cancelled, done)} == {1}
    assert len({states[UUID(one)]["run_at"] for one in failed}) == 3  # one after another
    lines = await api.pool.fetch("SELECT detail FROM jobs.audit WHERE action = 'jobs.retry'")
    assert [line["detail"] for line in lines] == [{"q": "SmtpAway", "jobs": 3}]


async def test_many_are_cancelled_and_those_that_run_are_asked(api: Api, board: Board) -> None:
    waiting, running = await api.job(), await api.job(Outcome.STARTED)
    other = await api.job(job=jobs.CleanupCache())
    counted = await bulk(board, BulkAction.CANCEL, ListFilter(type="check-low-stock"))
    assert counted.jobs == 2
    assert (await bulk(board, BulkAction.CANCEL, ListFilter(type="check-low-stock"), is_dry_run=False)).jobs == 2
    stats = await api.stats()
    assert (stats["cancelled"], stats["processing"], stats["pending"]) == (1, 1, 1)
    told = await api.pool.fetch("SELECT job_id FROM jobs.controls WHERE kind = 'cancel'")
    assert {str(row["job_id"]) for row in told} == {waiting, running}
    assert (await api.call("GET", f"/api/admin/jobs/{other}"))["state"] == "pending"


async def test_a_bulk_that_means_nothing_is_refused(api: Api, board: Board) -> None:
    assert (await bulk(board, BulkAction.CANCEL, ListFilter(state=JobState.COMPLETED))).jobs == 0
    with pytest.raises(ValueError, match="completed jobs cannot be told to retry"):
        BulkBody.model_validate_json('{"action": "retry", "state": "completed"}')
    with pytest.raises(ValueError, match="either q or cause"):
        BulkBody.model_validate_json(f'{{"action": "retry", "q": "abc", "cause": "{new_id()}"}}')


@pytest.fixture
async def queues(pool: Pool, settings: Settings, vhost: Vhost) -> AsyncIterator[QueueDesk]:
    sign_in = URL(vhost.amqp_url)
    url = str(URL(vhost.management.url).with_user(sign_in.user).with_password(sign_in.password))
    told = settings.model_copy(update={"management_url": SecretStr(url)})
    async with open_management(told) as opened:
        yield QueueDesk(pool, HealthStore(), opened, told)


async def test_queues_have_the_brokers_figures(marketplace: Marketplace, queues: QueueDesk, vhost: Vhost) -> None:
    await marketplace.publish(picture())

    async def are_known() -> bool:  # the management API counts every few seconds; probes wait behind the job
        found = {queue.name: queue.figures for queue in (await queues.all()).items}
        waiting, ledger = found["jobs.process-image"], found["jobs.ledger"]
        return waiting is not None and waiting.ready >= 1 and ledger is not None and ledger.consumers == 1

    await eventually(are_known, 60, every=0.5)
    told = await queues.all()
    by_name = {queue.name: queue for queue in told.items}
    assert told.problem is None
    assert told.pages == vhost.management.url
    assert by_name["jobs.process-image"].oldest_seconds is not None
    kinds: set[Kind] = {queue.kind for queue in told.items}
    assert kinds == {"work", "retry", "dead", "events", "reports", "stream"}


async def test_queues_are_told_without_the_broker_too(pool: Pool, settings: Settings) -> None:
    told = await QueueDesk(pool, HealthStore(), None, settings).all()
    assert told.problem is not None
    assert "SOUK_MANAGEMENT_URL" in told.problem
    assert all(queue.figures is None for queue in told.items)
    away = settings.model_copy(update={"management_url": SecretStr("http://u:p@127.0.0.1:9")})
    async with open_management(away) as management:
        found = await QueueDesk(pool, HealthStore(), management, away).all()
    assert (found.problem, found.pages) == ("RabbitMQ's management API does not answer.", "http://127.0.0.1:9")


async def bulk(board: Board, action: BulkAction, where: ListFilter, *, is_dry_run: bool = True) -> Any:
    return await board.control.bulk(action, where, per_second=10, is_dry_run=is_dry_run, by=OPS, request_id=None)
