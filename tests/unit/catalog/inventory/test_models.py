"""When an alert opens and closes."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from services.catalog.inventory.models import Crossing, Level

LOW, RECOVERED = Crossing.LOW, Crossing.RECOVERED


@pytest.mark.parametrize(
    ("threshold", "has_alert", "before", "after", "crossing"),
    [
        (5, False, 8, 6, None),
        (5, False, 6, 5, LOW),
        (5, False, 9, 0, LOW),
        (5, False, 3, 4, None),  # it rises: the next check sees it
        (5, True, 5, 2, None),
        (5, True, 5, 6, None),  # a fifth above the threshold is not passed
        (5, True, 5, 7, RECOVERED),
        (0, False, 1, 0, LOW),
        (0, True, 0, 1, RECOVERED),
        (100, True, 100, 120, None),
        (100, True, 100, 121, RECOVERED),
    ],
)
def test_an_alert_opens_at_the_threshold_and_closes_a_fifth_above(
    threshold: int, has_alert: bool, before: int, after: int, crossing: Crossing | None
) -> None:
    assert level(threshold, has_alert, before).crossing(after) is crossing


def test_what_is_not_for_sale_is_not_missed() -> None:
    assert level(5, False, 6, is_for_sale=False).crossing(0) is None
    assert level(5, True, 0, is_for_sale=False).crossing(9) is RECOVERED


def level(threshold: int, has_alert: bool, on_hand: int, *, is_for_sale: bool = True) -> Level:
    return Level(
        product_id=UUID(int=1),
        vendor_id=UUID(int=2),
        sku="A",
        title="Bowl",
        status="approved",
        is_for_sale=is_for_sale,
        on_hand=on_hand,
        threshold=threshold,
        own_threshold=None,
        version=1,
        has_alert=has_alert,
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
        product_version=1,
        vendor_version=1,
    )
