"""The HTTP edge of control; admins and ops alike."""

from aiohttp import web

from services.jobs.answers import OPERATORS, answer, job_id_in_path, nothing_in
from services.jobs.control.schemas import (
    BulkBody,
    BulkRetryShown,
    BulkShown,
    CancelledShown,
    RetryFailedBody,
    StatesBody,
    StatesShown,
    TypeEventsQuery,
    TypesShown,
)
from services.jobs.control.usecases import ControlDesk
from shared.web.bodies import read_body, read_query
from shared.web.identity import require
from shared.web.problems import REQUEST_ID


def routes(desk: ControlDesk) -> list[web.RouteDef]:
    """Register these."""
    edge = _Edge(desk)
    return [
        web.post("/api/admin/jobs/{id}/cancel", edge.cancel),
        web.post("/api/admin/jobs/retry", edge.retry_failed),
        web.post("/api/admin/jobs/bulk", edge.bulk),
        web.post("/api/admin/jobs/states", edge.states),
        web.get("/api/admin/jobs/groups", edge.groups),
        web.get("/api/admin/job-types", edge.types),
        web.get("/api/admin/job-types/events", edge.type_events),
        web.post("/api/admin/job-types/{type}/pause", edge.pause),
        web.post("/api/admin/job-types/{type}/resume", edge.resume),
    ]


class _Edge:
    def __init__(self, desk: ControlDesk) -> None:
        self._desk = desk

    async def cancel(self, request: web.Request) -> web.Response:
        by = require(request, *OPERATORS)
        await nothing_in(request)
        job_id = job_id_in_path(request)
        state = await self._desk.cancel(job_id, by=by, request_id=request.get(REQUEST_ID))
        shown: CancelledShown = {"id": job_id, "state": state}
        return answer(shown, status=200 if state == "cancelled" else 202)

    async def retry_failed(self, request: web.Request) -> web.Response:
        by = require(request, *OPERATORS)
        body = await read_body(request, RetryFailedBody)
        done = await self._desk.retry_failed(
            body.where,
            per_second=body.per_second,
            is_dry_run=body.dry_run,
            by=by,
            request_id=request.get(REQUEST_ID),
        )
        shown: BulkRetryShown = {
            "jobs": done.jobs,
            "over_seconds": done.over_seconds,
            "dry_run": done.is_dry_run,
            "more": not done.is_all,
            "ids": done.ids,
        }
        return answer(shown)

    async def states(self, request: web.Request) -> web.Response:
        require(request, *OPERATORS)
        body = await read_body(request, StatesBody)
        shown: StatesShown = {"states": {state.value: n for state, n in (await self._desk.states(body.ids)).items()}}
        return answer(shown)

    async def bulk(self, request: web.Request) -> web.Response:
        by = require(request, *OPERATORS)
        body = await read_body(request, BulkBody)
        done = await self._desk.bulk(
            body.action,
            body.where,
            per_second=body.per_second,
            is_dry_run=body.dry_run,
            by=by,
            request_id=request.get(REQUEST_ID),
        )
        shown: BulkShown = {
            "action": done.action,
            "jobs": done.jobs,
            "over_seconds": done.over_seconds,
            "dry_run": done.is_dry_run,
            "more": not done.is_all,
        }
        return answer(shown)

    async def groups(self, request: web.Request) -> web.Response:
        require(request, *OPERATORS)
        return answer({"items": await self._desk.groups(), "next": None})

    async def types(self, request: web.Request) -> web.Response:
        require(request, *OPERATORS)
        paused, broken = await self._desk.paused(), await self._desk.open_breakers()
        shown: TypesShown = {"items": paused, "breakers": broken, "next": None}
        return answer(shown)

    async def type_events(self, request: web.Request) -> web.Response:
        require(request, *OPERATORS)
        query = read_query(request, TypeEventsQuery)
        return answer({"items": await self._desk.type_events(query.type, limit=query.limit), "next": None})

    async def pause(self, request: web.Request) -> web.Response:
        by = require(request, *OPERATORS)
        await nothing_in(request)
        await self._desk.pause(request.match_info["type"], by=by, request_id=request.get(REQUEST_ID))
        return await self.types(request)

    async def resume(self, request: web.Request) -> web.Response:
        by = require(request, *OPERATORS)
        await nothing_in(request)
        await self._desk.resume(request.match_info["type"], by=by, request_id=request.get(REQUEST_ID))
        return await self.types(request)
