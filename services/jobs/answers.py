"""What the routes of jobs and of control have in common at the HTTP edge."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from aiohttp import web

from shared.encoding import to_json
from shared.errors import NotFound
from shared.web.bodies import Body, read_body, received
from shared.web.identity import Role

OPERATORS: Final = (Role.ADMIN, Role.OPS)


def answer(value: object, *, status: int = 200) -> web.Response:
    """A value as JSON."""
    return web.Response(status=status, body=to_json(value), content_type="application/json")


def job_id_in_path(request: web.Request) -> UUID:
    """The job a path names. Raises `NotFound` for what is no id."""
    try:
        return UUID(request.match_info["id"])
    except ValueError as exc:
        raise NotFound("No job has such an id.") from exc


def next_page(request: web.Request, items: Sequence[object], following: UUID | None) -> web.Response:
    """One page of a list, with the address of the one after in `Link`."""
    found = answer({"items": items, "next": following})
    if following is not None:
        found.headers["Link"] = f'<{request.rel_url.update_query(cursor=str(following))}>; rel="next"'
    return found


class _Nothing(Body):
    """No fields."""


async def nothing_in(request: web.Request) -> None:
    """Refuse a body where none is read: what somebody sent there was meant to do something. `{}` is nothing too."""
    if await received(request):
        await read_body(request, _Nothing)
