"""What tells one order from another, and how much of each product it wants."""

from dataclasses import replace
from datetime import UTC, datetime

from services.catalog.orders.models import Placing, Wanted
from shared.contracts.base import Money
from shared.ids import new_id

ONE, TWO = new_id(), new_id()
PRICE = Money(amount_minor=100, currency="EUR")
PLACING = Placing("web-1", None, (Wanted(ONE, 2, PRICE), Wanted(TWO, 1, PRICE), Wanted(ONE, 3, PRICE)))


def test_lines_of_one_product_are_added_up() -> None:
    assert PLACING.pieces == {ONE: 5, TWO: 1}


def test_the_same_order_has_the_same_fingerprint() -> None:
    assert PLACING.fingerprint == replace(PLACING).fingerprint


def test_whatever_differs_makes_another_fingerprint() -> None:
    others = [
        replace(PLACING, external_id="web-2"),
        replace(PLACING, placed_at=datetime(2026, 1, 1, tzinfo=UTC)),
        replace(PLACING, lines=PLACING.lines[:2]),
        replace(PLACING, lines=(Wanted(ONE, 2, Money(amount_minor=101, currency="EUR")), *PLACING.lines[1:])),
    ]
    assert len({placing.fingerprint for placing in [PLACING, *others]}) == 5
