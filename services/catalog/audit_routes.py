"""HTTP edge of the audit log."""

from typing import Any
from uuid import UUID

from aiohttp import web

from services.catalog.answers import PageQuery, answer_page, position_in
from services.catalog.audit_log import AuditLog, Deed
from services.catalog.monitoring.models import Asker
from shared.ids import TOP
from shared.web.audit import AboutQuery, shown_line
from shared.web.bodies import read_query
from shared.web.identity import IDENTITY
from shared.web.problems import REQUEST_ID


class AuditPage(PageQuery, AboutQuery):
    """GET /api/admin/audit: everything, or what is about one object."""


def routes(log: AuditLog) -> list[web.RouteDef]:
    """The audit log of all services, newest first; `missing` names those that are away, whose lines are not in it."""

    async def list_entries(request: web.Request) -> web.Response:
        query = read_query(request, AuditPage)
        position = position_in(request, query)
        below = TOP if position is None else UUID(str(position[0]))
        asker = Asker(request[IDENTITY], request[REQUEST_ID])
        found = await log.below(below, limit=query.limit + 1, about=query.about, asker=asker)
        return answer_page(
            request,
            query,
            found.deeds,
            shape=_shown,
            position=lambda deed: [str(deed.line.id)],
            beside={"missing": found.missing},
        )

    return [web.get("/api/admin/audit", list_entries)]


def _shown(deed: Deed) -> dict[str, Any]:
    return {**shown_line(deed.line), "service": deed.service}
