"""Cursors: signed, and bound to their list."""

import base64

import pytest

from shared.web.cursors import BadCursor, Cursors

CURSORS = Cursors(b"secret")


def test_a_cursor_gives_back_its_position() -> None:
    assert CURSORS.read("list?a", CURSORS.write("list?a", [1999, "x"])) == [1999, "x"]


@pytest.mark.parametrize("cursor", ["", "x", "é", "AAAA", "A" * 400, "%%%"])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        CURSORS.read("list?a", cursor)


def test_a_cursor_of_another_filter_is_refused() -> None:
    with pytest.raises(BadCursor):
        CURSORS.read("list?b", CURSORS.write("list?a", [1]))


def test_a_cursor_of_another_installation_is_refused() -> None:
    with pytest.raises(BadCursor):
        CURSORS.read("list?a", Cursors(b"other").write("list?a", [1]))


def test_an_altered_cursor_is_refused() -> None:
    raw = bytearray(base64.urlsafe_b64decode(CURSORS.write("list?a", [1, 2, 3]) + "=="))
    raw[-2] ^= 1
    with pytest.raises(BadCursor):
        CURSORS.read("list?a", base64.urlsafe_b64encode(raw).decode())
