"""What the routes of jobs and of control have in common at the HTTP edge."""

from typing import Final
from uuid import UUID

from aiohttp import web

from shared.encoding import to_json
from shared.errors import NotFound
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
