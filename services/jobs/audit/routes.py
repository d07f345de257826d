"""The HTTP edge of the audit log. The gateway asks here for its own list of all services' lines."""

from typing import Annotated
from uuid import UUID

from aiohttp import web
from pydantic import Field

from services.jobs.answers import answer
from services.jobs.audit.store import TOP, Line, lines
from shared.db.pool import Pool, connection
from shared.errors import FieldError, InvalidInput
from shared.web.bodies import Query, read_query
from shared.web.identity import Role, require


class AuditQuery(Query):
    """Everything, or what is about one object; `cursor` is the last line's id."""

    kind: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    id: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    cursor: UUID = TOP
    limit: Annotated[int, Field(ge=1, le=101)] = 48

    @property
    def about(self) -> tuple[str, str] | None:
        """The one object asked for. Raises `InvalidInput` for half of it."""
        if self.kind is None and self.id is None:
            return None
        if self.kind is None or self.id is None:
            missing = "/kind" if self.kind is None else "/id"
            raise InvalidInput("An object is a kind and an id.", errors=[FieldError(missing, "missing", "give both")])
        return self.kind, self.id


def routes(pool: Pool) -> list[web.RouteDef]:
    """The audit log, newest first."""

    async def show(request: web.Request) -> web.Response:
        require(request, Role.ADMIN)
        query = read_query(request, AuditQuery)
        async with connection(pool) as conn:
            found = await lines(conn, below=query.cursor, limit=query.limit + 1, about=query.about)
        shown = found[: query.limit]
        following = shown[-1].id if len(found) > query.limit else None
        return answer({"items": [_shown(line) for line in shown], "next": following})

    return [web.get("/api/admin/audit", show)]


def _shown(line: Line) -> dict[str, object]:
    return {
        "id": line.id,
        "at": line.at,
        "account_id": line.account_id,
        "role": line.role,
        "action": line.action,
        "object": {"kind": line.object_kind, "id": line.object_id},
        "detail": line.detail,
        "request_id": line.request_id,
    }
