"""`/admin/audit`: who decided what, in all services, newest first."""

import json
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from aiohttp import web

from services.catalog.audit_log import AuditLog, Deed
from services.catalog.monitoring.models import Asker
from services.catalog.pages import store
from services.catalog.pages.history import SOUK
from services.catalog.pages.paging import Paging
from services.catalog.pages.view import View
from shared.db.pool import Pool, connection
from shared.ids import TOP
from shared.web.identity import IDENTITY
from shared.web.problems import REQUEST_ID

A_PAGE: Final = 50
PAGES: Final = {
    "product": "/admin/products/",
    "vendor": "/admin/vendors/",
    "job": "/admin/jobs/",
    "schedule": "/admin/schedules/",
    "dead_letter": "/admin/dead-letters/",
}
"""Where the objects of lines are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminAudit:
    """The log of all services as one."""

    view: View
    log: AuditLog
    pool: Pool

    def routes(self) -> list[web.RouteDef]:
        """Register these."""
        return [web.get("/admin/audit", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """Everything, or what is about one object (`?kind=product&id=…`)."""
        kind, identifier = (request.query.get(name, "").strip()[:100] for name in ("kind", "id"))
        about = (kind, identifier) if kind and identifier else None
        paging = Paging(request, {} if about is None else {"kind": kind, "id": identifier})
        behind = paging.behind()
        below = TOP if behind is None else UUID(str(behind[0]))
        asker = Asker(request[IDENTITY], request[REQUEST_ID])
        found = await self.log.below(below, limit=A_PAGE + 1, about=about, asker=asker)
        ids = {deed.line.account_id for deed in found.deeds if deed.line.account_id is not None}
        async with connection(self.pool) as conn:
            names = await store.names(conn, ids)
        return await self.view.page(
            request,
            "admin/audit.html.jinja",
            listed=paging.listed(found.deeds, A_PAGE, lambda deed: [str(deed.line.id)]),
            names=names,
            souk=SOUK,
            missing=found.missing,
            about=about,
            path_of=_path_of,
            details_of=_details_of,
        )


def _path_of(deed: Deed) -> str:
    """The page of what a line is about; empty where there is none."""
    begin = PAGES.get(deed.line.object_kind)
    return "" if begin is None else f"{begin}{deed.line.object_id}"


def _details_of(deed: Deed) -> str:
    """What else the line says."""
    return json.dumps(deed.line.detail, ensure_ascii=False, indent=1) if deed.line.detail else ""
