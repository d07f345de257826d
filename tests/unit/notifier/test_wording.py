"""Words and amounts."""

import pytest

from services.notifier.wording import explain, money, one_line, paragraphs


@pytest.mark.parametrize(
    ("amount_minor", "currency", "shown"),
    [
        (0, "EUR", "EUR 0.00"),
        (5, "EUR", "EUR 0.05"),
        (123456, "USD", "USD 1,234.56"),
        (123456, "JPY", "JPY 123,456"),
        (1234567, "KWD", "KWD 1,234.567"),
    ],
)
def test_an_amount_has_the_digits_of_its_currency(amount_minor: int, currency: str, shown: str) -> None:
    assert money(amount_minor, currency) == shown


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  two   words ", "two words"),
        ("a\r\nb\x00c\u2028d\u2029e\x85f", "a b c d e f"),
        ("\u202egnp.exe\u2066", "gnp.exe"),
        ("Käse 🧀 שלום", "Käse 🧀 שלום"),
    ],
)
def test_a_line_stays_one_line_in_the_order_it_is_written(typed: str, kept: str) -> None:
    assert one_line(typed) == kept


def test_a_note_keeps_its_lines_only() -> None:
    assert paragraphs("first\r\n\r\n\tsecond\x00\u2028third") == "first\nsecond\nthird"


def test_a_reason_is_explained_and_an_unknown_one_is_still_words() -> None:
    assert explain("images").remedy
    assert explain("food_safety") == ("Food safety", "")
