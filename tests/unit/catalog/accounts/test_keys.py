"""API keys as text."""

import pytest

from services.catalog.accounts.keys import new_key, parse_key


def test_a_new_key_reads_back() -> None:
    for _ in range(200):  # secrets may hold "_" and "-"
        key = new_key()
        assert parse_key(f"Bearer {key}") == key


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_is_read_as_http_wants(scheme: str) -> None:
    assert parse_key(f"{scheme} souk_abcd_{'x' * 43}") is not None


@pytest.mark.parametrize("given", ["souk_abcd_" + "x" * 43, "Bearer souk_abcd_short", "Bearer a b", "Bearer \udcff"])
def test_anything_else_is_none(given: str) -> None:
    assert parse_key(given) is None
