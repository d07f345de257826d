"""What is sent to and answered by the addresses of products."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import Field, JsonValue, StringConstraints, model_validator
from typing_extensions import TypedDict

from services.catalog.inventory.models import MAX_PIECES
from services.catalog.products.models import MAX_PICTURES, Picture, PictureStatus, Product, Status, submission_event_id
from services.catalog.products.store import Changes, Filter
from services.catalog.products.usecases import GivenPicture, Offer
from services.catalog.proposals.models import ProposalStatus
from shared.contracts.base import Money
from shared.currencies import CurrencyCode
from shared.web.audit import Line
from shared.web.bodies import ONE_LINE, Body
from shared.web.paging import PageQuery

MAX_SAFE_INTEGER: Final = 2**53
"""Beyond it JSON readers disagree (RFC 8259, section 6)."""


Sku = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$")]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), ONE_LINE]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)]
Alt = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]
Address = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$", max_length=1900)]
AttributeName = Annotated[str, StringConstraints(min_length=1, max_length=60)]
AttributeValue = (
    Annotated[str, StringConstraints(max_length=500)]
    | bool
    | Annotated[int, Field(ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]
    | Annotated[float, Field(allow_inf_nan=False)]
)
Attributes = Annotated[dict[AttributeName, AttributeValue], Field(max_length=50)]
Pieces = Annotated[int, Field(ge=0, le=MAX_PIECES)]
Minor = Annotated[int, Field(ge=0, le=10**12)]


class MoneyShown(TypedDict):
    """An amount in the currency's smallest unit."""

    amount_minor: int
    currency: str


class PriceBody(Body):
    """An amount in the currency's smallest unit."""

    amount_minor: Minor
    """1999 is 19.99 of a currency with cents."""
    currency: CurrencyCode
    """ISO 4217."""

    def money(self) -> Money:
        """The same as a value."""
        return Money(amount_minor=self.amount_minor, currency=self.currency)


class PictureBody(Body):
    """A picture by its address."""

    url: Address
    alt: Alt = ""


class OfferBody(Body):
    """A new product."""

    sku: Sku
    """The vendor's own number for it; no two of a vendor's products share one."""
    title: Title
    description: Description
    price: PriceBody
    category: Slug
    """The slug of one of `GET /api/categories`."""
    on_hand: Pieces
    """What is in stock, in pieces."""
    attributes: Attributes = Field(default_factory=dict)
    images: Annotated[list[PictureBody], Field(max_length=MAX_PICTURES, default_factory=list)]
    """Fetched and rendered in the background."""
    submit: bool = True
    """Put it to the admins at once; else it is a draft."""

    def offer(self) -> Offer:
        """The same as a value."""
        return Offer(
            sku=self.sku,
            title=self.title,
            description=self.description,
            price=self.price.money(),
            category=self.category,
            on_hand=self.on_hand,
            attributes=self.attributes,
            pictures=tuple(GivenPicture(image.url, image.alt) for image in self.images),
            submit=self.submit,
        )


class ChangesBody(Body):
    """What to change; what is not given stays. Stock has its own address."""

    title: Title | None = None
    description: Description | None = None
    price: PriceBody | None = None
    category: Slug | None = None
    attributes: Attributes | None = None

    @model_validator(mode="after")
    def _something(self) -> "ChangesBody":
        if not self.model_fields_set or any(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("give at least one field, and a value for each")
        return self

    def changes(self) -> Changes:
        """The same as a value."""
        return Changes(
            title=self.title,
            description=self.description,
            category=self.category,
            attributes=self.attributes,
            price=None if self.price is None else self.price.money(),
        )


class VendorListQuery(PageQuery):
    """A vendor's own products."""

    status: Status | None = None


class CatalogueQuery(PageQuery):
    """What a reader of the catalogue looks for. Prices in minor units."""

    q: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] | None = None
    category: Slug | None = None
    vendor: Slug | None = None
    min_price: Minor | None = None
    max_price: Minor | None = None
    in_stock: bool | None = None
    sort: Literal["newest", "price", "-price"] = "newest"

    def wanted(self) -> Filter:
        """The same as a value."""
        return Filter(
            category=self.category,
            vendor=self.vendor,
            pattern=None if self.q is None else f"%{_literally(self.q)}%",
            min_price=self.min_price,
            max_price=self.max_price,
            in_stock=self.in_stock,
        )


class VendorOfProduct(TypedDict):
    """Whose product it is."""

    id: UUID
    name: str
    slug: str


class RenditionShown(TypedDict):
    """One size and format of a picture."""

    preset: str
    format: str
    width: int
    height: int
    bytes: int
    url: str


class PictureShown(TypedDict):
    """A picture; without renditions it is not ready yet. `placeholder` is a tiny picture as a `data:` address."""

    id: UUID
    status: PictureStatus
    alt: str
    placeholder: str | None
    renditions: list[RenditionShown]


