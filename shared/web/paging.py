"""Lists page by page: each place is opaque, signed, and good only for the list and the filters it was given for."""

from typing import Annotated, Final
from uuid import UUID

from aiohttp import web
from pydantic import Field

from shared.web.bodies import Query
from shared.web.cursors import Cursors, Position

CURSORS: Final = web.AppKey("cursors", Cursors)


class PageQuery(Query):
    """How much of a list, and behind what. A list adds its own filters."""

    limit: Annotated[int, Field(ge=1, le=100)] = 48
    """How many items a page has at most."""
    cursor: Annotated[str, Field(max_length=500)] | None = None
    """`next` of the page before, with the same filters."""


def position_in(request: web.Request, query: PageQuery) -> Position | None:
    """Behind what the page begins; None at the start. Raises `BadCursor`."""
    if query.cursor is None:
        return None
    return request.app[CURSORS].read(_scope(request, query), query.cursor)


def id_in(request: web.Request, query: PageQuery) -> UUID | None:
    """The same of a list whose places are ids."""
    position = position_in(request, query)
    return None if position is None else UUID(str(position[0]))


def cursor_behind(request: web.Request, query: PageQuery, *position: str | int) -> str:
    """`next` of a page that ends at a position."""
    return request.app[CURSORS].write(_scope(request, query), position)


def link_to(request: web.Request, following: str | None) -> dict[str, str]:
    """The header that names the page after; none behind the last."""
    return {} if following is None else {"Link": f'<{request.rel_url.update_query(cursor=following)}>; rel="next"'}


def _scope(request: web.Request, query: PageQuery) -> str:
    """The list and its filters; a page may be longer or shorter than the one before."""
    return f"{request.path}?{query.model_dump_json(exclude={'limit', 'cursor'})}"
