"""HTTP edge of the audit log."""

from typing import Annotated, Any
from uuid import UUID

from aiohttp import web
from pydantic import StringConstraints

from services.catalog.answers import PageQuery, answer_page, position_in
from services.catalog.audit import TOP
from services.catalog.audit_log import AuditLog, Deed
from services.catalog.monitoring.models import Asker
from shared.errors import FieldError, InvalidInput
from shared.web.bodies import read_query
from shared.web.identity import IDENTITY
from shared.web.problems import REQUEST_ID

Word = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class AuditQuery(PageQuery):
    """GET /api/admin/audit: everything, or what is about one object."""

    kind: Word | None = None
    id: Word | None = None

    @property
    def about(self) -> tuple[str, str] | None:
        """The one object asked for. Raises `InvalidInput` for half of it."""
        if self.kind is None and self.id is None:
            return None
        if self.kind is None or self.id is None:
            missing = "/kind" if self.kind is None else "/id"
            raise InvalidInput("An object is a kind and an id.", errors=[FieldError(missing, "missing", "give both")])
        return self.kind, self.id


def routes(log: AuditLog) -> list[web.RouteDef]:
    """The audit log of all services, newest first; `missing` names those that are away, whose lines are not in it."""

    async def list_entries(request: web.Request) -> web.Response:
        query = read_query(request, AuditQuery)
        position = position_in(request, query)
        below = TOP if position is None else UUID(str(position[0]))
        asker = Asker(request[IDENTITY], request[REQUEST_ID])
        found = await log.below(below, limit=query.limit + 1, about=query.about, asker=asker)
        return answer_page(
            request,
            query,
            found.deeds,
            shape=_shown,
            position=lambda deed: [str(deed.entry.id)],
            beside={"missing": found.missing},
        )

    return [web.get("/api/admin/audit", list_entries)]


def _shown(deed: Deed) -> dict[str, Any]:
    entry = deed.entry
    return {
        "id": entry.id,
        "service": deed.service,
        "at": entry.at,
        "account_id": entry.account_id,
        "role": entry.role,
        "action": entry.action,
        "object": {"kind": entry.object_kind, "id": entry.object_id},
        "detail": entry.detail,
        "request_id": entry.request_id,
    }
