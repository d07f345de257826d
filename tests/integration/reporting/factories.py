"""Events as the catalog and the ledger publish them."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from shared.contracts.base import Event, Money, Reason
from shared.contracts.envelope import Envelope, wrap
from shared.contracts.events import (
    JobFailed,
    OrderCancelled,
    OrderLine,
    OrderPlaced,
    ProductApproved,
    ProductChanged,
    ProductRejected,
    ProductSubmitted,
    StockChanged,
    StockLow,
    StockRecovered,
)
from shared.ids import new_id

VENDOR_A = UUID("018f0000-0000-7000-8000-00000000000a")
VENDOR_B = UUID("018f0000-0000-7000-8000-00000000000b")


def at(text: str) -> datetime:
    """A UTC time."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def make_line(
    vendor_id: UUID = VENDOR_A,
    *,
    quantity: int = 1,
    price: int = 1000,
    currency: str = "EUR",
    product_id: UUID | None = None,
    title: str = "Lamp",
) -> OrderLine:
    """One line of an order."""
    return OrderLine(
        product_id=product_id or uuid4(),
        vendor_id=vendor_id,
        quantity=quantity,
        unit_price=Money(amount_minor=price, currency=currency),
        title=title,
    )


def make_order(placed_at: datetime, *lines: OrderLine) -> OrderPlaced:
    """An order, of one line if none is given."""
    return OrderPlaced(order_id=uuid4(), channel="shop", placed_at=placed_at, lines=lines or (make_line(),))


def make_cancellation(order: OrderPlaced) -> OrderCancelled:
    """The end of an order."""
    return OrderCancelled(
        order_id=order.order_id,
        channel=order.channel,
        placed_at=order.placed_at,
        cancelled_at=order.placed_at,
        lines=order.lines,
    )


def make_submission() -> ProductSubmitted:
    """A product that asks for approval."""
    return ProductSubmitted(
        product_id=uuid4(),
        version=1,
        vendor_id=VENDOR_A,
        sku="L-1",
        title="Lamp",
        vendor_name="A",
        price=Money(amount_minor=1000, currency="EUR"),
    )


def make_approval(product_id: UUID | None = None) -> ProductApproved:
    """A product let in."""
    return ProductApproved(product_id=product_id or uuid4(), version=2, vendor_id=VENDOR_A, title="Lamp", slug="lamp")


def make_rejection(product_id: UUID | None = None, *reasons: str) -> ProductRejected:
    """A product turned down."""
    why = tuple(Reason(code=code, note="") for code in reasons)
    return ProductRejected(product_id=product_id or uuid4(), version=2, vendor_id=VENDOR_A, title="Lamp", reasons=why)


def make_changed(product_id: UUID, *, version: int, pictures: int) -> ProductChanged:
    """A product that looks different."""
    return ProductChanged(
        product_id=product_id, version=version, vendor_id=VENDOR_A, slug="lamp", status="pending", pictures=pictures
    )


def make_stock(product_id: UUID, *, on_hand: int, delta: int) -> StockChanged:
    """A stock movement."""
    return StockChanged(
        product_id=product_id, vendor_id=VENDOR_A, delta=delta, on_hand=on_hand, version=2, cause="count"
    )


def make_low(product_id: UUID) -> StockLow:
    """A product that is low from now on."""
    return StockLow(product_id=product_id, vendor_id=VENDOR_A, on_hand=1, threshold=2)


def make_recovered(product_id: UUID) -> StockRecovered:
    """A product that is low no more."""
    return StockRecovered(product_id=product_id, vendor_id=VENDOR_A, on_hand=9)


def make_failure(job_type: str = "send-email", *, target: str = "x", cause_id: UUID | None = None) -> JobFailed:
    """A job that failed for good."""
    return JobFailed(
        job_id=uuid4(),
        job_type=job_type,
        cause_id=cause_id,
        target=target,
        error_class="Unavailable",
        error_message="no answer",
    )


def enveloped(event: Event, *, time: datetime | None = None) -> Envelope:
    """The event in an envelope of its own."""
    return wrap(
        event,
        identifier=new_id(),
        kind=event.type,
        source="catalog",
        subject=event.subject,
        time=time or datetime.now(UTC),
    )
