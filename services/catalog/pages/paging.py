"""Places in the lists of pages: the same signed cursors as the API's, bound to the page and its filters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from aiohttp import web

from shared.web.cursors import Position
from shared.web.paging import CURSORS

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """One page of a list. `next` and `first` are addresses, empty where there is nothing that way."""

    items: Sequence[T]
    next: str
    first: str


class Paging:
    """One list of a page: its address with its filters, and the cursor that was given."""

    def __init__(self, request: web.Request, filters: Mapping[str, str]) -> None:
        self._cursors = request.app[CURSORS]
        self._path = request.path
        self._filters = dict(filters)
        self._cursor = request.query.get("cursor", "")

    @property
    def key(self) -> str:
        """What tells this page from others, whatever else the address says."""
        return self.address(cursor=self._cursor)

    def behind(self) -> Position | None:
        """Where the page begins; None at the start. Raises `BadCursor`."""
        return self._cursors.read(self.address(), self._cursor) if self._cursor else None

    def listed(self, found: Sequence[T], limit: int, position: Callable[[T], Position]) -> Listed[T]:
        """The page, of up to `limit + 1` items: the one too many says that there is more."""
        shown, following = found[:limit], ""
        if len(found) > limit:
            following = self.address(cursor=self._cursors.write(self.address(), position(shown[-1])))
        return Listed(shown, following, self.address() if self._cursor else "")

    def page(self, items: Sequence[T], following: Position | None) -> Listed[T]:
        """The page of a list whose owner says itself where it goes on."""
        behind = "" if following is None else self._cursors.write(self.address(), following)
        return Listed(items, self.address(cursor=behind) if behind else "", self.address() if self._cursor else "")

    def address(self, **others: str) -> str:
        """This list with other filters; an empty one is left out, and the list begins anew."""
        return self.address_at(self._path, **others)

    def address_at(self, path: str, **others: str) -> str:
        """Another page with the filters of this list."""
        filters = {name: value for name, value in {**self._filters, **others}.items() if value}
        return path + (f"?{urlencode(filters)}" if filters else "")
