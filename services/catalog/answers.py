"""How the catalog's routes read places in lists and write answers."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from aiohttp import web
from pydantic import Field

from services.catalog.cursors import Cursors, Position
from shared.encoding import to_json
from shared.errors import NotFound
from shared.web.bodies import Query

CURSORS: Final = web.AppKey("cursors", Cursors)
NEVER_STORED: Final = MappingProxyType({"Cache-Control": "no-store"})
"""Headers of an answer with a secret in it, or with what only its reader may know."""

T = TypeVar("T")


class PageQuery(Query):
    """How much of a list, and behind what. A list adds its own filters."""

    limit: Annotated[int, Field(ge=1, le=100)] = 48
    """How many items a page has at most."""
    cursor: Annotated[str, Field(max_length=500)] | None = None
    """`next` of the page before, with the same filters."""


def answer(
    value: Mapping[str, Any], *, status: int = 200, etag: str | None = None, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A value as JSON; times are RFC 3339 in UTC."""
    body = to_json(value)
    tagged = {} if etag is None else {"ETag": f'"{etag}"', "Cache-Control": "no-cache"}
    return web.Response(
        status=status, body=body, headers={"Content-Type": "application/json", **tagged, **(headers or {})}
    )


def answer_unless_known(request: web.Request, value: Mapping[str, Any], *, etag: str) -> web.Response:
    """A value as JSON, or 304 when `If-None-Match` names just this state of it."""
    if is_known(request, etag):
        return web.Response(status=304, headers={"ETag": f'"{etag}"', "Cache-Control": "no-cache"})
    return answer(value, etag=etag)


def is_known(request: web.BaseRequest, etag: str) -> bool:
    """Whether the caller has this already. Compared weakly, as RFC 9110 wants for `If-None-Match`."""
    given = request.headers.get("If-None-Match", "")
    return given.strip() == "*" or f'"{etag}"' in {tag.strip().removeprefix("W/") for tag in given.split(",")}


def uuid_in_path(request: web.Request, name: str = "id") -> UUID:
    """An id of the path. Raises `NotFound` for what is none: nothing has that address."""
    try:
        return UUID(request.match_info[name])
    except ValueError as exc:
        raise NotFound("There is nothing at this address.") from exc


def position_in(request: web.Request, query: PageQuery) -> Sequence[str | int] | None:
    """Behind what the page begins; None at the start. Raises `BadCursor`."""
    if query.cursor is None:
        return None
    return request.app[CURSORS].read(_scope(request, query), query.cursor)


def answer_page(
    request: web.Request,
    query: PageQuery,
    found: Sequence[T],
    *,
    shape: Callable[[T], Mapping[str, Any]],
    position: Callable[[T], Position],
    beside: Mapping[str, Any] = MappingProxyType({}),
) -> web.Response:
    """One page of a list, with what else there is `beside` its items.

    `found` has up to `query.limit + 1` items: the one too many says that there is more.
    """
    shown = found[: query.limit]
    following, headers = None, {}
    if len(found) > query.limit:
        following = request.app[CURSORS].write(_scope(request, query), position(shown[-1]))
        headers["Link"] = f'<{request.rel_url.update_query(cursor=following)}>; rel="next"'
    return answer({"items": [shape(item) for item in shown], "next": following, **beside}, headers=headers)


def _scope(request: web.Request, query: PageQuery) -> str:
    """The list and its filters; a page may be longer or shorter than the one before."""
    return f"{request.path}?{query.model_dump_json(exclude={'limit', 'cursor'})}"
