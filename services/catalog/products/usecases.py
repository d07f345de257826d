"""What can be done to a product, and who may. Each change commits with its audit line and its events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from services.catalog import audit
from services.catalog.idempotency import OnceKey, keep, made_before
from services.catalog.images import store as images
from services.catalog.images.models import NewPicture
from services.catalog.inventory import store as inventory
from services.catalog.inventory.models import MovementKind
from services.catalog.models import Actor
from services.catalog.products import store
from services.catalog.products.errors import ContentClosed, ProductNotFound, VendorNotActive, WrongStatus
from services.catalog.products.models import (
    CONTENT_OPEN,
    TRANSITIONS,
    Action,
    Picture,
    PictureStatus,
    Product,
    Status,
    slug_for,
    submission_event_id,
)
from services.catalog.products.store import Changes, NewProduct
from services.catalog.proposals import usecases as proposals
from services.catalog.versions import VersionMismatch
from shared.contracts.base import Event, Money
from shared.contracts.events import ProductArchived, ProductSubmitted, StockChanged
from shared.db.outbox import Outbox
from shared.db.pool import Connection, Pool, connection, transaction
from shared.errors import Conflict
from shared.ids import new_id
from shared.web.audit import Line

AUDIT_ACTIONS: Final[Mapping[Action, str]] = {
    Action.SUBMIT: "product.submitted",
    Action.WITHDRAW: "product.withdrawn",
    Action.APPROVE: "product.approved",
    Action.REJECT: "product.rejected",
    Action.SUSPEND: "product.suspended",
    Action.REINSTATE: "product.reinstated",
    Action.ARCHIVE: "product.archived",
}
PRICE_OPEN: Final = frozenset(Status) - {Status.ARCHIVED}


@dataclass(frozen=True, slots=True)
class GivenPicture:
    """A picture by its address, as given with a product."""

    url: str
    alt: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What a vendor says of a new product. `on_hand` is in pieces."""

    sku: str
    title: str
    description: str
    price: Money
    category: str
    on_hand: int
    attributes: Mapping[str, str | int | float | bool]
    pictures: tuple[GivenPicture, ...]
    submit: bool


