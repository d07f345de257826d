"""The HTTP edge of activity; admins and ops alike."""

from aiohttp import web

from services.jobs.activity.schemas import ActivityQuery, activity_shown
from services.jobs.activity.usecases import ActivityDesk
from services.jobs.answers import OPERATORS, answer
from shared.web.bodies import read_query
from shared.web.identity import require


def routes(desk: ActivityDesk) -> list[web.RouteDef]:
    """Register these."""

    async def over_time(request: web.Request) -> web.Response:
        require(request, *OPERATORS)
        query = read_query(request, ActivityQuery)
        return answer(activity_shown(query.span, await desk.over_time(query.span, job_type=query.type)))

    return [web.get("/api/admin/jobs/activity", over_time)]
