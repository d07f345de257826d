"""What is done with proposals. Each step is part of the caller's transaction, which holds the product."""

from collections.abc import Mapping, Sequence
from typing import Final

from services.catalog import audit
from services.catalog.models import Actor
from services.catalog.products import store as products
from services.catalog.products.errors import VendorNotActive, WrongStatus
from services.catalog.products.models import Action, Product, Status, submission_event_id
from services.catalog.proposals import store
from services.catalog.proposals.errors import ProposalRevised
from services.catalog.proposals.models import Content
from shared.contracts.events import ProductSubmitted
from shared.db.outbox import Outbox
from shared.db.pool import Connection
from shared.ids import new_id

NOTHING: Final = Content()


async def propose(conn: Connection, outbox: Outbox, actor: Actor, product: Product, said: Content = NOTHING) -> None:
    """Add what is said to the product's proposal; its pictures are noted already, and `product` was read since.

    The admins are told when there was none, or a rejected one. What brings everything back to how it is live ends the
    proposal. Raises `VendorNotActive`, `UnknownCategory`.
    """
    vendor_name, is_active = await products.vendor_status(conn, product.vendor.id)
    if not is_active:
        raise VendorNotActive("A suspended vendor cannot propose changes.")
    earlier = product.proposed
    content = (NOTHING if earlier is None else earlier.content).then(said, live=product.content)
    if not content.names and not product.proposes_pictures:
        await discard(conn, actor, product)
        return
    if earlier is not None and earlier.is_pending:
        await store.revise(conn, product.id, content)
    else:
        await store.put(conn, product.id, new_id(), content)
        await _tell_admins(conn, outbox, product, vendor_name)
    fields = [*content.names, *(["images"] if product.proposes_pictures else [])]
    await audit.record(conn, actor, "product.change_proposed", kind="product", object_id=product.id, fields=fields)


async def accept(conn: Connection, actor: Actor, product: Product, *, is_seen: bool) -> None:
    """Make what is proposed the live product. `is_seen`: the admin named what they looked at.

    Raises `WrongStatus` for a suspended product, `ProposalRevised`.
    """
    if not await store.accept(conn, product.id, is_seen=is_seen):
        raise _undecidable(product, Action.APPROVE)
    await audit.record(
        conn, actor, "product.change_approved", kind="product", object_id=product.id, fields=product.proposed_names
    )


async def reject(
    conn: Connection, actor: Actor, product: Product, reasons: Sequence[Mapping[str, str]], *, is_seen: bool
) -> None:
    """Leave the live product as it is. Raises `ProposalRevised`."""
    if product.status is not Status.APPROVED or not await store.reject(conn, product.id, reasons, is_seen=is_seen):
        raise _undecidable(product, Action.REJECT)
    await audit.record(
        conn, actor, "product.change_rejected", kind="product", object_id=product.id, reasons=list(reasons)
    )


async def discard(conn: Connection, actor: Actor, product: Product) -> None:
    """Forget what is proposed, decided or not. Without effect when there is nothing."""
    if await store.discard(conn, product.id) is not None:
        await audit.record(conn, actor, "product.change_withdrawn", kind="product", object_id=product.id)


async def _tell_admins(conn: Connection, outbox: Outbox, product: Product, vendor_name: str) -> None:
    submissions = await products.submitted_again(conn, product.id)
    submitted = ProductSubmitted(
        vendor_id=product.vendor.id,
        product_id=product.id,
        version=product.version,
        sku=product.sku,
        title=product.title,
        vendor_name=vendor_name,
        price=product.price,
        round=submissions,
        is_change=True,
    )
    await outbox.add(conn, submitted, identifier=submission_event_id(product.id, submissions))


def _undecidable(product: Product, action: Action) -> WrongStatus | ProposalRevised:
    if product.status is not Status.APPROVED:
        return WrongStatus.of(action, product.status)
    return ProposalRevised()
