"""The status machine, slugs and derived ids."""

from uuid import UUID

import pytest

from services.catalog.products.models import TRANSITIONS, Action, Status, slug_for, submission_event_id
from shared.ids import new_id

ALLOWED = {
    ("draft", "submit", "pending"),
    ("rejected", "submit", "pending"),
    ("pending", "withdraw", "draft"),
    ("pending", "approve", "approved"),
    ("pending", "reject", "rejected"),
    ("approved", "suspend", "suspended"),
    ("suspended", "reinstate", "approved"),
    ("draft", "archive", "archived"),
    ("approved", "archive", "archived"),
    ("rejected", "archive", "archived"),
    ("suspended", "archive", "archived"),
}


def test_a_product_moves_as_the_design_says_and_in_no_other_way() -> None:
    moves = {
        (source.value, action.value, transition.target.value)
        for action, transition in TRANSITIONS.items()
        for source in transition.sources
    }
    assert moves == ALLOWED
    assert set(TRANSITIONS) == set(Action)


def test_nothing_leaves_the_archive() -> None:
    assert not any(Status.ARCHIVED in transition.sources for transition in TRANSITIONS.values())


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Oak chair", "oak-chair"),
        ("Café Löwe & Co.", "cafe-lowe-co"),
        ("椅子", "product"),
        ("x" * 300, "x" * 60),
    ],
)
def test_a_slug_is_words_of_the_title_and_an_end_of_its_own(title: str, words: str) -> None:
    identifier = UUID("018f5b1c-0000-7000-8000-0123456789ab")
    assert slug_for(title, identifier) == f"{words}-23456789ab"


def test_each_submission_has_one_event_id() -> None:
    product_id = new_id()
    assert submission_event_id(product_id, 1) == submission_event_id(product_id, 1)
    assert submission_event_id(product_id, 1) != submission_event_id(product_id, 2)
    assert submission_event_id(product_id, 1) != submission_event_id(new_id(), 1)
