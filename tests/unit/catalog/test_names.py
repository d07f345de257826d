"""Slugs, ids in addresses, If-Match."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from services.catalog.addresses import parsed_id
from services.catalog.models import slug_of
from services.catalog.versions import VersionMismatch, expected_version


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Café Löwe & Co.", "cafe-lowe-co"),
        ("  --A--  ", "a"),
        ("陶器", "other"),
        ("x" * 200, "x" * 80),
        ("y" * 79 + " z", "y" * 79),
    ],
)
def test_a_slug_is_made_of_a_name(name: str, slug: str) -> None:
    assert slug_of(name, otherwise="other") == slug


@pytest.mark.parametrize("text", ["atelier-north", "", "{01a20a6c-2d5e-7217-b46f-0daa882b4058}", "0" * 32])
def test_what_is_not_written_like_an_id_is_none(text: str) -> None:
    assert parsed_id(text) is None


def test_an_id_may_be_in_capitals() -> None:
    assert str(parsed_id("01A20A6C-2D5E-7217-B46F-0DAA882B4058")) == "01a20a6c-2d5e-7217-b46f-0daa882b4058"


def test_if_match_names_a_version() -> None:
    assert expected_version(make_mocked_request("PATCH", "/", headers={"If-Match": '"12"'})) == 12
    with pytest.raises(web.HTTPPreconditionRequired):
        expected_version(make_mocked_request("PATCH", "/"))


@pytest.mark.parametrize("given", ["12", "*", '"x"', '"1", "2"', '"9999999999999999999999"', ""])
def test_any_other_if_match_is_stale(given: str) -> None:
    with pytest.raises(VersionMismatch):
        expected_version(make_mocked_request("PATCH", "/", headers={"If-Match": given}))
