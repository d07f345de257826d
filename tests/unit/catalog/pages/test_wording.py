"""How pages read what is typed, and say amounts, times and pictures."""

from datetime import UTC, datetime, timedelta

import pytest

from services.catalog.pages.forms import amount
from services.catalog.pages.pictures import rendition, srcset
from services.catalog.pages.shop import ShopQuery
from services.catalog.pages.wording import ago, browser, decimal, lasting, money
from services.catalog.products.models import Picture, PictureStatus, Rendition
from shared.contracts.base import Money
from shared.errors import InvalidInput
from shared.ids import new_id

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [
        ("12", "EUR", 1200),
        ("12.5", "EUR", 1250),
        ("12,50", "EUR", 1250),
        ("1,234.50", "EUR", 123450),
        ("500", "JPY", 500),
    ],
)
def test_an_amount_is_read_as_it_is_typed(typed: str, currency: str, minor: int) -> None:
    assert amount({"price": typed}, "price", currency) == minor


@pytest.mark.parametrize("typed", ["", "-1", "12.345", "1e3", "twelve", "1.2.3", "\u0663"])
def test_what_is_no_amount_is_pointed_at(typed: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        amount({"price": typed}, "price", "EUR")
    assert [error.pointer for error in caught.value.errors] == ["/price"]


@pytest.mark.parametrize(
    ("minor", "currency", "said"), [(123450, "EUR", "€1,234.50"), (500, "JPY", "¥500"), (5, "SEK", "SEK\u00a00.05")]
)
def test_money_is_said_with_its_sign(minor: int, currency: str, said: str) -> None:
    assert money(Money(amount_minor=minor, currency=currency)) == said


def test_a_price_can_be_typed_back_as_it_is_shown() -> None:
    assert amount({"price": decimal(123450, "EUR")}, "price", "EUR") == 123450


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "just now"), (59, "just now"), (60, "1 minute ago"), (7199, "1 hour ago"), (86_400 * 15, "2 weeks ago")],
)
def test_a_moment_is_as_far_away_as_it_is(seconds: int, said: str) -> None:
    assert ago(NOW - timedelta(seconds=seconds), NOW) == said


def picture(*widths: tuple[str, int]) -> Picture:
    renditions = tuple(
        Rendition(preset, form, width, width, 10, f"{preset}.{form}")
        for preset, width in widths
        for form in ("webp", "jpg")
    )
    return Picture(new_id(), PictureStatus.READY, "", None, renditions, None)


def test_a_browser_chooses_among_different_widths_only() -> None:
    small = picture(("thumb", 160), ("card", 300), ("page", 300), ("zoom", 300))
    assert srcset(small) == "/media/card.webp 300w"
    assert rendition(small, "card") == "/media/card.jpg"


def test_filters_of_a_price_are_amounts() -> None:
    query = ShopQuery.model_validate({"price_from": "12.5", "price_to": "20", "utm_source": "mail"})
    assert (query.wanted().min_price, query.wanted().max_price) == (1250, 2000)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.42, "0.42 s"),
        (12.4, "12 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (200_000, "2 days"),
    ],
)
def test_a_length_is_said_in_one_unit(seconds: float, said: str) -> None:
    assert lasting(seconds) == said


def test_a_browser_is_named_as_its_owner_knows_it() -> None:
    edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"
    assert browser(edge) == "Edge on Windows"
    assert browser("curl/8.5") == "curl"
    assert browser("") == "Something else"
