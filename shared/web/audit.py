"""`GET /api/admin/audit` of a service that has an audit log of its own; the gateway makes one list of all of them.

Lines have UUIDv7 ids, so that the last one of a page is the place in the list of every service.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from aiohttp import web
from pydantic import Field
from typing_extensions import TypedDict

from shared.encoding import to_json
from shared.errors import FieldError, InvalidInput
from shared.ids import TOP
from shared.web.bodies import Query, read_query
from shared.web.identity import Role, require

Word = Annotated[str, Field(min_length=1, max_length=100)]


@dataclass(frozen=True, slots=True)
class Line:
    """One deed. `account_id` is null for what Souk did by itself."""

    id: UUID
    at: datetime
    account_id: UUID | None
    role: str
    action: str
    object_kind: str
    object_id: str
    detail: dict[str, Any]
    request_id: str | None


class AboutQuery(Query):
    """Everything, or what is about one object."""

    kind: Word | None = None
    id: Word | None = None

    @property
    def about(self) -> tuple[str, str] | None:
        """The one object asked for, as (kind, id). Raises `InvalidInput` for half of it."""
        if self.kind is None and self.id is None:
            return None
        if self.kind is None or self.id is None:
            missing = "/kind" if self.kind is None else "/id"
            raise InvalidInput("An object is a kind and an id.", errors=[FieldError(missing, "missing", "give both")])
        return self.kind, self.id


class AuditQuery(AboutQuery):
    """`cursor` is the id of the last line that the caller has."""

    cursor: UUID = TOP
    limit: Annotated[int, Field(ge=1, le=101)] = 48


Read = Callable[[UUID, int, tuple[str, str] | None], Awaitable[Sequence[Line]]]
"""The lines below a position, newest first, at most so many, of everything or about one (kind, id)."""


def audit_route(read: Read) -> web.RouteDef:
    """The route, for administrators alone. Raises what `read` raises."""

    async def show(request: web.Request) -> web.Response:
        require(request, Role.ADMIN)
        query = read_query(request, AuditQuery)
        found = await read(query.cursor, query.limit + 1, query.about)
        shown = found[: query.limit]
        following = shown[-1].id if len(found) > query.limit else None
        body = to_json({"items": [shown_line(line) for line in shown], "next": following})
        return web.Response(body=body, content_type="application/json")

    return web.get("/api/admin/audit", show)


class ObjectShown(TypedDict):
    """What a deed was done to."""

    kind: str
    id: str


class LineShown(TypedDict):
    """One deed. `account_id` is null for what Souk did by itself."""

    id: UUID
    at: datetime
    account_id: UUID | None
    role: str
    action: str
    object: ObjectShown
    detail: dict[str, Any]
    request_id: str | None


def shown_line(line: Line) -> LineShown:
    """A line as the API shows it."""
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
