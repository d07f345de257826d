"""HTTP edge of the audit log."""

from collections.abc import Sequence
from uuid import UUID

from aiohttp import web
from typing_extensions import TypedDict

from services.catalog.answers import answer_page
from services.catalog.audit_log import AuditLog, Deed, Missing
from services.catalog.monitoring.models import Asker
from shared.ids import TOP
from shared.web.audit import AboutQuery, LineShown, shown_line
from shared.web.bodies import read_query
from shared.web.identity import IDENTITY
from shared.web.paging import PageQuery, position_in
from shared.web.problems import REQUEST_ID


class AuditPage(PageQuery, AboutQuery):
    """GET /api/admin/audit: everything, or what is about one object."""


class DeedShown(LineShown):
    """One deed, and the service that wrote it down."""

    service: str


class DeedsShown(TypedDict):
    """A page of deeds; `missing` names services that are away, whose lines are not in it."""

    items: list[DeedShown]
    next: str | None
    missing: Sequence[Missing]


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


def _shown(deed: Deed) -> DeedShown:
    return {**shown_line(deed.line), "service": deed.service}
