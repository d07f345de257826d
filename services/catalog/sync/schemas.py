"""What is sent to and answered by the addresses of stock sources."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from typing_extensions import TypedDict

from services.catalog.sync.models import Cause, Format, Layout, RowError, Run, RunState, Source, SourceKind
from services.catalog.sync.usecases import Credentials, NewSource
from shared.web.bodies import ONE_LINE, Body

MAX_NAMED_SKUS: Final = 1000

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), ONE_LINE]
Column = Annotated[str, StringConstraints(min_length=1, max_length=200), ONE_LINE]
Address = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=1900)]
ExternalSku = Annotated[str, StringConstraints(min_length=1, max_length=100), ONE_LINE]
Interval = Annotated[int, Field(ge=60, le=7 * 24 * 3600)]


class LayoutBody(Body):
    """Where a document has what; `items` is the JSON pointer of the list."""

    items: Annotated[str, StringConstraints(pattern=r"^(/[^\x00-\x1f]*)?$", max_length=200)] = ""
    sku: Column = "sku"
    quantity: Column = "quantity"
    version: Column | None = None
    delimiter: Literal[",", ";", "\t", "|"] = ","

    def value(self) -> Layout:
        """The same as a value."""
        return Layout(**self.model_dump())


class CredentialsBody(Body):
    """The header that lets us in. Kept encrypted, never shown again."""

    header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,60}$")] = "Authorization"
    value: Annotated[str, StringConstraints(pattern=r"^[!-~]([ -~]*[!-~])?$", max_length=4000)]

    @model_validator(mode="after")
    def _is_ours_to_send(self) -> Self:
        if self.header.lower() in _NOT_FOR_CREDENTIALS:
            raise ValueError("this header is not for credentials")
        return self

    def value_of(self) -> Credentials:
        """The same as a value."""
        return Credentials(self.header, self.value)


_NOT_FOR_CREDENTIALS: Final = frozenset(
    {
        *("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"),
        *("accept-encoding", "if-none-match", "range"),
    }
)
"""Headers that are the connection's, or ours."""


class SourceBody(Body):
    """A new source. A pull has an address and perhaps an interval in seconds; a push gets a secret."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "Till", "url": "https://example.com/stock.json", "interval_seconds": 900}]
        }
    )

    name: Name
    kind: SourceKind = Field(SourceKind.PULL, strict=False)
    format: Format = Field(Format.JSON, strict=False)
    layout: LayoutBody = LayoutBody()
    url: Address | None = None
    credentials: CredentialsBody | None = None
    interval_seconds: Interval | None = None
    enabled: bool = True

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind is SourceKind.PULL and self.url is None:
            raise ValueError("a pull needs a url")
        if self.kind is SourceKind.PUSH and (self.url or self.credentials or self.interval_seconds):
            raise ValueError("a push has no url, credentials or interval_seconds")
        return self

    def new(self) -> NewSource:
        """The same as a value."""
        return NewSource(
            name=self.name,
            kind=self.kind,
            format=self.format,
            layout=self.layout.value(),
            url=self.url,
            credentials=None if self.credentials is None else self.credentials.value_of(),
            interval_seconds=self.interval_seconds,
            is_enabled=self.enabled,
        )


class ChangeBody(Body):
    """What is to change; what is left out stays. `credentials` and `interval_seconds` null remove them."""

    name: Name | None = None
    format: Format | None = Field(None, strict=False)
    layout: LayoutBody | None = None
    url: Address | None = None
    credentials: CredentialsBody | None = None
    interval_seconds: Interval | None = None
    enabled: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        emptied = {name for name in self.model_fields_set if getattr(self, name) is None}
        if emptied - {"credentials", "interval_seconds"}:
            raise ValueError("only credentials and interval_seconds can be removed")
        return self

    def given(self) -> dict[str, Any]:
        """What is given, by the names of a source's fields."""
        changes: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if self.layout is not None:
            changes["layout"] = self.layout.value()
        if self.credentials is not None:
            changes["credentials"] = self.credentials.value_of()
        if "enabled" in changes:
            changes["is_enabled"] = changes.pop("enabled")
        return changes


class NamedSku(Body):
    """What the source calls a product; `sku` is the product's own, null forgets the name."""

    external_sku: ExternalSku
    sku: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None


class NamedSkusBody(Body):
    """Names to set or forget, each once."""

    items: Annotated[list[NamedSku], Field(min_length=1, max_length=MAX_NAMED_SKUS)]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len({item.external_sku for item in self.items}) < len(self.items):
            raise ValueError("an external SKU is named twice")
        return self


class SourceShown(TypedDict):
    """A source as its vendor sees it: no secret of it. `failures` counts those since the last success."""

    id: UUID
    name: str
    kind: SourceKind
    format: Format
    layout: Layout
    url: str | None
    has_credentials: bool
    push_url: str | None
    interval_seconds: int | None
    enabled: bool
    status: str
    failures: int
    problem: str | None
    next_run_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


class SourceWithSecret(SourceShown):
    """A source with the secret that pushes are signed with, told this once; null for a pull, and in a replay."""

    secret: str | None


class RunShown(TypedDict):
    """A run. `rows` is the sum of the counts that follow it."""

    id: UUID
    cause: Cause
    state: RunState
    rows: int
    changed: int
    unchanged: int
    older: int
    unmatched: int
    invalid: int
    not_modified: bool
    problem: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class RunInFull(RunShown):
    """A run with the first of its unmatched SKUs and of its errors."""

    unmatched_skus: Sequence[str]
    errors: Sequence[RowError]


class NamedSkuShown(TypedDict):
    """What a source calls a product."""

    external_sku: str
    product_id: UUID
    sku: str


class NamedShown(TypedDict):
    """How many names were set."""

    named: int


def source_shape(source: Source) -> SourceShown:
    """A source as its vendor sees it: no secret of it."""
    return {
        "id": source.id,
        "name": source.name,
        "kind": source.kind,
        "format": source.format,
        "layout": source.layout,
        "url": source.url,
        "has_credentials": source.kind is SourceKind.PULL and source.sealed is not None,
        "push_url": f"/hooks/inventory/{source.id}" if source.kind is SourceKind.PUSH else None,
        "interval_seconds": source.interval_seconds,
        "enabled": source.is_enabled,
        "status": source.status,
        "failures": source.failures,
        "problem": source.problem,
        "next_run_at": source.next_run_at if source.is_enabled else None,
        "version": source.version,
        "created_at": source.created_at,
        "updated_at": source.updated_at,
    }


def run_shape(run: Run) -> RunShown:
    """A run in a list."""
    return {
        "id": run.id,
        "cause": run.cause,
        "state": run.state,
        "rows": run.counts.total,
        "changed": run.counts.changed,
        "unchanged": run.counts.unchanged,
        "older": run.counts.older,
        "unmatched": run.counts.unmatched,
        "invalid": run.counts.invalid,
        "not_modified": not run.is_modified,
        "problem": run.problem,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


def run_in_full(run: Run) -> RunInFull:
    """A run with the first of its unmatched SKUs and of its errors."""
    return {
        **run_shape(run),
        "unmatched_skus": run.unmatched_skus,
        "errors": run.errors,
    }


def named_sku_shape(named: tuple[str, UUID, str]) -> NamedSkuShown:
    """What a source calls a product."""
    external, product_id, sku = named
    return {"external_sku": external, "product_id": product_id, "sku": sku}
