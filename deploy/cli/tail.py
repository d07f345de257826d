"""Following jobs: what changed between two looks at the API, as lines."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from rich.text import Text

from deploy.cli.api import Api, Away, Json, Refused
from deploy.cli.shown import STATE_STYLES, duration, err, error_text, out

OPEN: Final = ("scheduled", "pending", "processing", "retrying")
ENDED: Final = ("completed", "failed", "cancelled")
KEPT_JOBS: Final = 5_000
ASKED_ALONE: Final = 25
"""Jobs that were open, are in no list any more, and are asked for by id at each look."""
MOST_PAGES: Final = 10


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that happened to a job: `what` is `made`, `attempt`, or the state it is in now."""

    at: str | None
    what: str
    note: str
    job: Json

    def as_json(self) -> Json:
        """The line of `--json`."""
        names = ("id", "type", "priority", "state", "attempt", "max_attempts", "cause")
        return {"at": self.at, "change": self.what, "note": self.note, **{name: self.job[name] for name in names}}


def changes(before: Json | None, after: Json) -> Iterator[Change]:
    """What happened to a job between two looks; `before` is None when it was not there."""
    told = 0
    if before is None:
        note = f"waits until {after['run_at']}" if after["state"] == "scheduled" else f"priority {after['priority']}"
        yield Change(after["created_at"], "made", note, after)
    else:
        told = len(before["attempts"])
    state = before["state"] if before else None
    for attempt in after["attempts"][told:]:
        if attempt["outcome"] == "completed" and after["state"] == "completed":
            continue  # the job's own line tells it
        yield Change(attempt["started_at"], "attempt", _of_attempt(attempt, after), after)
    if after["state"] == "processing" and state != "processing":
        yield Change(after["started_at"], "processing", f"attempt {after['attempt']}", after)
    if after["state"] in ENDED and state != after["state"]:
        yield Change(after["finished_at"], after["state"], _of_end(after), after)
    if after["state"] == "pending" and state in ENDED:
        yield Change(None, "pending", "tried again by hand", after)


async def follow(api: Api, *, kind: str | None, cause: str | None, interval_seconds: float, as_json: bool) -> None:
    """Tell every change from now on, until interrupted; goes on when the gateway is back."""
    known: dict[str, Json] = {job["id"]: job async for job in _look(api, {}, kind=kind, cause=cause)}
    is_away = False
    while True:
        await asyncio.sleep(interval_seconds)
        try:
            seen = [job async for job in _look(api, known, kind=kind, cause=cause)]
            if is_away:
                err.print("The gateway answers again.")
            is_away = False
        except (Away, Refused) as exc:
            if isinstance(exc, Refused) and exc.status < 500 and exc.status != 429:
                raise
            if not is_away:
                err.print(f"{str(exc).splitlines()[0]} Going on when it answers.", markup=False)
            is_away = True
            continue
        found = {job["id"]: job for job in seen}
        tell(
            (change for job in found.values() for change in changes(known.get(job["id"]), job)),
            as_json=as_json,
        )
        known |= found
        _forget(known)


async def follow_one(api: Api, job_id: str, *, interval_seconds: float, as_json: bool) -> str:
    """Tell what happened to a job and what happens, until it is over; returns the state it ended in."""
    before: Json | None = None
    while True:
        job = (await api.get("/api/admin/jobs", action="job", id=job_id))["job"]
        tell(changes(before, job), as_json=as_json)
        if job["state"] in ENDED:
            return str(job["state"])
        before = job
        await asyncio.sleep(interval_seconds)


def tell(happened: Iterable[Change], *, as_json: bool) -> None:
    """A line each, in the order of time."""
    for change in sorted(happened, key=lambda each: each.at or "9"):
        if as_json:
            sys.stdout.write(json.dumps(change.as_json()) + "\n")
        else:
            out.print(_line(change))
    sys.stdout.flush()


async def _look(api: Api, known: dict[str, Json], *, kind: str | None, cause: str | None) -> AsyncIterator[Json]:
    """Every job that may have changed since the last look, most of them once."""
    where = {"type": kind, "cause": cause}
    seen: set[str] = set()
    cursor: str | None = None
    for _ in range(MOST_PAGES if known else 1):  # the newest, as far back as there are new ones
        answer = await api.get("/api/admin/jobs/list", limit=100, cursor=cursor, **where)
        cursor = answer["next"]
        for job in answer["items"]:
            seen.add(job["id"])
            yield job
        if cursor is None or any(job["id"] in known for job in answer["items"]):
            break
    for state in ("processing", "retrying", "pending"):
        for job in (await api.get("/api/admin/jobs/list", limit=100, state=state, **where))["items"]:
            seen.add(job["id"])
            yield job
    gone = [job_id for job_id, job in known.items() if job["state"] in OPEN and job_id not in seen]
    for job_id in gone[:ASKED_ALONE]:
        try:
            yield (await api.get("/api/admin/jobs", action="job", id=job_id))["job"]
        except Refused as exc:
            if exc.status != 404:
                raise
            known.pop(job_id)  # pruned


def _forget(known: dict[str, Json]) -> None:
    """Drop the oldest that are over; an id begins with the time of its cause."""
    if len(known) > KEPT_JOBS:
        over = sorted(job_id for job_id, job in known.items() if job["state"] in ENDED)
        for job_id in over[: len(known) - KEPT_JOBS]:
            del known[job_id]


def _of_attempt(attempt: Json, job: Json) -> str:
    outcome = "failed" if attempt["outcome"] == "retrying" else attempt["outcome"]
    ran = f" after {duration(attempt['run_ms'])}" if attempt["run_ms"] is not None else ""
    told = f"{attempt['number']} of {job['max_attempts']} {outcome}{ran}"
    if attempt["error"]:
        told += f" ({error_text(attempt['error'], 100)})"
    return told + (f", again at {_clock(attempt['retry_at'])}" if attempt["retry_at"] else "")


def _of_end(job: Json) -> str:
    if job["state"] == "failed":
        return f"{error_text(job['error'], 100)}; `souk jobs retry` tries again"
    if job["state"] == "completed" and job["wait_ms"] is not None:
        ran = f" in {duration(job['run_ms'])}" if job["run_ms"] is not None else ""
        return f"attempt {job['attempt']} of {job['max_attempts']}{ran}, waited {duration(job['wait_ms'])}"
    return ""


def _line(change: Change) -> Text:
    job = change.job
    return Text.assemble(
        (f"{_clock(change.at)} ", "dim"),
        f"{job['type']:<18}",
        (f"{change.what:<11}", STATE_STYLES.get(change.what, "")),
        f"{change.note}  ",
        (job["id"], "dim"),
    )


def _clock(moment: str | None) -> str:
    at = datetime.now(UTC) if moment is None else datetime.fromisoformat(moment)
    return at.astimezone().strftime("%H:%M:%S")
