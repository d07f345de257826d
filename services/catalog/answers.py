"""How the catalog's routes read places in lists and write answers."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeVar
from uuid import UUID

from aiohttp import web

from shared.encoding import to_json
from shared.errors import NotFound
from shared.web.cursors import Position
from shared.web.paging import PageQuery, cursor_behind, link_to

NEVER_STORED: Final = MappingProxyType({"Cache-Control": "no-store"})
"""Headers of an answer with a secret in it, or with what only its reader may know."""

T = TypeVar("T")


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
    following = cursor_behind(request, query, *position(shown[-1])) if len(found) > query.limit else None
    items = [shape(item) for item in shown]
    return answer({"items": items, "next": following, **beside}, headers=link_to(request, following))
