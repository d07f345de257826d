"""Which rows an event makes stale. One table of the catalog's own events; no I/O."""

from collections.abc import Iterator
from typing import Final

from services.catalog.cache.floors import Row
from services.catalog.cache.models import (
    ABSENT,
    SHOWN,
    product_row,
    slug_row,
    stock_row,
    stocks_row,
    vendor_row,
)
from services.catalog.products.models import Status
from shared.contracts.base import Event
from shared.contracts.events import (
    AccountChanged,
    ProductChanged,
    ProductEvent,
    StockChanged,
    StockThresholdSet,
    VendorChanged,
    VendorReinstated,
    VendorSuspended,
)

Stale = tuple[Row, int | None]
"""A row and the version it has now; None: whatever was made of it is uncertain."""

_SHOWN_BEFORE_OR_AFTER: Final = frozenset({Status.APPROVED, Status.SUSPENDED, Status.ARCHIVED})
"""A product in another status was not in the catalogue just before either."""


_SHOWN_WITH_STOCK: Final = (ProductEvent, StockChanged, StockThresholdSet, VendorChanged)
"""What changes a vendor's list of levels: the levels, titles and statuses, and the vendor's default threshold."""


def stale_rows(event: Event) -> Iterator[Stale]:
    """The rows an event tells of."""
    if isinstance(event, _SHOWN_WITH_STOCK) and event.vendor_id is not None:
        yield stocks_row(event.vendor_id), None
    match event:
        case ProductEvent():
            yield product_row(event.product_id), event.version
            if isinstance(event, ProductChanged):
                yield slug_row(event.slug), None
                if event.status in _SHOWN_BEFORE_OR_AFTER:
                    yield SHOWN, None
        case StockChanged() | StockThresholdSet():
            yield stock_row(event.product_id), event.version
            if isinstance(event, StockChanged) and _ran_out_or_came_back(event):
                yield SHOWN, None
        case VendorChanged() | VendorSuspended() | VendorReinstated():
            assert event.vendor_id is not None, "it is about a vendor"
            yield vendor_row(event.vendor_id), event.version
            yield SHOWN, None
            yield ABSENT, None
        case AccountChanged() if event.vendor_id is not None:
            yield ABSENT, None  # a new vendor comes with its first account
        case _:
            return


def _ran_out_or_came_back(event: StockChanged) -> bool:
    """Lists show whether there is stock, not how much."""
    return (event.on_hand > 0) != (event.on_hand - event.delta > 0)