class OwnPicture(PictureShown):
    """A picture as its vendor sees it: `failure` says why it could not be made ready."""

    failure: str | None


class RejectionReason(TypedDict):
    """A code of the marketplace's list, and what an admin adds to it."""

    code: str
    note: str


class ProductShown(TypedDict):
    """What everybody sees of a product."""

    id: UUID
    sku: str
    slug: str
    title: str
    description: str
    price: MoneyShown
    category: str
    attributes: Mapping[str, JsonValue]
    vendor: VendorOfProduct
    version: int
    created_at: datetime
    updated_at: datetime
    status: Status


class CatalogueProduct(ProductShown):
    """A product as the public sees it, with the pictures that are ready."""

    in_stock: bool
    images: list[PictureShown]


class ProposedShown(TypedDict):
    """How an approved product would be, all of it; `fields` names what differs from how it is.

    A rejected proposal says why, and is proposed again by changing it.
    """

    status: ProposalStatus
    fields: list[str]
    title: str
    description: str
    category: str
    attributes: Mapping[str, JsonValue]
    images: list[OwnPicture]
    reasons: list[RejectionReason]
    proposed_at: datetime
    updated_at: datetime


class OwnProduct(ProductShown):
    """A product as its vendor and the admins see it. `jobs` is the address of the jobs of its last submission."""

    on_hand: int
    reasons: list[RejectionReason]
    submissions: int
    images: list[OwnPicture]
    proposed: ProposedShown | None
    jobs: str | None


class TimelineEntry(TypedDict):
    """A line of a product's history. Which person of the marketplace decided is not told."""

    id: UUID
    at: datetime
    action: str
    role: str
    detail: Mapping[str, JsonValue]


def product_for_vendor(product: Product) -> OwnProduct:
    """A product as its vendor and the admins see it."""
    return {
        **_product(product),
        "on_hand": product.on_hand,
        "reasons": _reasons(product.reasons),
        "submissions": product.submissions,
        "images": _own_pictures(product.pictures),
        "proposed": _proposed(product),
        "jobs": jobs_of(product),
    }


def product_for_all(product: Product) -> CatalogueProduct:
    """A product as the public sees it: with the pictures that are ready."""
    return {
        **_product(product),
        "in_stock": product.on_hand > 0,
        "images": [_picture(picture) for picture in product.pictures if picture.renditions],
    }


def jobs_of(product: Product) -> str | None:
    """Where the vendor sees the jobs of the last submission."""
    if not product.submissions:
        return None
    return f"/api/vendor/jobs?cause={submission_event_id(product.id, product.submissions)}"


def timeline_entry(entry: Line) -> TimelineEntry:
    """A line of a product's history."""
    return {"id": entry.id, "at": entry.at, "action": entry.action, "role": entry.role, "detail": entry.detail}


def _proposed(product: Product) -> ProposedShown | None:
    proposal = product.proposed
    if proposal is None:
        return None
    content = proposal.content
    return {
        "status": proposal.status,
        "fields": product.proposed_names,
        "title": content.title or product.title,
        "description": product.description if content.description is None else content.description,
        "category": content.category or product.category,
        "attributes": product.attributes if content.attributes is None else content.attributes,
        "images": _own_pictures(product.proposed_pictures),
        "reasons": _reasons(proposal.reasons),
        "proposed_at": proposal.proposed_at,
        "updated_at": proposal.updated_at,
    }


def _product(product: Product) -> ProductShown:
    return {
        "id": product.id,
        "sku": product.sku,
        "slug": product.slug,
        "title": product.title,
        "description": product.description,
        "price": {"amount_minor": product.price.amount_minor, "currency": product.price.currency},
        "category": product.category,
        "attributes": product.attributes,
        "vendor": {"id": product.vendor.id, "name": product.vendor.name, "slug": product.vendor.slug},
        "version": product.version,
        "created_at": product.created_at,
        "updated_at": product.updated_at,
        "status": product.status,
    }


def _picture(picture: Picture) -> PictureShown:
    return {
        "id": picture.id,
        "status": picture.status,
        "alt": picture.alt,
        "placeholder": picture.placeholder,
        "renditions": [
            {
                "preset": rendition.preset,
                "format": rendition.format,
                "width": rendition.width,
                "height": rendition.height,
                "bytes": rendition.bytes,
                "url": f"/media/{rendition.key}",
            }
            for rendition in picture.renditions
        ],
    }


def _own_pictures(pictures: Iterable[Picture]) -> list[OwnPicture]:
    return [{**_picture(picture), "failure": picture.failure} for picture in pictures]


def _reasons(reasons: Iterable[Mapping[str, str]]) -> list[RejectionReason]:
    return [{"code": reason["code"], "note": reason["note"]} for reason in reasons]


def _literally(text: str) -> str:
    """`text` for ILIKE, its wildcards taken as they are."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
