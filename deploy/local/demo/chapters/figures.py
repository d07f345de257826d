"""At the end: every job of the story, and what each process counted of its own work."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from deploy.local.catalogue.filling import FillingFailed, pictures_ready
from deploy.local.demo.people import DemoFailed
from deploy.local.demo.stage import Stage, check, words
from shared.ids import time_of


async def jobs(stage: Stage) -> None:
    """All of the story's jobs are completed, and every picture of the catalogue is ready."""

    async def settled() -> list[dict[str, Any]] | None:
        page = await stage.ops.get("/api/admin/jobs/list?limit=100", quiet=True)
        ours = [job for job in page["items"] if _is_of_the_story(job, stage)]
        return ours if ours and all(job["finished_at"] for job in ours) else None

    found = await stage.until("every job is finished", settled)
    stage.show.jobs(sorted(found, key=lambda job: str(job["created_at"])))
    unfinished = [job for job in found if job["state"] != "completed"]
    check(not unfinished, f"{len(unfinished)} jobs did not complete, the first: {unfinished[:1]}")
    try:
        await pictures_ready(stage.run)
    except FillingFailed as failed:
        raise DemoFailed(str(failed)) from failed
    stage.show.fact("imaging", f"every picture of the {len(stage.seeded)} products is ready")
    stats = (await stage.ops.get("/api/admin/jobs?action=stats"))["stats"]
    stage.show.fact("ledger", words(stats))


def _is_of_the_story(job: Mapping[str, Any], stage: Stage) -> bool:
    """A job's id carries the time of its cause: what the seeded catalogue caused came before."""
    return time_of(UUID(job["id"])) >= stage.begun_at.replace(microsecond=stage.begun_at.microsecond // 1000 * 1000)


async def processes(stage: Stage) -> None:
    """A figure of each process's own, read from its metrics: nothing is said here that it did not count itself."""
    rows = [
        (process.name, process.pid or 0, await _what_it_did(stage, process.name, process.ops_url))
        for process in stage.run.processes
    ]
    stage.show.processes(rows)


async def _what_it_did(stage: Stage, name: str, ops_url: str) -> str:
    async with stage.http.get(f"{ops_url}/metrics") as response:
        metrics = _parsed(await response.text())
    for metric, sentence in _DEEDS[name]:
        count = sum(value for key, value in metrics.items() if key.startswith(metric))
        if count:
            return sentence.format(round(count))
    raise DemoFailed(f"{name} has done nothing: none of {[metric for metric, _ in _DEEDS[name]]} is counted")


_DEEDS: Mapping[str, Sequence[tuple[str, str]]] = {
    "gateway": [("souk_http_request_seconds_count", "answered {} requests")],
    "relay": [("souk_outbox_relayed_total", "published {} of the catalog's events")],
    "catalog-worker": [("souk_job_attempts_total", "ran {} jobs, and put the renditions into the catalogue")],
    "jobs-api": [("souk_http_request_seconds_count", "answered {} questions about jobs")],
    "ledger": [("souk_jobs_dispatched_total", "made {} jobs of events, and recorded how they went")],
    "notifier": [("souk_job_attempts_total", "tried {} times to send a mail or a notification")],
    "imaging": [("souk_job_attempts_total", "rendered {} pictures")],
    "reporting": [("souk_job_attempts_total", "built {} reports")],
    "scheduler": [("souk_outbox_relayed_total", "emitted {} ticks")],
}


def _parsed(metrics: str) -> dict[str, float]:
    lines = (line for line in metrics.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}