@dataclass(frozen=True, slots=True)
class Made:
    """A product, and whether this very request made it."""

    product: Product
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """Products as their vendors and the public use them."""

    pool: Pool
    outbox: Outbox

    async def create(self, actor: Actor, offer: Offer, *, once: OnceKey | None = None) -> Made:
        """Write a product with its stock and pictures, and submit it if the vendor says so: all or nothing.

        A crash before the commit leaves nothing, after it everything; `once` tells the repeated request which.
        Raises `SkuTaken`, `UnknownCategory`, `VendorNotActive`, and what `made_before` raises.
        """
        vendor_id = _vendor_of(actor)
        async with transaction(self.pool) as conn:
            if (known := await made_before(conn, once)) is not None:
                return Made(await _found(conn, known, vendor_id), is_new=False)
            product, pictures = await _made(conn, actor, offer)
            await self._tell_of_new(conn, product, pictures)
            created = audit.Deed("product.created", {"sku": product.sku})
            submitted = [audit.Deed(AUDIT_ACTIONS[Action.SUBMIT])] if offer.submit else []
            await audit.record_all(conn, actor, [created, *submitted], kind="product", object_id=product.id)
            await keep(conn, once, product.id)
            return Made(product, is_new=True)

    async def _tell_of_new(self, conn: Connection, product: Product, pictures: Sequence[NewPicture]) -> None:
        """The events of a new product, and the picture rows that wait for an answer to theirs."""
        submitted: list[Event] = [_submitted(product)] if product.submissions else []
        facts: list[Event] = [picture.added(product.vendor.id) for picture in pictures]
        if product.on_hand:
            facts.append(
                StockChanged(
                    vendor_id=product.vendor.id,
                    product_id=product.id,
                    delta=product.on_hand,
                    on_hand=product.on_hand,
                    version=product.stock_version,
                    cause=MovementKind.RECEIVE.value,
                )
            )
        first_id = submission_event_id(product.id, product.submissions) if submitted else None
        ids = await self.outbox.add(conn, *submitted, *facts, identifier=first_id)
        if pictures:
            await images.insert(conn, pictures, ids[len(submitted) : len(submitted) + len(pictures)])

    async def change(self, actor: Actor, product_id: UUID, changes: Changes, *, version: int) -> Product:
        """Change what is given if the product is still at `version`.

        The price applies in every status but archived; the rest of an approved product is added to its proposal. Raises
        `ProductNotFound`, `VersionMismatch`, `ContentClosed`, `UnknownCategory`, `VendorNotActive`.
        """
        vendor_id = _vendor_of(actor)
        async with transaction(self.pool) as conn:
            before = await _found(conn, product_id, vendor_id)
            is_proposal = before.status is Status.APPROVED and bool(changes.content.names)
            applied = Changes(price=changes.price) if is_proposal else changes
            statuses = CONTENT_OPEN if applied.content.names else PRICE_OPEN
            if not await store.change(
                conn, product_id, applied, vendor_id=vendor_id, version=version, statuses=statuses
            ):
                raise await _why_unchanged(conn, product_id, vendor_id, version)
            after = await _found(conn, product_id, vendor_id)
            if is_proposal:
                await proposals.propose(conn, self.outbox, actor, after, changes.content)
            if applied != Changes():
                difference = _difference(before, after)
                await audit.record(conn, actor, "product.changed", kind="product", object_id=product_id, **difference)
            await self.outbox.add(conn, after.changed())
            return await _found(conn, product_id, vendor_id)

    async def submit(self, actor: Actor, product_id: UUID) -> Product:
        """Ask for approval. Raises `ProductNotFound`, `WrongStatus`, `VendorNotActive`."""
        vendor_id = _vendor_of(actor)
        async with transaction(self.pool) as conn:
            if not (await store.vendor_status(conn, vendor_id))[1]:
                raise VendorNotActive.to_submit()
            product = await moved(conn, actor, product_id, Action.SUBMIT, vendor_id=vendor_id)
            event_id = submission_event_id(product.id, product.submissions)
            await self.outbox.add(conn, _submitted(product), product.changed(), identifier=event_id)
            return product

    async def withdraw(self, actor: Actor, product_id: UUID) -> Product:
        """Take back what waits for approval: the product, or what is proposed of one that is in the catalogue.

        Raises `ProductNotFound`, `WrongStatus`.
        """
        vendor_id = _vendor_of(actor)
        async with transaction(self.pool) as conn:
            before = await held(conn, product_id, vendor_id=vendor_id)
            if before.proposed is None:
                product = await moved(conn, actor, product_id, Action.WITHDRAW, vendor_id=vendor_id)
            else:
                await proposals.discard(conn, actor, before)
                product = await touched(conn, product_id)
            await self.outbox.add(conn, product.changed())
            return product

    async def archive(self, actor: Actor, product_id: UUID) -> Product:
        """Take a product away for good; its sku is free again. Raises `ProductNotFound`, `WrongStatus`."""
        async with transaction(self.pool) as conn:
            product = await moved(conn, actor, product_id, Action.ARCHIVE, vendor_id=_vendor_of(actor))
            await proposals.discard(conn, actor, product)
            archived = ProductArchived(vendor_id=product.vendor.id, product_id=product.id, version=product.version)
            await self.outbox.add(conn, archived, product.changed())
            return await _found(conn, product_id, product.vendor.id)

    async def of_vendor(
        self, vendor_id: UUID, *, status: Status | None, below: UUID | None, limit: int
    ) -> list[Product]:
        """A vendor's products, newest first."""
        async with connection(self.pool) as conn:
            return await store.of_vendor(conn, vendor_id, status=status, below=below, limit=limit)

    async def of_all(
        self, *, status: Status | None, vendor_id: UUID | None, pattern: str | None, below: UUID | None, limit: int
    ) -> list[Product]:
        """Everybody's products as admins look for them, newest first; `pattern` is one of ILIKE, of title or SKU."""
        async with connection(self.pool) as conn:
            return await store.of_all(
                conn, status=status, vendor_id=vendor_id, pattern=pattern, below=below, limit=limit
            )

    async def one(self, product_id: UUID, *, vendor_id: UUID | None) -> Product:
        """A product as its vendor or, without one, an admin sees it. Raises `ProductNotFound`."""
        async with connection(self.pool) as conn:
            return await _found(conn, product_id, vendor_id)

    async def newest(self, wanted: store.Filter, *, below: UUID | None, limit: int) -> list[Product]:
        """The catalogue, newest first."""
        async with connection(self.pool) as conn:
            return await store.newest(conn, wanted, below=below, limit=limit)

    async def by_price(
        self, wanted: store.Filter, *, dearest_first: bool, behind: tuple[int, UUID] | None, limit: int
    ) -> list[Product]:
        """The catalogue in order of price."""
        async with connection(self.pool) as conn:
            return await store.by_price(conn, wanted, dearest_first=dearest_first, behind=behind, limit=limit)

    async def timeline(self, product_id: UUID, *, vendor_id: UUID | None, below: UUID, limit: int) -> Sequence[Line]:
        """What happened to a product, newest first. Raises `ProductNotFound`."""
        async with connection(self.pool) as conn:
            await _found(conn, product_id, vendor_id)
            return await audit.entries(conn, below=below, limit=limit, about=("product", str(product_id)))


