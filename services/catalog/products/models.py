"""What a product is, and through which states it goes. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final
from uuid import UUID

from pydantic import JsonValue

from services.catalog.models import slug_of
from services.catalog.proposals.models import Content, Proposal
from shared.contracts.base import Money
from shared.contracts.events import ProductChanged
from shared.ids import derived_id, time_of


class Status(StrEnum):
    """Where a product stands."""

    DRAFT = "draft"
    """Only its vendor sees it."""
    PENDING = "pending"
    """Waits for an admin's decision; its text stays as it is meanwhile."""
    APPROVED = "approved"
    """In the catalogue, as long as its vendor is active."""
    REJECTED = "rejected"
    """Turned down with reasons; its vendor changes it and submits it again."""
    SUSPENDED = "suspended"
    """Taken out of sight by an admin."""
    ARCHIVED = "archived"
    """Taken away by its vendor for good."""


class Action(StrEnum):
    """What moves a product from one status to another; also the action in the audit log."""

    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    APPROVE = "approve"
    REJECT = "reject"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"
    ARCHIVE = "archive"


@dataclass(frozen=True, slots=True)
class Transition:
    """Where an action may begin and where it ends."""

    sources: frozenset[Status]
    target: Status


TRANSITIONS: Final[Mapping[Action, Transition]] = {
    Action.SUBMIT: Transition(frozenset({Status.DRAFT, Status.REJECTED}), Status.PENDING),
    Action.WITHDRAW: Transition(frozenset({Status.PENDING}), Status.DRAFT),
    Action.APPROVE: Transition(frozenset({Status.PENDING}), Status.APPROVED),
    Action.REJECT: Transition(frozenset({Status.PENDING}), Status.REJECTED),
    Action.SUSPEND: Transition(frozenset({Status.APPROVED}), Status.SUSPENDED),
    Action.REINSTATE: Transition(frozenset({Status.SUSPENDED}), Status.APPROVED),
    Action.ARCHIVE: Transition(frozenset(Status) - {Status.PENDING, Status.ARCHIVED}, Status.ARCHIVED),
}
"""All there is: what is not in here does not happen."""

CONTENT_OPEN: Final = frozenset({Status.DRAFT, Status.REJECTED})
"""Where title, description, category and attributes change at once: nothing is swapped behind a decision."""
PICTURES_OPEN: Final = CONTENT_OPEN | {Status.PENDING, Status.APPROVED}
"""Where pictures come and go; those of an approved product as a proposal."""

MAX_PICTURES: Final = 12


class PictureStatus(StrEnum):
    """How far a picture is."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Rendition:
    """One size and format, served at `/media/<key>`."""

    preset: str
    format: str
    width: int
    height: int
    bytes: int
    key: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a product. `failure` says why there are no renditions."""

    id: UUID
    status: PictureStatus
    alt: str
    placeholder: str | None
    renditions: tuple[Rendition, ...]
    failure: str | None


@dataclass(frozen=True, slots=True)
class VendorOf:
    """Whose product it is."""

    id: UUID
    slug: str
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class Product:
    """A product with all that is shown of it. `on_hand` is in pieces.

    `pictures` are those of the product as it is, `proposed_pictures` as it would be; `proposed` is read with a vendor's
    own products and by admins.
    """

    id: UUID
    sku: str
    slug: str
    title: str
    description: str
    price: Money
    category: str
    attributes: Mapping[str, JsonValue]
    vendor: VendorOf
    status: Status
    reasons: tuple[Mapping[str, str], ...]
    submissions: int
    submitted_at: datetime
    version: int
    on_hand: int
    stock_version: int
    pictures: tuple[Picture, ...]
    proposed_pictures: tuple[Picture, ...]
    proposed: Proposal | None
    created_at: datetime
    updated_at: datetime

    @property
    def content(self) -> Content:
        """What an admin decides about."""
        return Content(self.title, self.description, self.category, self.attributes)

    @property
    def proposes_pictures(self) -> bool:
        """Whether pictures would come or go."""
        return self.pictures != self.proposed_pictures

    @property
    def is_change_pending(self) -> bool:
        """Whether admins are asked about a proposal."""
        return self.proposed is not None and self.proposed.is_pending

    @property
    def is_waiting(self) -> bool:
        """Whether admins are asked about the product, or about what is proposed of it."""
        return self.status is Status.PENDING or (self.status is Status.APPROVED and self.is_change_pending)

    @property
    def waits_since(self) -> datetime:
        """When they were asked last."""
        return self.submitted_at if self.proposed is None else self.proposed.proposed_at

    @property
    def proposed_names(self) -> list[str]:
        """What would change with the proposal."""
        content = () if self.proposed is None else self.proposed.content.names
        return [*content, *(["images"] if self.proposes_pictures else [])]

    @property
    def etag(self) -> str:
        """Changes with whatever is shown: the product, its stock, its vendor. `If-Match` asks for the first part."""
        return f"{self.version}.{self.stock_version}.{self.vendor.version}"

    def changed(self) -> ProductChanged:
        """The event that makes every cached copy of an older version stale."""
        return ProductChanged(
            vendor_id=self.vendor.id,
            product_id=self.id,
            version=self.version,
            slug=self.slug,
            status=self.status.value,
            pictures=len(self.pictures),
            description_chars=len(self.description),
        )


_WORDS_CHARS: Final = 60


def slug_for(title: str, identifier: UUID) -> str:
    """The product's name in addresses: words of the title, and enough of the id to be its own. Never changes."""
    words = slug_of(title, otherwise="product")[:_WORDS_CHARS].strip("-")
    return f"{words}-{identifier.hex[-10:]}"


@lru_cache(maxsize=1024)
def submission_event_id(product_id: UUID, submission: int) -> UUID:
    """The id of the `product.submitted` event of the nth submission: a replayed request links the same jobs."""
    return derived_id(time_of(product_id), product_id, "product.submitted", submission)
