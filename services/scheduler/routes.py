"""The scheduler's HTTP edge, called by the gateway: admins and ops read, admins change."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from aiohttp import web
from pydantic import BaseModel

from services.scheduler.schemas import (
    ChangeItem,
    RunAccepted,
    ScheduleDetail,
    ScheduleItem,
    ScheduleList,
    TickItem,
    TickList,
)
from services.scheduler.usecases import Schedules
from shared.web.audit import audit_route
from shared.web.bodies import read_query
from shared.web.cursors import Cursors
from shared.web.identity import Role, identity_middleware, require
from shared.web.paging import CURSORS, PageQuery, cursor_behind, link_to, position_in
from shared.web.problems import REQUEST_ID
from shared.web.server import new_app

SCHEDULES: Final = web.AppKey("schedules", Schedules)
SHOWN_TICKS: Final = 20


def new_api(schedules: Schedules, *, key: str) -> web.Application:
    """The application that `serving` serves."""
    app = new_app(middlewares=[identity_middleware(service="scheduler", key=key)])
    app[CURSORS] = Cursors(key.encode())
    app[SCHEDULES] = schedules
    app.router.add_get("/api/admin/schedules", list_schedules)
    app.router.add_get("/api/admin/schedules/{name}", show_schedule)
    app.router.add_get("/api/admin/schedules/{name}/ticks", list_ticks)
    app.router.add_post("/api/admin/schedules/{name}/run", run_schedule)
    app.router.add_post("/api/admin/schedules/{name}/pause", pause_schedule)
    app.router.add_post("/api/admin/schedules/{name}/resume", resume_schedule)
    app.add_routes([audit_route(schedules.audit)])
    return app


async def list_schedules(request: web.Request) -> web.Response:
    """Every entry with its next runs."""
    require(request, Role.ADMIN, Role.OPS)
    listing = await request.app[SCHEDULES].listing()
    return _json(ScheduleList(items=tuple(ScheduleItem.of(schedule) for schedule in listing)))


async def show_schedule(request: web.Request) -> web.Response:
    """An entry with its latest ticks."""
    require(request, Role.ADMIN, Role.OPS)
    schedule, ticks, changes = await request.app[SCHEDULES].one(request.match_info["name"], ticks=SHOWN_TICKS)
    return _json(
        ScheduleDetail(
            **dict(ScheduleItem.of(schedule)),
            ticks=tuple(TickItem.of(tick) for tick in ticks),
            changes=tuple(ChangeItem.of(change) for change in changes),
        )
    )


async def list_ticks(request: web.Request) -> web.Response:
    """When an entry was due, and what became of it."""
    require(request, Role.ADMIN, Role.OPS)
    query = read_query(request, PageQuery)
    position = position_in(request, query)
    before = None if position is None else datetime.fromisoformat(str(position[0]))
    ticks = await request.app[SCHEDULES].ticks(request.match_info["name"], before=before, limit=query.limit + 1)
    shown, following = ticks[: query.limit], None
    if len(ticks) > query.limit:
        following = cursor_behind(request, query, shown[-1].due_at.isoformat())
    found = TickList(items=tuple(TickItem.of(tick) for tick in shown), next=following)
    return _json(found, headers=link_to(request, following))


async def run_schedule(request: web.Request) -> web.Response:
    """Run an entry now; its job follows."""
    by = require(request, Role.ADMIN)
    tick = await request.app[SCHEDULES].run_now(request.match_info["name"], by=by, request_id=request.get(REQUEST_ID))
    return _json(RunAccepted.of(tick), status=202)


async def pause_schedule(request: web.Request) -> web.Response:
    """Stop an entry's slots."""
    by = require(request, Role.ADMIN)
    schedule = await request.app[SCHEDULES].pause(request.match_info["name"], by=by, request_id=request.get(REQUEST_ID))
    return _json(ScheduleItem.of(schedule))


async def resume_schedule(request: web.Request) -> web.Response:
    """Let an entry's slots run again."""
    by = require(request, Role.ADMIN)
    schedule = await request.app[SCHEDULES].resume(
        request.match_info["name"], by=by, request_id=request.get(REQUEST_ID)
    )
    return _json(ScheduleItem.of(schedule))


def _json(body: BaseModel, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    answer = body.model_dump_json().encode()
    return web.Response(status=status, body=answer, content_type="application/json", headers=headers)
