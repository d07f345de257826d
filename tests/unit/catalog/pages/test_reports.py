"""What the pages of reports say of what reporting answers."""

from datetime import date
from typing import Any

import pytest

from services.catalog.pages.reports import DailySalesHeard, ReportHeard, chosen_days


def report(first: str, last: str, **others: Any) -> ReportHeard:
    return ReportHeard.model_validate(
        {
            "id": "00000000-0000-0000-0000-000000000001",
            "type": "daily_sales",
            "vendor_id": None,
            "vendor_name": "",
            "period": {"from": first, "to": last},
            "state": "ready",
            "requested_at": "2026-11-30T00:00:00Z",
            "ready_at": None,
            "error": None,
            "is_revised": False,
            **others,
        }
    )


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-11-29", "2026-11-29", "29 Nov 2026"),
        ("2026-11-01", "2026-11-29", "1 Nov to 29 Nov 2026"),
        ("2025-12-31", "2026-01-01", "31 Dec 2025 to 1 Jan 2026"),
    ],
)
def test_a_period_is_said_as_people_say_it(first: str, last: str, said: str) -> None:
    assert report(first, last).days == said


def test_a_type_of_a_newer_reporting_is_named_by_its_own_words() -> None:
    assert report("2026-11-29", "2026-11-29", type="stock_turnover").name == "Stock turnover"


def test_days_are_drawn_in_the_currency_that_most_was_sold_in() -> None:
    def money(amount: int, currency: str) -> dict[str, object]:
        return {"amount_minor": amount, "currency": currency}

    day = {"orders": 1, "units": 1}
    sales = DailySalesHeard.model_validate(
        {
            "totals": {"orders": 3, "units": 3, "net": [money(500, "USD"), money(12_050, "EUR")]},
            "days": [
                {**day, "day": "2026-11-28", "net": [money(12_050, "EUR"), money(500, "USD")]},
                {**day, "day": "2026-11-29", "net": []},
            ],
            "top_products": [],
        }
    )
    assert sales.bars == [("28 Nov", 12_050, "28 November: €120.50"), ("29 Nov", 0, "29 November: €0.00")]


@pytest.mark.parametrize(
    ("values", "period"),
    [
        ({"days": "yesterday", "from": "2020-01-01"}, {"from": "2026-11-29", "to": "2026-11-29"}),
        ({"days": "week"}, {"from": "2026-11-23", "to": "2026-11-29"}),
        ({"days": "own", "from": " 2026-01-01 ", "to": "x"}, {"from": "2026-01-01", "to": "x"}),
        ({}, {"from": "", "to": ""}),
    ],
)
def test_days_are_chosen_by_name_or_typed(values: dict[str, str], period: dict[str, str]) -> None:
    assert chosen_days(values, yesterday=date(2026, 11, 29)) == period
