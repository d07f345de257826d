"""Which rows each event makes stale."""

from uuid import UUID

import pytest

from services.catalog.cache.invalidation import stale_rows
from services.catalog.cache.models import ABSENT, SHOWN, product_row, slug_row, stock_row, stocks_row, vendor_row
from shared.contracts import events
from shared.contracts.base import Event

PRODUCT, VENDOR = UUID(int=1), UUID(int=2)


def changed(status: str) -> Event:
    return events.ProductChanged(vendor_id=VENDOR, product_id=PRODUCT, version=7, slug="oak", status=status)


def stock(delta: int, on_hand: int) -> Event:
    return events.StockChanged(
        vendor_id=VENDOR, product_id=PRODUCT, delta=delta, on_hand=on_hand, version=3, cause="sale"
    )


LEVELS = (stocks_row(VENDOR), None)
OF_PRODUCT = [LEVELS, (product_row(PRODUCT), 7), (slug_row("oak"), None)]
OF_VENDOR = [(vendor_row(VENDOR), 2), (SHOWN, None), (ABSENT, None)]


@pytest.mark.parametrize(
    ("event", "stale"),
    [
        (changed("approved"), [*OF_PRODUCT, (SHOWN, None)]),
        (changed("archived"), [*OF_PRODUCT, (SHOWN, None)]),
        (changed("pending"), OF_PRODUCT),
        (events.ProductArchived(vendor_id=VENDOR, product_id=PRODUCT, version=7), [LEVELS, (product_row(PRODUCT), 7)]),
        (stock(-1, 4), [LEVELS, (stock_row(PRODUCT), 3)]),
        (stock(-1, 0), [LEVELS, (stock_row(PRODUCT), 3), (SHOWN, None)]),
        (stock(5, 5), [LEVELS, (stock_row(PRODUCT), 3), (SHOWN, None)]),
        (
            events.StockThresholdSet(vendor_id=VENDOR, product_id=PRODUCT, threshold=1, version=3),
            [LEVELS, (stock_row(PRODUCT), 3)],
        ),
        (events.VendorChanged(vendor_id=VENDOR, version=2), [LEVELS, *OF_VENDOR]),
        (events.VendorSuspended(vendor_id=VENDOR, version=2), OF_VENDOR),
        (events.VendorReinstated(vendor_id=VENDOR, version=2), OF_VENDOR),
        (events.AccountChanged(vendor_id=VENDOR, account_id=PRODUCT, version=1), [(ABSENT, None)]),
        (events.AccountChanged(account_id=PRODUCT, version=1), []),
        (events.StockRecovered(vendor_id=VENDOR, product_id=PRODUCT, on_hand=9), []),
    ],
)
def test_an_event_makes_stale(event: Event, stale: list[object]) -> None:
    assert list(stale_rows(event)) == stale
