"""Reading documents of strangers: what is right, row by row, and what is too much."""

import pytest

from services.catalog.sync.documents import MAX_DEPTH, MAX_ROWS, MAX_VALUES, read
from services.catalog.sync.errors import Unreadable
from services.catalog.sync.models import Format, Layout

FALLBACK = 1_800_000_000_000_000
VERSIONED = Layout(version="v")


def json_rows(body: bytes, layout: Layout = VERSIONED) -> list[tuple[str, int, int]]:
    return [(row.sku, row.quantity, row.version) for row in read(body, Format.JSON, layout, fallback=FALLBACK).rows]


@pytest.mark.parametrize(
    ("item", "row"),
    [
        (b'{"sku": "A", "quantity": 3, "v": 7}', ("A", 3, 7)),
        (b'{"sku": 12, "quantity": "3", "v": "7"}', ("12", 3, 7)),
        (b'{"sku": "A", "quantity": 3.0, "v": "1970-01-01T00:00:01Z"}', ("A", 3, 1_000_000)),
        (b'{"sku": "A", "quantity": "3.00", "v": "1970-01-01T02:00:00.5+02:00"}', ("A", 3, 500_000)),
        (b'{"sku": "A", "quantity": 0, "v": 0, "more": [{}]}', ("A", 0, 0)),
    ],
)
def test_a_row_is_read(item: bytes, row: tuple[str, int, int]) -> None:
    assert json_rows(b"[" + item + b"]") == [row]


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (b'{"quantity": 3, "v": 7}', "invalid_sku"),
        (b'{"sku": "", "quantity": 3, "v": 7}', "invalid_sku"),
        (b'{"sku": "a\\u0000", "quantity": 3, "v": 7}', "invalid_sku"),
        (b'{"sku": true, "quantity": 3, "v": 7}', "invalid_sku"),
        (b'{"sku": "A", "v": 7}', "invalid_quantity"),
        (b'{"sku": "A", "quantity": -1, "v": 7}', "invalid_quantity"),
        (b'{"sku": "A", "quantity": 2.5, "v": 7}', "invalid_quantity"),
        (b'{"sku": "A", "quantity": true, "v": 7}', "invalid_quantity"),
        (b'{"sku": "A", "quantity": 1000000001, "v": 7}', "invalid_quantity"),
        ('{"sku": "A", "quantity": "٣", "v": 7}'.encode(), "invalid_quantity"),
        (b'{"sku": "A", "quantity": 3}', "invalid_version"),
        (b'{"sku": "A", "quantity": 3, "v": "2026-01-01T00:00:00"}', "invalid_version"),
        (b'{"sku": "A", "quantity": 3, "v": "9998-01-01T00:00:00Z"}', "invalid_version"),
        (b'{"sku": "A", "quantity": 3, "v": 4611686018427387904}', "invalid_version"),
        (b'"A"', "invalid_sku"),
    ],
)
def test_a_row_that_cannot_be_used_is_told_and_the_others_are_read(item: bytes, code: str) -> None:
    good = b'{"sku": "B", "quantity": 1, "v": 1}'
    document = read(b"[" + item + b"," + good + b"]", Format.JSON, VERSIONED, fallback=FALLBACK)
    assert [row.sku for row in document.rows] == ["B"]
    assert [(error.row, error.code) for error in document.errors] == [(1, code)]


def test_lists_and_fields_are_found_by_pointers() -> None:
    body = b'{"data": {"a/b": [{"item": {"id": "A"}, "on hand": 4}]}}'
    layout = Layout(items="/data/a~1b", sku="/item/id", quantity="on hand")
    assert json_rows(body, layout) == [("A", 4, FALLBACK)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"3",
        b'{"items": []}',
        b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2),
        b"[" * 100_000 + b"]" * 100_000,
        b"[" + b"[]," * MAX_VALUES + b"[]]",
        b"[" + b"1," * MAX_ROWS + b"1]",
        b'[{"sku": "A", "quantity": 1e400, "v": 7}, {"sku": "B", "quantity": 1, "v": 7}]',
        b'[{"sku": "A"}]',
    ],
    ids=[
        "nothing",
        "broken",
        "no text",
        "a number",
        "no list",
        "deep",
        "deepest",
        "values",
        "rows",
        "infinite",
        "no good row",
    ],
)
def test_what_is_no_such_document_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body, Format.JSON, VERSIONED, fallback=FALLBACK)


def test_an_empty_list_is_a_document() -> None:
    assert json_rows(b"[]") == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"sku,stock\nA,1\n", "no column"),
        (b"sku,quantity,sku\nA,1,B\n", "2 column"),
        (b'sku,quantity\n"A,1\n', "not CSV"),
        ("sku,quantity\nÄ,1\n".encode("latin-1"), "UTF-8"),
        (b"", "no column"),
    ],
)
def test_a_file_with_another_header_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        read(body, Format.CSV, Layout(), fallback=FALLBACK)


def test_a_short_line_is_an_error_of_its_own() -> None:
    document = read(b"sku,quantity\nA\nB,2\n", Format.CSV, Layout(), fallback=FALLBACK)
    assert [(row.sku, row.quantity, row.version) for row in document.rows] == [("B", 2, FALLBACK)]
    assert [(error.row, error.code) for error in document.errors] == [(1, "invalid_quantity")]
