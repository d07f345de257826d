"""What people get to read, byte by byte, and what nobody can put into it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifier.errors import BadLetterParams, UnknownLetter
from services.notifier.letters import LETTERS, LISTED_PRODUCTS, letter_for
from services.notifier.mime import message_for
from services.notifier.models import Contact
from tests.golden import kept_mails as mails


def test_every_mail_is_byte_for_byte_the_kept_one() -> None:
    expected = dict(mails.files())
    kept = {path: path.read_bytes() for path in mails.FOLDER.iterdir() if not path.name.startswith(".")}
    assert kept.keys() == expected.keys()
    assert [path.name for path in kept if kept[path] != expected[path]] == []


def test_every_kind_of_letter_has_a_kept_one() -> None:
    assert {kind for kind, _, _ in mails.CASES.values()} == set(LETTERS)


@pytest.mark.parametrize("case", mails.CASES)
def test_the_text_part_leads_to_the_same_place_as_the_button(case: str) -> None:
    letter = mails.letter_of(case)
    link = next(line.strip() for line in letter.text.splitlines() if line.strip().startswith("https://"))
    assert f'href="{link}"' in letter.html


@pytest.mark.parametrize("case", mails.CASES)
def test_a_letter_loads_nothing_from_elsewhere(case: str) -> None:
    html = mails.letter_of(case).html
    for loads in ("<img", "<link", "@import", "url(", "<script"):
        assert loads not in html


def test_markup_and_placeholders_in_a_title_are_shown_not_obeyed() -> None:
    html = mails.letter_of("hostile").html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "{{ 7*7 }}" in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert "\u202e" not in html


LINE_ENDS = ["\r", "\n", "\r\n", "\x00", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("end", LINE_ENDS, ids=repr)
def test_no_line_end_in_a_title_or_a_name_makes_a_header(end: str) -> None:
    params = {**mails.SUBMITTED, "title": f"Bowl{end}Bcc: victim@example.com", "vendor_name": f"Shop{end}X-Evil: 1"}
    recipient = Contact(mails.ADMIN.account_id, mails.ADMIN.email, f"Ada{end}Cc: victim@example.com")
    letter = letter_for("product_submitted", params, recipient=recipient, public_url=mails.PUBLIC_URL)
    message = message_for(letter, recipient, sender=mails.SENDER, job_id=mails.JOB, at=mails.AT)
    head = message.as_bytes().split(b"\r\n\r\n")[0]
    names = [line.split(b":")[0].lower() for line in head.split(b"\r\n") if line[:1] not in b" \t"]
    assert sorted(names) == sorted(name.lower().encode() for name in message)
    assert not {b"bcc", b"cc", b"x-evil"} & set(names)


@given(title=st.text(min_size=1, max_size=300), note=st.text(max_size=300))
def test_any_title_makes_a_letter_and_one_subject_line(title: str, note: str) -> None:
    params: dict[str, object] = {
        "product_id": mails.PRODUCT,
        "title": title,
        "reasons": [{"code": "other", "note": note}],
    }
    letter = letter_for("product_rejected", params, recipient=mails.VENDOR, public_url=mails.PUBLIC_URL)
    message = message_for(letter, mails.VENDOR, sender=mails.SENDER, job_id=mails.JOB, at=mails.AT)
    assert len(letter.subject.splitlines()) == 1
    assert all(byte < 128 for byte in message.as_bytes())


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"price_minor": "4900"}, "/price_minor"),
        ({"price_minor": True}, "/price_minor"),
        ({"currency": "eur"}, "/currency"),
        ({"product_id": "../admin"}, "/product_id"),
        ({"title": None}, "/title"),
    ],
)
def test_params_that_do_not_fit_are_named(changes: dict[str, object], pointer: str) -> None:
    with pytest.raises(BadLetterParams) as refusal:
        letter_for(
            "product_submitted", {**mails.SUBMITTED, **changes}, recipient=mails.ADMIN, public_url=mails.PUBLIC_URL
        )
    assert [error.pointer for error in refusal.value.errors] == [f"/params{pointer}"]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UnknownLetter):
        letter_for("../../etc/passwd", {}, recipient=mails.ADMIN, public_url=mails.PUBLIC_URL)


def test_a_field_of_a_newer_sender_is_ignored() -> None:
    params = {**mails.SUBMITTED, "colour": "blue"}
    letter = letter_for("product_submitted", params, recipient=mails.ADMIN, public_url=mails.PUBLIC_URL)
    assert letter == mails.letter_of("product_submitted")


def test_a_long_digest_lists_the_most_urgent_and_counts_the_rest() -> None:
    products = [
        {"product_id": mails.PRODUCT, "sku": f"S{n}", "title": f"Product {n}", "on_hand": n, "threshold": 1000}
        for n in reversed(range(500))
    ]
    letter = letter_for("stock_low", {"products": products}, recipient=mails.VENDOR, public_url=mails.PUBLIC_URL)
    assert letter.subject == "Low stock: 500 products"
    assert "Product 0 " in letter.text
    assert f"and {500 - LISTED_PRODUCTS} more" in letter.text
    assert len(letter.html) < 100_000
    named = {"products": products[:200], "more": 4800}
    letter = letter_for("stock_low", named, recipient=mails.VENDOR, public_url=mails.PUBLIC_URL)
    assert letter.subject == "Low stock: 5000 products"
    assert f"and {5000 - LISTED_PRODUCTS} more" in letter.text
