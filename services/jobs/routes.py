"""The HTTP edge of the jobs api: parse, call one use case, answer. Reached through the gateway only."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from aiohttp import web
from pydantic import ValidationError

from services.jobs.health.usecases import HealthDesk
from services.jobs.models import JobState
from services.jobs.schemas import (
    ClearHistoryAction,
    EnqueueBody,
    JobsQuery,
    ListQuery,
    RetryAction,
    VendorListQuery,
    job_shown,
)
from services.jobs.store import JobFilter
from services.jobs.usecases import JobRequest, JobsDesk, Page, ShownJob
from shared.encoding import to_json
from shared.errors import FieldError, Forbidden, InvalidInput, NotFound
from shared.web.bodies import Body, pointed, read_body, read_query
from shared.web.identity import Role, require
from shared.web.problems import REQUEST_ID

_OPERATORS = (Role.ADMIN, Role.OPS)


def routes(desk: JobsDesk, health: HealthDesk) -> list[web.RouteDef]:
    """Every route of the jobs api."""
    edge = _Edge(desk, health)
    return [
        web.get("/api/admin/jobs", edge.ask),
        web.post("/api/admin/jobs", edge.act),
        web.get("/api/admin/jobs/list", edge.list),
        web.post("/api/admin/jobs/enqueue", edge.enqueue),
        web.post("/api/admin/jobs/{id}/retry", edge.retry),
        web.get("/api/admin/workers", edge.workers),
        web.get("/api/vendor/jobs", edge.list_for_vendor),
    ]


class _Edge:
    def __init__(self, desk: JobsDesk, health: HealthDesk) -> None:
        self._desk = desk
        self._health = health

    async def ask(self, request: web.Request) -> web.Response:
        require(request, *_OPERATORS)
        query = read_query(request, JobsQuery)
        match query.action:
            case "stats":
                return _answer({"success": True, "stats": await self._desk.stats()})
            case "health":
                return _answer({"success": True, "health": await self._health.health()})
            case "completed" | "failed":
                jobs = await self._desk.latest(JobState(query.action))
                return _answer({"success": True, "jobs": _shown(jobs)})
            case "job":
                if query.id is None:
                    raise InvalidInput(
                        "Say which job.", errors=[FieldError("/id", "missing", "action=job needs an id")]
                    )
                return _answer({"success": True, "job": _shown([await self._desk.get(query.id)])[0]})

    async def act(self, request: web.Request) -> web.Response:
        by = require(request, *_OPERATORS)
        action = await read_body(request, _Action)
        request_id = request.get(REQUEST_ID)
        if action.action == "retry":
            retry = _as(RetryAction, action)
            job = await self._desk.retry(retry.id, by=by, request_id=request_id)
            return _answer({"success": True, "job": _shown([job])[0]})
        _as(ClearHistoryAction, action)
        return _answer({"success": True, "cleared": await self._desk.clear_history(by=by, request_id=request_id)})

    async def retry(self, request: web.Request) -> web.Response:
        by = require(request, *_OPERATORS)
        job = await self._desk.retry(_id(request), by=by, request_id=request.get(REQUEST_ID))
        return _answer(_shown([job])[0])

    async def list(self, request: web.Request) -> web.Response:
        require(request, *_OPERATORS)
        query = read_query(request, ListQuery)
        where = JobFilter(type=query.type, state=query.state, cause=query.cause, priority=query.priority)
        return _page(await self._desk.page(where, before=query.cursor, limit=query.limit))

    async def workers(self, request: web.Request) -> web.Response:
        require(request, *_OPERATORS)
        return _answer({"items": await self._health.workers(), "next": None})

    async def list_for_vendor(self, request: web.Request) -> web.Response:
        identity = require(request, Role.VENDOR)
        if identity.vendor_id is None:  # a filter of null would show everybody's
            raise Forbidden("This account belongs to no vendor.")
        query = read_query(request, VendorListQuery)
        where = JobFilter(cause=query.cause, vendor_id=identity.vendor_id)
        return _page(await self._desk.page(where, before=query.cursor, limit=query.limit))

    async def enqueue(self, request: web.Request) -> web.Response:
        by = require(request, *_OPERATORS)
        body = await read_body(request, EnqueueBody)
        asked = JobRequest(**{name: getattr(body, name) for name in EnqueueBody.model_fields})
        job = await self._desk.enqueue(asked, by=by, request_id=request.get(REQUEST_ID))
        return _answer(_shown([job])[0], status=201)


class _Action(Body):
    """Either action; which fields it may have is decided by `action`."""

    action: str
    id: UUID | None = None


def _as(model: type[RetryAction] | type[ClearHistoryAction], action: _Action) -> Any:
    try:
        return model.model_validate(action.model_dump(exclude_unset=True))
    except ValidationError as exc:
        raise InvalidInput("The action is retry (with id) or clear-history.", errors=pointed(exc)) from exc


def _id(request: web.Request) -> UUID:
    try:
        return UUID(request.match_info["id"])
    except ValueError as exc:
        raise NotFound("No job has such an id.") from exc


def _shown(jobs: Sequence[ShownJob]) -> list[dict[str, Any]]:
    return [job_shown(shown.job, shown.history) for shown in jobs]


def _page(page: Page) -> web.Response:
    return _answer({"items": _shown(page.items), "next": page.next})


def _answer(value: object, *, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=to_json(value),
        content_type="application/json",
    )
