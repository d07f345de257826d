"""The HTTP edge of the jobs api: parse, call one use case, answer. Reached through the gateway only."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from aiohttp import web
from pydantic import ValidationError

from services.jobs.answers import OPERATORS, answer, job_id_in_path, next_page, nothing_in
from services.jobs.health.usecases import HealthDesk
from services.jobs.listing.store import ListFilter
from services.jobs.models import JobState
from services.jobs.schemas import (
    ClearHistoryAction,
    EnqueueBody,
    JobShown,
    JobsQuery,
    ListQuery,
    RetryAction,
    VendorListQuery,
    job_shown,
    whole_job_shown,
)
from services.jobs.usecases import JobRequest, JobsDesk, Page, ShownJob
from shared.errors import FieldError, Forbidden, InvalidInput
from shared.web.bodies import Body, pointed, read_body, read_query
from shared.web.identity import Role, require
from shared.web.paging import PageQuery, id_in
from shared.web.problems import REQUEST_ID

KEY_HEADER: Final = "Idempotency-Key"
MAX_KEY_CHARS: Final = 200


def routes(desk: JobsDesk, health: HealthDesk) -> list[web.RouteDef]:
    """Every route of the jobs api."""
    edge = _Edge(desk, health)
    return [
        web.get("/api/admin/jobs", edge.ask),
        web.post("/api/admin/jobs", edge.act),
        web.get("/api/admin/jobs/list", edge.list),
        web.post("/api/admin/jobs/enqueue", edge.enqueue),
        web.get("/api/admin/jobs/{id}", edge.show),
        web.post("/api/admin/jobs/{id}/retry", edge.retry),
        web.get("/api/admin/jobs/overview", edge.overview),
        web.get("/api/admin/workers", edge.workers),
        web.get("/api/vendor/jobs", edge.list_for_vendor),
    ]


class _Edge:
    def __init__(self, desk: JobsDesk, health: HealthDesk) -> None:
        self._desk = desk
        self._health = health

    async def ask(self, request: web.Request) -> web.Response:
        require(request, *OPERATORS)
        query = read_query(request, JobsQuery)
        match query.action:
            case "stats":
                stats, oldest = await self._desk.stats(), await self._desk.oldest()
                broken = await self._desk.open_breakers()
                return answer({"success": True, "stats": stats, "oldest_waiting": oldest, "open_breakers": broken})
            case "health":
                return answer({"success": True, "health": await self._health.health()})
            case "completed" | "failed":
                jobs = await self._desk.latest(JobState(query.action))
                return answer({"success": True, "jobs": _shown(jobs)})
            case "job":
                if query.id is None:
                    raise InvalidInput(
                        "Say which job.", errors=[FieldError("/id", "missing", "action=job needs an id")]
                    )
                return answer({"success": True, "job": _shown([await self._desk.get(query.id)])[0]})

    async def act(self, request: web.Request) -> web.Response:
        by = require(request, *OPERATORS)
        action = await read_body(request, _Action)
        request_id = request.get(REQUEST_ID)
        if action.action == "retry":
            retry = _as(RetryAction, action)
            job = await self._desk.retry(retry.id, by=by, request_id=request_id)
            return answer({"success": True, "job": _shown([job])[0]})
        _as(ClearHistoryAction, action)
        cleared = await self._desk.clear_history(by=by, request_id=request_id)
        return answer({"success": True, "cleared": cleared.jobs, "more": not cleared.is_all})

    async def retry(self, request: web.Request) -> web.Response:
        by = require(request, *OPERATORS)
        await nothing_in(request)
        job = await self._desk.retry(job_id_in_path(request), by=by, request_id=request.get(REQUEST_ID))
        return answer(_shown([job])[0])

    async def show(self, request: web.Request) -> web.Response:
        require(request, *OPERATORS)
        whole = await self._desk.whole(job_id_in_path(request))
        return answer(whole_job_shown(whole.shown.job, whole.shown.history, whole.kin))

    async def list(self, request: web.Request) -> web.Response:
        require(request, *OPERATORS)
        query = read_query(request, ListQuery)
        page = await self._desk.page(query.where, before=id_in(request, query), limit=query.limit)
        return _page(request, query, page)

    async def overview(self, request: web.Request) -> web.Response:
        require(request, *OPERATORS)
        return answer({"items": await self._health.overview(), "next": None})

    async def workers(self, request: web.Request) -> web.Response:
        require(request, *OPERATORS)
        return answer({"items": await self._health.workers(), "next": None})

    async def list_for_vendor(self, request: web.Request) -> web.Response:
        identity = require(request, Role.VENDOR)
        if identity.vendor_id is None:  # a filter of null would show everybody's
            raise Forbidden("This account belongs to no vendor.")
        query = read_query(request, VendorListQuery)
        where = ListFilter(cause=query.cause, vendor_id=identity.vendor_id)
        return _page(request, query, await self._desk.page(where, before=id_in(request, query), limit=query.limit))

    async def enqueue(self, request: web.Request) -> web.Response:
        by = require(request, *OPERATORS)
        body = await read_body(request, EnqueueBody)
        asked = JobRequest(**{name: getattr(body, name) for name in EnqueueBody.model_fields})
        asked = replace(asked, idempotency_key=_key_of(request, body))
        job = await self._desk.enqueue(asked, by=by, request_id=request.get(REQUEST_ID))
        found = answer(_shown([job.shown])[0], status=201)
        if not job.is_new:
            found.headers["Idempotent-Replayed"] = "true"
        return found


class _Action(Body):
    """Either action; which fields it may have is decided by `action`."""

    action: str
    id: UUID | None = None


def _as(model: type[RetryAction] | type[ClearHistoryAction], action: _Action) -> Any:
    given = action.model_dump(exclude_unset=True)
    try:
        return model.model_validate(given)
    except ValidationError as exc:
        raise InvalidInput("The action is retry (with id) or clear-history.", errors=pointed(exc, given)) from exc


def _key_of(request: web.Request, body: EnqueueBody) -> str | None:
    """The idempotency key, from the header or the body. Raises `InvalidInput` when both are there and differ."""
    header = request.headers.get(KEY_HEADER)
    if header is None:
        return body.idempotency_key
    if not 1 <= len(header) <= MAX_KEY_CHARS or not (header.isascii() and header.isprintable()):
        wrong = FieldError("", "idempotency_key", f"1 to {MAX_KEY_CHARS} printable ASCII characters")
        raise InvalidInput(f"The {KEY_HEADER} header does not fit.", errors=[wrong])
    if body.idempotency_key not in (None, header):
        wrong = FieldError("/idempotency_key", "differs", f"the {KEY_HEADER} header says something else")
        raise InvalidInput("Two idempotency keys are given.", errors=[wrong])
    return header


def _shown(jobs: Sequence[ShownJob]) -> list[JobShown]:
    return [job_shown(shown.job, shown.history) for shown in jobs]


def _page(request: web.Request, query: PageQuery, page: Page) -> web.Response:
    return next_page(request, query, _shown(page.items), page.next)
