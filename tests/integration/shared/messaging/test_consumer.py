"""Working jobs on a real broker, through everything that can happen to link, channel, queue, message and handler."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from aio_pika.abc import AbstractChannel
from aiormq.channel import Channel as Underlay
from pamqp.commands import Basic
from prometheus_client import REGISTRY

from shared.clock import utc_now
from shared.contracts import jobs
from shared.contracts.reports import AttemptReport, Outcome
from shared.errors import InvalidInput, Unavailable
from shared.messaging.attempt import Attempt
from shared.messaging.topology import CHECK_LOW_STOCK
from tests.eventually import eventually
from tests.integration.shared.messaging.conftest import Bench, a_job

QUEUE = CHECK_LOW_STOCK.name


class Handler:
    """Notes the attempts it is given, in order."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []

    async def __call__(self, job: jobs.CheckLowStock, attempt: Attempt) -> object:
        self.attempts.append(attempt)
        return {"attempt": attempt.number}

    @property
    def ids(self) -> list[UUID]:
        return [attempt.job_id for attempt in self.attempts]


@pytest.fixture
def handler() -> Handler:
    return Handler()


async def _has_seen(handler: Handler, *ids: UUID) -> None:
    await eventually(lambda: set(ids) <= set(handler.ids), 20)


async def test_a_job_is_done_reported_and_acknowledged(bench: Bench, handler: Handler) -> None:
    job_id = await bench.order()
    async with bench.working({jobs.CheckLowStock: handler}):
        [report] = await bench.reported(1)
    assert (report.job_id, report.outcome, report.attempt, report.result) == (
        job_id,
        Outcome.COMPLETED,
        1,
        {"attempt": 1},
    )
    assert bench.taken(QUEUE) == []


def waits(priority: int) -> tuple[float, float]:
    """How many jobs of a priority waited, and how long all of them together, in seconds."""
    labels = {"type": jobs.CheckLowStock.type, "priority": str(priority)}
    count, total = (
        REGISTRY.get_sample_value(f"souk_job_wait_seconds_{each}", labels) or 0.0 for each in ("count", "sum")
    )
    return count, total


def consumers() -> tuple[float | None, float | None]:
    """How many consumers there should be on the queue, and how many there are."""
    expected, there = (REGISTRY.get_sample_value(f"souk_consumers{end}", {"queue": QUEUE}) for end in ("_expected", ""))
    return expected, there


async def test_how_long_jobs_waited_to_be_begun_and_who_consumes_is_told(bench: Bench, handler: Handler) -> None:
    before = waits(4)
    made_late = a_job(jobs.CheckLowStock(), priority=4)
    long_ago = made_late.envelope.model_copy(update={"time": utc_now() - timedelta(hours=1)})
    await replace(made_late, envelope=long_ago).publish(bench.broker.publisher)
    await bench.order(priority=4, attempt=2)
    async with bench.working({jobs.CheckLowStock: handler}) as [subscription]:
        await bench.reported(2)
        assert consumers() == (1, 1)
        await subscription.pause()
        assert consumers() == (0, 0)
    count, seconds = (after - earlier for after, earlier in zip(waits(4), before, strict=True))
    assert count == 1
    assert seconds < 600


async def test_the_more_urgent_job_is_done_first(bench: Bench, handler: Handler) -> None:
    late = [await bench.order(priority=5) for _ in range(3)]
    urgent = await bench.order(priority=1)
    async with bench.working({jobs.CheckLowStock: handler}):
        await _has_seen(handler, *late)
    assert handler.ids == [urgent, *late]


async def test_a_queue_that_is_deleted_under_a_worker_is_declared_and_consumed_again(
    bench: Bench, handler: Handler
) -> None:
    async with bench.working({jobs.CheckLowStock: handler}) as [subscription]:
        await eventually(lambda: subscription.is_consuming)
        bench.delete_queue(QUEUE)
        await eventually(lambda: not subscription.is_consuming)
        await eventually(lambda: subscription.is_consuming)
        await _has_seen(handler, await bench.order())


