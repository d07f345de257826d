"""A store that goes away pauses its type in every worker, burns no attempt, and is tried by one worker with one job."""

from collections import Counter
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

import services.jobs.breakers.store
import shared.messaging.working
from services.jobs.models import JobState
from shared.blobs import Blobs, ObjectStoreDown, open_blobs
from shared.contracts import jobs
from shared.errors import DependencyDown
from shared.messaging.attempt import Attempt, HandlerTable
from shared.messaging.subscription import Subscription
from tests.eventually import eventually
from tests.integration.jobs.conftest import Marketplace
from tests.integration.jobs.test_rescue import one_job, picture

PICTURES = 12


async def test_a_store_that_is_away_burns_no_attempt_and_work_resumes_by_itself(
    marketplace: Marketplace, tmp_path: Path
) -> None:
    root, away = tmp_path / "blobs", tmp_path / "away"
    refused: Counter[str] = Counter()

    async def process(job: jobs.ProcessImage, attempt: Attempt, *, worker: str, blobs: Blobs) -> dict[str, int]:
        try:
            await blobs.put(f"renditions/{attempt.job_id}.webp", b"picture")
        except ObjectStoreDown:
            refused[worker] += 1
            raise
        return {"attempt": attempt.number}

    async with AsyncExitStack() as stack:
        blobs = await stack.enter_async_context(open_blobs(root.as_uri()))
        subscriptions: list[Subscription] = []
        for worker in ("one", "other"):
            handler = partial(process, worker=worker, blobs=blobs)
            subscriptions += await stack.enter_async_context(
                marketplace.working({jobs.ProcessImage: handler}, worker=worker)
            )
        root.rename(away)
        causes = [await marketplace.publish(picture()) for _ in range(PICTURES)]

        async def is_told() -> bool:
            return await marketplace.count("SELECT count(*) FROM jobs.breakers WHERE is_open") == 1

        await eventually(is_told, 20)
        await eventually(marketplace.controls_are_sent)
        await eventually(lambda: all(each.is_paused for each in subscriptions), 20)
        at_first = Counter(refused)

        def was_tried_thrice() -> bool:
            return (refused - at_first).total() >= 3

        await eventually(was_tried_thrice, 40)
        assert len(refused - at_first) == 1, "one worker tries for both"
        assert (await marketplace.desk.stats())["failed"] == 0

        away.rename(root)
        done = [await one_job(marketplace, cause, JobState.COMPLETED, timeout=60) for cause in causes]
        await eventually(lambda: not any(each.is_paused for each in subscriptions), 20)

        async def is_over() -> bool:
            return await marketplace.count("SELECT count(*) FROM jobs.breakers WHERE is_open") == 0

        await eventually(is_over, 20)

    assert [shown.job.result for shown in done] == [{"attempt": 1}] * PICTURES
    outcomes = {line.entry.outcome for shown in done for line in shown.history}
    assert outcomes <= {"started", "postponed", "completed"}
    assert "postponed" in outcomes
    assert await marketplace.count("SELECT count(*) FROM jobs.type_history WHERE what = 'breaker_opened'") >= 1
    assert await marketplace.count("SELECT count(*) FROM jobs.type_history WHERE what = 'breaker_closed'") >= 1


async def test_another_worker_tries_when_the_one_that_did_is_gone(
    marketplace: Marketplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.jobs.breakers.store, "GONE_SECONDS", 3.0)
    monkeypatch.setattr(shared.messaging.working, "IDLE_SEEN_SECONDS", 0.5)
    is_away = True
    tries: Counter[str] = Counter()

    async def process(job: jobs.ProcessImage, attempt: Attempt, *, worker: str) -> dict[str, int]:
        tries[worker] += 1
        if is_away:
            raise DependencyDown("It is away.")
        return {"attempt": attempt.number}

    async def prober() -> str:
        return str(await marketplace.pool.fetchval("SELECT worker FROM jobs.breakers WHERE is_open")).partition("@")[0]

    async with AsyncExitStack() as stack:
        workers = {name: await stack.enter_async_context(AsyncExitStack()) for name in ("one", "other")}
        for name, its_stack in workers.items():
            handlers: HandlerTable = {jobs.ProcessImage: partial(process, worker=name)}
            await its_stack.enter_async_context(marketplace.working(handlers, worker=name))
        causes = [await marketplace.publish(picture()) for _ in range(PICTURES)]

        async def is_named() -> bool:
            return await prober() in workers

        await eventually(is_named, 20)
        gone = await prober()
        [left] = workers.keys() - {gone}
        await workers[gone].aclose()

        async def is_handed_on() -> bool:
            return await prober() == left

        await eventually(is_handed_on, 20)
        before = tries[left]
        await eventually(lambda: tries[left] > before, 20)
        late: HandlerTable = {jobs.ProcessImage: partial(process, worker="late")}
        [subscription] = await stack.enter_async_context(marketplace.working(late, worker="late"))
        assert subscription.is_paused, "a worker that starts finds the breaker open"
        assert tries["late"] == 0
        is_away = False
        done = [await one_job(marketplace, cause, JobState.COMPLETED, timeout=60) for cause in causes]
    assert [shown.job.result for shown in done] == [{"attempt": 1}] * PICTURES
    handed = await marketplace.count("SELECT count(*) FROM jobs.type_history WHERE what = 'breaker_handed_over'")
    assert handed == 1