async def moved(
    conn: Connection,
    actor: Actor,
    product_id: UUID,
    action: Action,
    *,
    vendor_id: UUID | None = None,
    reasons: Sequence[Mapping[str, str]] = (),
    note: str = "",
) -> Product:
    """Do one transition with its audit line, in the caller's transaction, which adds the events.

    Of two at once one waits for the other's commit, then finds the status changed. Raises `ProductNotFound`,
    `WrongStatus`.
    """
    if not await store.move(conn, product_id, TRANSITIONS[action], vendor_id=vendor_id, reasons=reasons):
        product = await _found(conn, product_id, vendor_id)
        raise WrongStatus.of(action, product.status)
    said = {key: value for key, value in (("reasons", list(reasons)), ("note", note)) if value}
    await audit.record(conn, actor, AUDIT_ACTIONS[action], kind="product", object_id=product_id, **said)
    return await _found(conn, product_id, vendor_id)


async def held(
    conn: Connection, product_id: UUID, *, vendor_id: UUID | None = None, version: int | None = None
) -> Product:
    """A product that nobody else changes until the transaction ends. Raises `ProductNotFound`, `VersionMismatch`."""
    await store.hold(conn, product_id, vendor_id=vendor_id)
    product = await _found(conn, product_id, vendor_id)
    if version is not None and product.version != version:
        raise VersionMismatch(f"The product is at version {product.version} by now.")
    return product


async def touched(conn: Connection, product_id: UUID) -> Product:
    """A product the transaction holds, its version raised because something shown with it changed."""
    await store.touch(conn, product_id, statuses=frozenset(Status))
    return await _found(conn, product_id, None)


async def _found(conn: Connection, product_id: UUID, vendor_id: UUID | None) -> Product:
    product = await store.one(conn, product_id, vendor_id=vendor_id)
    if product is None:
        raise ProductNotFound.any()
    return product


async def _why_unchanged(
    conn: Connection, product_id: UUID, vendor_id: UUID, version: int
) -> Conflict | VersionMismatch:
    product = await _found(conn, product_id, vendor_id)
    if product.version != version:
        return VersionMismatch(f"The product is at version {product.version} by now.")
    return ContentClosed(f"The product is {product.status}: this can be changed in a draft or after a rejection.")


async def _made(conn: Connection, actor: Actor, offer: Offer) -> tuple[Product, list[NewPicture]]:
    """Write a new product and its level; the product as reading it back would show it, and its pictures to be written.

    Raises `SkuTaken`, `UnknownCategory`, `VendorNotActive`.
    """
    new = _new_product(offer, _vendor_of(actor))
    inserted = await store.insert(conn, new, needs_active=offer.submit)
    if inserted is None:
        raise VendorNotActive.to_submit()
    stock_version = await inventory.open_level(conn, new.id, on_hand=offer.on_hand, account_id=actor.account_id)
    pictures = [
        NewPicture(new_id(), new.id, position, given.alt, given.url) for position, given in enumerate(offer.pictures)
    ]
    shown = tuple(Picture(each.id, PictureStatus.PENDING, each.alt, None, (), None) for each in pictures)
    product = Product(
        id=new.id,
        sku=new.sku,
        slug=new.slug,
        title=new.title,
        description=new.description,
        price=new.price,
        category=new.category,
        attributes=inserted.attributes,
        vendor=inserted.vendor,
        status=new.status,
        reasons=(),
        submissions=int(offer.submit),
        submitted_at=inserted.submitted_at,
        version=inserted.version,
        on_hand=offer.on_hand,
        stock_version=stock_version,
        pictures=shown,
        proposed_pictures=shown,
        proposed=None,
        created_at=inserted.created_at,
        updated_at=inserted.updated_at,
    )
    return product, pictures


def _submitted(product: Product) -> ProductSubmitted:
    """The event by which admins are asked."""
    return ProductSubmitted(
        vendor_id=product.vendor.id,
        product_id=product.id,
        version=product.version,
        sku=product.sku,
        title=product.title,
        vendor_name=product.vendor.name,
        price=product.price,
        round=product.submissions,
        pictures=len(product.pictures),
        description_chars=len(product.description),
    )


def _vendor_of(actor: Actor) -> UUID:
    assert actor.vendor_id is not None, "the access table lets only vendors in here"
    return actor.vendor_id


def _new_product(offer: Offer, vendor_id: UUID) -> NewProduct:
    identifier = new_id()
    return NewProduct(
        id=identifier,
        vendor_id=vendor_id,
        sku=offer.sku,
        slug=slug_for(offer.title, identifier),
        title=offer.title,
        description=offer.description,
        price=offer.price,
        category=offer.category,
        attributes=offer.attributes,
        status=Status.PENDING if offer.submit else Status.DRAFT,
    )


def _difference(before: Product, after: Product) -> dict[str, object]:
    """What the audit log keeps of a change: the fields, and both prices."""
    changed: dict[str, object] = {
        "fields": [
            name
            for name in ("title", "description", "category", "attributes", "price")
            if getattr(before, name) != getattr(after, name)
        ]
    }
    if before.price != after.price:
        changed["price_minor"] = [before.price.amount_minor, after.price.amount_minor]
    return changed
