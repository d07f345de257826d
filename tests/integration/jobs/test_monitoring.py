"""What the jobs api tells of workers and of how the work goes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from services.jobs.parts import make_ledger
from services.jobs.rescue.store import RescueStore
from services.jobs.usecases import JobsDesk
from shared.clock import utc_now
from shared.contracts import jobs
from shared.contracts.reports import HeldAttempt, Outcome, WorkerSeen
from shared.db.pool import Pool
from shared.ids import new_id
from shared.messaging.topology import WORK_BY_TYPE
from tests.integration.jobs.test_routes import OPS, VENDOR, Api, api

__all__ = ["api"]


async def see(pool: Pool, worker: str, *types: str, held: UUID | None = None) -> None:
    attempts = () if held is None else (HeldAttempt(job_id=held, fence=1, attempt=1),)
    async with pool.acquire() as conn:
        await RescueStore(make_ledger()).see_worker(
            conn, WorkerSeen(worker=worker, version="1.2", types=types, held=attempts)
        )


async def health(api: Api) -> dict[str, Any]:
    answer = await api.call("GET", "/api/admin/jobs?action=health", by=OPS)
    assert answer["success"] is True
    found: dict[str, Any] = answer["health"]
    return found


async def test_workers_are_listed_with_what_they_hold(api: Api) -> None:
    assert await api.call("GET", "/api/admin/workers", by=OPS) == {"items": [], "next": None}
    held = new_id()
    await see(api.pool, "notifier-1", "send-email", "send-notification")
    await see(api.pool, "imaging-1", "process-image", held=held)
    imaging, notifier = (await api.call("GET", "/api/admin/workers"))["items"]
    assert (imaging["worker"], imaging["version"], imaging["types"]) == ("imaging-1", "1.2", ["process-image"])
    assert (imaging["held"], notifier["held"]) == ([str(held)], [])
    assert abs((utc_now() - datetime.fromisoformat(notifier["seen_at"])).total_seconds()) < 60
    await api.pool.execute("UPDATE jobs.workers SET seen_at = now() - interval '11 min' WHERE worker = 'imaging-1'")
    assert [each["worker"] for each in (await api.call("GET", "/api/admin/workers"))["items"]] == ["notifier-1"]
    for path in ("/api/admin/workers", "/api/admin/jobs?action=health"):
        await api.call("GET", path, by=VENDOR, status=403)


async def test_every_type_has_its_workers_counted_while_they_are_heard_of(api: Api) -> None:
    assert (await health(api))["active_workers"] == dict.fromkeys(WORK_BY_TYPE, 0)
    await see(api.pool, "notifier-1", "send-email", "send-notification")
    await see(api.pool, "notifier-2", "send-email")
    counted = (await health(api))["active_workers"]
    assert (counted["send-email"], counted["send-notification"], counted["process-image"]) == (2, 1, 0)
    await api.pool.execute(
        "UPDATE jobs.workers SET seen_at = now() - interval '14 seconds' WHERE worker = 'notifier-1'"
    )
    counted = (await health(api))["active_workers"]
    assert (counted["send-email"], counted["send-notification"]) == (1, 0)


async def test_the_oldest_waiting_job_of_a_type_is_timed(api: Api) -> None:
    assert (await health(api))["oldest_waiting_seconds"] == dict.fromkeys(WORK_BY_TYPE, 0.0)
    published, unpublished = await api.job(), await api.job(job=jobs.CleanupCache())
    await api.job(Outcome.STARTED)
    await api.job(Outcome.COMPLETED)
    await api.pool.execute("UPDATE jobs.jobs SET published_at = now() - interval '90 s' WHERE id = $1", UUID(published))
    await api.pool.execute(
        "UPDATE jobs.jobs SET published_at = NULL, created_at = now() - interval '50 s' WHERE id = $1",
        UUID(unpublished),
    )
    await api.pool.execute("UPDATE jobs.jobs SET published_at = now() - interval '1 h' WHERE state = 'processing'")
    waiting = (await health(api))["oldest_waiting_seconds"]
    assert 90 <= waiting["check-low-stock"] < 120
    assert 50 <= waiting["cleanup-cache"] < 80
    assert not any(waiting[kind] for kind in WORK_BY_TYPE.keys() - {"check-low-stock", "cleanup-cache"})


async def test_jobs_of_a_paused_type_wait_on_purpose(api: Api) -> None:
    await api.job()
    await api.pool.execute("UPDATE jobs.jobs SET published_at = now() - interval '1 h'")
    assert (await health(api))["oldest_waiting_seconds"]["check-low-stock"] > 3000
    await api.pool.execute("INSERT INTO jobs.paused_types (type, actor) VALUES ('check-low-stock', 'ops')")
    assert (await health(api))["oldest_waiting_seconds"]["check-low-stock"] == 0


async def test_a_job_retried_by_hand_waits_since_then_and_not_since_it_was_made(api: Api, desk: JobsDesk) -> None:
    job_id = await api.job(Outcome.FAILED)
    await api.pool.execute("UPDATE jobs.jobs SET created_at = now() - interval '1 day'")
    await api.pool.execute("UPDATE jobs.history SET at = now() - interval '1 day'")
    await desk.retry(UUID(job_id), by=OPS, request_id=None)
    assert (await health(api))["oldest_waiting_seconds"]["check-low-stock"] < 30


async def test_jobs_that_ended_within_the_hour_are_counted(api: Api) -> None:
    old = await api.job(Outcome.FAILED)
    await api.pool.execute("UPDATE jobs.jobs SET finished_at = now() - interval '61 minutes' WHERE id = $1", UUID(old))
    for outcome in (Outcome.FAILED, Outcome.COMPLETED, Outcome.COMPLETED, Outcome.CANCELLED, Outcome.STARTED):
        await api.job(outcome)
    found = await health(api)
    assert (found["finished_last_hour"], found["failed_last_hour"]) == (3, 1)
