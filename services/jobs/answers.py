"""What the routes of jobs and of control have in common at the HTTP edge."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from aiohttp import web

from shared.encoding import to_json
from shared.errors import NotFound
from shared.web.bodies import Body, read_body, received
from shared.web.identity import Role
from shared.web.paging import PageQuery, cursor_behind, link_to

OPERATORS: Final = (Role.ADMIN, Role.OPS)


def answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A value as JSON."""
    return web.Response(status=status, body=to_json(value), content_type="application/json", headers=headers)


def job_id_in_path(request: web.Request) -> UUID:
    """The job a path names. Raises `NotFound` for what is no id."""
    try:
        return UUID(request.match_info["id"])
    except ValueError as exc:
        raise NotFound("No job has such an id.") from exc


def next_page(request: web.Request, query: PageQuery, items: Sequence[object], following: UUID | None) -> web.Response:
    """One page of a list, with the address of the one after in `Link`."""
    cursor = None if following is None else cursor_behind(request, query, str(following))
    return answer({"items": items, "next": cursor}, headers=link_to(request, cursor))


class _Nothing(Body):
    """No fields."""


async def nothing_in(request: web.Request) -> None:
    """Refuse a body where none is read: what somebody sent there was meant to do something. `{}` is nothing too."""
    if await received(request):
        await read_body(request, _Nothing)
