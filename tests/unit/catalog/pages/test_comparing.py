"""What differs between a product as it is and as it would be."""

import pytest

from services.catalog.pages.comparing import MOST_WORDS, compared, listed


@pytest.mark.parametrize(
    ("before", "after", "left", "right"),
    [
        ("a red bowl", "a blue bowl", ["red"], ["blue"]),
        ("a bowl", "a bowl, large", [], [", large"]),
        ("a bowl", "", ["a bowl"], []),
        ("same", "same", [], []),
        ("Größe: 12 cm", "Größe: 14 cm", ["12"], ["14"]),
    ],
)
def test_changed_words_are_marked_on_their_side(before: str, after: str, left: list[str], right: list[str]) -> None:
    old, new = compared(before, after)
    assert [text for text, is_changed in old if is_changed] == left
    assert [text for text, is_changed in new if is_changed] == right


def test_nothing_of_either_text_is_lost() -> None:
    before, after = "One\ntwo  three, <b>four</b>.", "One\r\ntwo three <i>five</i>!"
    old, new = compared(before, after)
    assert "".join(text for text, _ in old) == before
    assert "".join(text for text, _ in new) == after


def test_long_texts_are_compared_line_by_line() -> None:
    lines = [f"line {number} of many words" for number in range(MOST_WORDS)]
    old, new = compared("\n".join(lines), "\n".join([*lines[:5], "another", *lines[5:]]))
    assert [text for text, is_changed in new if is_changed] == ["another\n"]
    assert [text for text, is_changed in old if is_changed] == []


def test_details_are_listed_as_people_write_them() -> None:
    assert listed({"Material": "oak", "cm": 12, "dishwasher": False}) == "Material: oak\ncm: 12\ndishwasher: no"
