"""The HTTP edge of the audit log. The gateway asks here for its own list of all services' lines."""

from collections.abc import Sequence
from uuid import UUID

from aiohttp import web

from services.jobs.audit.store import lines
from shared.db.pool import Pool, connection
from shared.web.audit import Line, audit_route


def routes(pool: Pool) -> list[web.RouteDef]:
    """The audit log, newest first."""

    async def read(below: UUID, limit: int, about: tuple[str, str] | None) -> Sequence[Line]:
        async with connection(pool) as conn:
            return await lines(conn, below=below, limit=limit, about=about)

    return [audit_route(read)]
