"""What a service promises of its routes, as data. The OpenAPI document is made of it, tests hold the routes to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel
from typing_extensions import TypedDict  # pydantic reads the standard one from Python 3.12 on

T = TypeVar("T")

JSON: Final = "application/json"


class Page(TypedDict, Generic[T]):
    """One page of a list. `next` is the `cursor` of the page after it, null on the last."""

    items: list[T]
    next: str | None


class Listed(TypedDict, Generic[T]):
    """A list that is short enough to be told at once; `next` is always null."""

    items: list[T]
    next: None


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer. `model` is what pydantic makes a schema of; None is an answer without a body."""

    model: Any = None
    description: str = "Done."
    media_types: Sequence[str] = (JSON,)
    headers: Sequence[str] = ()
    """Beside those that follow from the operation; each is explained in the document's components."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route as its clients know it.

    `id` and all that is promised here only ever gains: programs are generated from it. What every route of its kind
    answers (401 without a key, 404 for an unknown id, 422 for a body that does not fit) is not repeated here.
    """

    route: str
    """Method and path: `GET /api/products/{id}`."""
    id: str
    summary: str
    description: str = ""
    answers: Mapping[int, Answer]
    path: Mapping[str, Any] = field(default_factory=dict)
    """Types of path parameters that are no ids."""
    query: type[BaseModel] | None = None
    headers: type[BaseModel] | None = None
    """Headers it reads beside the usual ones, by alias."""
    body: Any = None
    body_types: Mapping[str, Any] = field(default_factory=dict)
    """Bodies of other media types than JSON."""
    is_body_optional: bool = False
    has_version: bool = False
    """Answers carry the ETag of what they show."""
    needs_version: bool = False
    """`If-Match` must name the version that is to be changed."""
    is_conditional: bool = False
    """`If-None-Match` saves the body."""
    is_creating: bool = False
    """Sent again under one `Idempotency-Key` it makes one thing."""
    errors: Sequence[int] = ()
    """Statuses beyond those that follow from the rest."""

    @property
    def method(self) -> str:
        """In capitals."""
        return self.route.partition(" ")[0]

    @property
    def at(self) -> str:
        """The path's template."""
        return self.route.partition(" ")[2]

    def path_type(self, name: str) -> Any:
        """What a path parameter is; an id unless the operation says otherwise."""
        return self.path.get(name, UUID)


@dataclass(frozen=True, slots=True)
class Group:
    """Operations that belong together: a tag of the document, a section of the reference page."""

    name: str
    description: str
    operations: Sequence[Operation]
