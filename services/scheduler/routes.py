"""The scheduler's HTTP edge, called by the gateway: admins and ops read, admins change."""

from typing import Final

from aiohttp import web
from pydantic import BaseModel

from services.scheduler.schemas import RunAccepted, ScheduleItem, ScheduleList
from services.scheduler.usecases import Schedules
from shared.web.identity import Role, identity_middleware, require
from shared.web.server import new_app

SCHEDULES: Final = web.AppKey("schedules", Schedules)


def new_api(schedules: Schedules, *, key: str) -> web.Application:
    """The application that `serving` serves."""
    app = new_app(middlewares=[identity_middleware(service="scheduler", key=key)])
    app[SCHEDULES] = schedules
    app.router.add_get("/api/admin/schedules", list_schedules)
    app.router.add_post("/api/admin/schedules/{name}/run", run_schedule)
    app.router.add_post("/api/admin/schedules/{name}/pause", pause_schedule)
    app.router.add_post("/api/admin/schedules/{name}/resume", resume_schedule)
    return app


async def list_schedules(request: web.Request) -> web.Response:
    """Every entry with its next runs."""
    require(request, Role.ADMIN, Role.OPS)
    listing = await request.app[SCHEDULES].listing()
    return _json(ScheduleList(items=tuple(ScheduleItem.of(schedule) for schedule in listing)))


async def run_schedule(request: web.Request) -> web.Response:
    """Run an entry now; its job follows."""
    account_id = require(request, Role.ADMIN).account_id
    tick = await request.app[SCHEDULES].run_now(request.match_info["name"], account_id=account_id)
    return _json(RunAccepted.of(tick), status=202)


async def pause_schedule(request: web.Request) -> web.Response:
    """Stop an entry's slots."""
    account_id = require(request, Role.ADMIN).account_id
    schedule = await request.app[SCHEDULES].pause(request.match_info["name"], account_id=account_id)
    return _json(ScheduleItem.of(schedule))


async def resume_schedule(request: web.Request) -> web.Response:
    """Let an entry's slots run again."""
    account_id = require(request, Role.ADMIN).account_id
    schedule = await request.app[SCHEDULES].resume(request.match_info["name"], account_id=account_id)
    return _json(ScheduleItem.of(schedule))


def _json(body: BaseModel, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=body.model_dump_json().encode(), content_type="application/json")