async def test_a_channel_that_the_broker_closes_is_opened_anew(
    bench: Bench, handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels: list[Underlay] = []
    open_channel = bench.broker.consuming.open_channel

    async def noting(*, confirms: bool) -> tuple[AbstractChannel, Underlay]:
        channel, underlay = await open_channel(confirms=confirms)
        channels.append(underlay)
        return channel, underlay

    monkeypatch.setattr(bench.broker.consuming, "open_channel", noting)
    async with bench.working({jobs.CheckLowStock: handler}):
        await _has_seen(handler, await bench.order())
        standing = [channel for channel in channels if not channel.is_closed]
        for channel in standing:
            await channel.basic_ack(10**6)  # of no delivery: the broker closes the channel for it
        await eventually(lambda: all(channel.is_closed for channel in standing))
        assert standing
        await _has_seen(handler, await bench.order())


async def test_a_connection_the_broker_closes_loses_no_job(bench: Bench) -> None:
    done: Counter[UUID] = Counter()

    async def slow(job: jobs.CheckLowStock, attempt: Attempt) -> None:
        await asyncio.sleep(0.03)
        done[attempt.job_id] += 1

    ordered = [await bench.order() for _ in range(100)]
    reports: list[AttemptReport] = []

    def all_are_told() -> bool:
        reports.extend(bench.reports())
        return {report.job_id for report in reports if report.outcome is Outcome.COMPLETED} == set(ordered)

    async with bench.working({jobs.CheckLowStock: slow}) as [subscription]:
        await eventually(lambda: len(done) > 3)
        assert await bench.lose_connections() >= 1
        await eventually(all_are_told, 30)
        await eventually(lambda: subscription.is_consuming)
    assert set(done) == set(ordered)
    assert all(report.attempt == 1 for report in reports)
    copies = {UUID(message["properties"]["message_id"]) for message in bench.taken(QUEUE)}
    assert len(copies) <= CHECK_LOW_STOCK.concurrency * 2, "only of what was in hand when the connection went"
    assert sum(done.values()) <= 100 + CHECK_LOW_STOCK.concurrency * 2


async def test_what_cannot_be_read_is_parked_with_its_reason_and_blocks_nobody(bench: Bench, handler: Handler) -> None:
    bad: dict[bytes, str] = {
        b"\xff": "no envelope",
        b"{}": "no envelope",
        _envelope("check-low-stock", "{}"): "souk-attempt",
        _envelope("cleanup-cache", "{}"): "in the queue of",
        _envelope("no-such-job", "{}"): "in the queue of",
        _envelope("check-low-stock", '{"due_at": 5}'): "due_at",
    }
    ours = {"souk-attempt": 1, "souk-max-attempts": 3, "souk-fence": 1, "souk-timeout-ms": 1000}
    for body, reason in bad.items():
        await bench.broker.publisher.publish_body(
            body,
            exchange="jobs",
            routing_key="check-low-stock.p2",
            properties=Basic.Properties(
                delivery_mode=2, priority=5, headers={} if reason == "souk-attempt" else dict(ours)
            ),
        )
    good = await bench.order()
    async with bench.working({jobs.CheckLowStock: handler}):
        await _has_seen(handler, good)
        await eventually(lambda: bench.taken(QUEUE) == [])
    parked = bench.taken(f"{QUEUE}.dead")
    told = {message["payload"]: message["properties"]["headers"]["souk-reason"] for message in parked}
    assert len(parked) == len(bad)
    for body, reason in bad.items():
        assert reason in told["/w==" if body == b"\xff" else body.decode()]
    assert handler.ids == [good]


async def test_a_handler_over_its_limit_is_told_as_a_timeout_and_tried_again(bench: Bench) -> None:
    async def endless(job: jobs.CheckLowStock, attempt: Attempt) -> None:
        if attempt.number == 1:
            await asyncio.Event().wait()

    await bench.order(timeout_ms=200)
    async with bench.working({jobs.CheckLowStock: endless}):
        reports = await bench.reported(3)
    assert [(report.outcome, report.attempt) for report in reports] == [
        (Outcome.STARTED, 1),
        (Outcome.RETRYING, 1),
        (Outcome.COMPLETED, 2),
    ]
    assert reports[1].error is not None
    assert reports[1].error.error_class == "AttemptTimeout"
    assert reports[1].error.message == "not done after 0.2 s"
    assert not reports[1].waits_in_ledger


async def test_a_timeout_of_the_handlers_own_is_no_timeout_of_the_attempt(bench: Bench) -> None:
    async def impatient(job: jobs.CheckLowStock, attempt: Attempt) -> None:
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()

    await bench.order(max_attempts=1)
    async with bench.working({jobs.CheckLowStock: impatient}):
        [report] = await bench.reported(1)
    assert report.outcome is Outcome.FAILED
    assert report.error is not None
    assert report.error.error_class == "TimeoutError"


async def test_a_handler_whose_dependency_was_cancelled_is_tried_again_and_not_for_ever(bench: Bench) -> None:
    runs = 0

    async def cancelled(job: jobs.CheckLowStock, attempt: Attempt) -> None:
        nonlocal runs
        runs += 1
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    await bench.order(max_attempts=2)
    async with bench.working({jobs.CheckLowStock: cancelled}):
        reports = await bench.reported(2)
    assert [report.outcome for report in reports] == [Outcome.RETRYING, Outcome.FAILED]
    assert runs == 2


async def test_what_no_retry_mends_is_parked_at_once_with_its_numbers(bench: Bench) -> None:
    async def refuse(job: jobs.CheckLowStock, attempt: Attempt) -> None:
        raise InvalidInput("no such picture\x00\ud800")

    await bench.order(fence=4)
    async with bench.working({jobs.CheckLowStock: refuse}):
        [report] = await bench.reported(1)
        [parked] = await eventually(lambda: bench.taken(f"{QUEUE}.dead"))
    assert (report.outcome, report.fence) == (Outcome.FAILED, 4)
    assert parked["properties"]["headers"]["souk-reason"] == "invalid_input"
    assert parked["properties"]["headers"]["souk-fence"] == 4


@pytest.mark.parametrize("seconds", [0.1, 90], ids=["shorter than the back-off", "longer"])
async def test_whoever_is_to_wait_is_said_in_the_report(bench: Bench, seconds: float) -> None:
    """Exactly one of broker and ledger must hold the next attempt: neither loses the job, both run it twice."""

    async def away(job: jobs.CheckLowStock, attempt: Attempt) -> None:
        raise Unavailable("away", retry_after_seconds=seconds)

    await bench.order()
    async with bench.working({jobs.CheckLowStock: away}):
        [report] = await bench.reported(1)
        assert report.waits_in_ledger is (seconds > 1)
    waiting = bench.taken(f"{QUEUE}.retry.1s")
    assert (len(waiting) == 1) is not report.waits_in_ledger


async def test_work_in_hand_finishes_within_the_grace_period(bench: Bench) -> None:
    begun, done = asyncio.Event(), asyncio.Event()

    async def half_a_second(job: jobs.CheckLowStock, attempt: Attempt) -> None:
        begun.set()
        await asyncio.sleep(0.5)
        done.set()

    await bench.order()
    async with bench.working({jobs.CheckLowStock: half_a_second}):
        await begun.wait()
        await bench.order()  # waits behind: not to be begun any more
    assert done.is_set()
    assert [report.outcome for report in await bench.reported(2)] == [Outcome.STARTED, Outcome.COMPLETED]
    assert len(bench.taken(QUEUE)) == 1


async def test_what_does_not_finish_is_handed_back_and_delivered_again_as_it_was(
    bench: Bench, handler: Handler
) -> None:
    begun = asyncio.Event()

    async def endless(job: jobs.CheckLowStock, attempt: Attempt) -> None:
        begun.set()
        await asyncio.Event().wait()

    job_id = await bench.order()
    async with bench.working({jobs.CheckLowStock: endless}, grace_seconds=0.2):
        await begun.wait()
    async with bench.working({jobs.CheckLowStock: handler}):
        await _has_seen(handler, job_id)
    assert [attempt.number for attempt in handler.attempts] == [1]


async def test_a_result_that_cannot_be_told_does_not_run_the_job_again(bench: Bench) -> None:
    runs = 0

    async def odd(job: jobs.CheckLowStock, attempt: Attempt) -> object:
        nonlocal runs
        runs += 1
        return object()

    await bench.order()
    async with bench.working({jobs.CheckLowStock: odd}):
        [report] = await bench.reported(1)
    assert report.outcome is Outcome.COMPLETED
    assert "result_not_kept" in str(report.result)
    assert (runs, bench.taken(QUEUE)) == (1, [])


async def test_a_worker_may_start_before_its_broker_has_anything(bench: Bench, handler: Handler) -> None:
    for queue in (QUEUE, "jobs.ledger"):
        bench.delete_queue(queue)
    async with bench.working({jobs.CheckLowStock: handler}) as [subscription]:
        await eventually(lambda: subscription.is_consuming)
        await _has_seen(handler, await bench.order())
        # Nobody takes its report yet: it is not acknowledged, and told again until somebody does.
        bench.vhost.management.call(
            "PUT",
            "queues",
            bench.vhost.name,
            "jobs.ledger",
            body={"durable": True, "arguments": {"x-queue-type": "quorum"}},
        )
        bench.vhost.management.call(
            "POST",
            "bindings",
            bench.vhost.name,
            "e",
            "jobs.reports",
            "q",
            "jobs.ledger",
            body={"routing_key": "report"},
        )
        assert [report.outcome for report in await bench.reported(1)] == [Outcome.COMPLETED]


def _envelope(kind: str, data: str) -> bytes:
    return (
        f'{{"specversion":"1.0","id":"019b7600-0000-7000-8000-000000000001","source":"x","type":"{kind}",'
        f'"time":"2026-01-01T00:00:00Z","data":{data}}}'
    ).encode()
