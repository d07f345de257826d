"""Asking and telling the services that own jobs and schedules, in the name of who looks at the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from uuid import UUID

from aiohttp import web
from yarl import URL

from services.catalog.asking import ask
from services.catalog.monitoring.models import Heard
from services.catalog.pages.board.models import (
    Activity,
    BulkAnswer,
    FailureGroup,
    HeardPage,
    Job,
    Letter,
    Nothing,
    Purge,
    Queues,
    Replay,
    Schedule,
    ScheduleDetail,
    TypeEvent,
    TypeView,
    WholeJob,
    Worker,
)
from services.catalog.proxy import Upstream

JOBS: Final = URL("/api/admin/jobs")
LETTERS: Final = URL("/api/admin/dead-letters")
SCHEDULES: Final = URL("/api/admin/schedules")

A = TypeVar("A", bound=Heard)


@dataclass(frozen=True, slots=True)
class Service:
    """One service behind the gateway. Every call raises what the service refused with, and `UpstreamSilent`."""

    upstream: Upstream

    async def ask(self, request: web.Request, url: URL, answer: type[A]) -> A:
        """Read something."""
        return await ask(request, self.upstream, answer, url)

    async def tell(
        self,
        request: web.Request,
        url: URL,
        answer: type[A],
        body: Mapping[str, Any] | None = None,
        method: str = "POST",
    ) -> A:
        """Have something done."""
        return await ask(request, self.upstream, answer, url, method=method, body=body)


class JobsService(Service):
    """What pages ask of the jobs service."""

    async def types(self, request: web.Request) -> tuple[TypeView, ...]:
        """Every type at a glance."""
        return (await self.ask(request, JOBS / "overview", HeardPage[TypeView])).items

    async def type_events(self, request: web.Request, limit: int) -> tuple[TypeEvent, ...]:
        """What stopped types lately and let them go on, newest first."""
        url = URL("/api/admin/job-types/events") % {"limit": limit}
        return (await self.ask(request, url, HeardPage[TypeEvent])).items

    async def activity(self, request: web.Request, span: str, job_type: str) -> Activity:
        """Figures over time, of one type or, without one, of all."""
        return await self.ask(request, (JOBS / "activity") % _given(span=span, type=job_type), Activity)

    async def jobs(self, request: web.Request, filters: Mapping[str, str]) -> HeardPage[Job]:
        """A page of jobs."""
        return await self.ask(request, (JOBS / "list") % _given(**filters), HeardPage[Job])

    async def job(self, request: web.Request, job_id: UUID) -> WholeJob:
        """One job."""
        return await self.ask(request, JOBS / str(job_id), WholeJob)

    async def failures(self, request: web.Request) -> tuple[FailureGroup, ...]:
        """Failed jobs by cause, the most frequent first."""
        return (await self.ask(request, JOBS / "groups", HeardPage[FailureGroup])).items

    async def act(self, request: web.Request, job_id: UUID, action: str) -> None:
        """Retry or cancel one."""
        await self.tell(request, JOBS / str(job_id) / action, Nothing)

    async def enqueue(self, request: web.Request, body: Mapping[str, Any]) -> Job:
        """A new job."""
        return await self.tell(request, JOBS / "enqueue", Job, body)

    async def bulk(
        self, request: web.Request, action: str, filters: Mapping[str, Any], *, is_dry_run: bool
    ) -> BulkAnswer:
        """Count those of a list that an action is about, or act on them."""
        body = {"action": action, **filters, "dry_run": is_dry_run}
        return await self.tell(request, JOBS / "bulk", BulkAnswer, body)

    async def set_paused(self, request: web.Request, job_type: str, *, is_paused: bool) -> None:
        """Pause or resume a type."""
        action = "pause" if is_paused else "resume"
        await self.tell(request, URL("/api/admin/job-types") / job_type / action, Nothing)

    async def queues(self, request: web.Request) -> Queues:
        """Every queue."""
        return await self.ask(request, URL("/api/admin/queues"), Queues)

    async def workers(self, request: web.Request) -> tuple[Worker, ...]:
        """Every worker heard of in ten minutes."""
        return (await self.ask(request, URL("/api/admin/workers"), HeardPage[Worker])).items

    async def letters(self, request: web.Request, filters: Mapping[str, str]) -> HeardPage[Letter]:
        """A page of dead letters."""
        return await self.ask(request, LETTERS % _given(**filters), HeardPage[Letter])

    async def letter(self, request: web.Request, letter_id: UUID) -> Letter:
        """One dead letter."""
        return await self.ask(request, LETTERS / str(letter_id), Letter)

    async def replay(self, request: web.Request, letter_id: UUID) -> None:
        """Retry its job, or put the message back into its queue."""
        await self.tell(request, LETTERS / str(letter_id) / "replay", Nothing)

    async def delete(self, request: web.Request, letter_id: UUID) -> None:
        """Delete a dead letter."""
        await self.tell(request, LETTERS / str(letter_id), Nothing, method="DELETE")

    async def replay_all(self, request: web.Request, filters: Mapping[str, Any], *, is_dry_run: bool) -> Replay:
        """Count what a replay of those that fit would do, or do it."""
        return await self.tell(request, LETTERS / "replay", Replay, {**filters, "dry_run": is_dry_run})

    async def purge(self, request: web.Request, filters: Mapping[str, Any], *, is_dry_run: bool) -> Purge:
        """Count those that fit, or delete them."""
        return await self.tell(request, LETTERS / "purge", Purge, {**filters, "dry_run": is_dry_run})


class SchedulerService(Service):
    """What pages ask of the scheduler."""

    async def schedules(self, request: web.Request) -> tuple[Schedule, ...]:
        """Every entry."""
        return (await self.ask(request, SCHEDULES, HeardPage[Schedule])).items

    async def schedule(self, request: web.Request, name: str) -> ScheduleDetail:
        """One entry with its latest ticks."""
        return await self.ask(request, SCHEDULES / name, ScheduleDetail)

    async def act(self, request: web.Request, name: str, action: str) -> None:
        """Run, pause or resume one."""
        await self.tell(request, SCHEDULES / name / action, Nothing)


def _given(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
