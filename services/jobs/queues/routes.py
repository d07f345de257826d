"""The HTTP edge of queues; admins and ops alike."""

from aiohttp import web

from services.jobs.answers import OPERATORS, answer
from services.jobs.queues.schemas import queues_shown
from services.jobs.queues.usecases import QueueDesk
from shared.web.identity import require


def routes(desk: QueueDesk) -> list[web.RouteDef]:
    """Register these."""

    async def list_queues(request: web.Request) -> web.Response:
        require(request, *OPERATORS)
        return answer(queues_shown(await desk.all()))

    return [web.get("/api/admin/queues", list_queues)]
