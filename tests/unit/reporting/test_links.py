"""Links to reports that need no sign-in."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.reporting.errors import BadLink
from services.reporting.links import GOOD_FOR, Links

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
REPORT, OTHER = UUID(int=1), UUID(int=2)
LINKS = Links("k" * 40)


def token_of(path: str) -> str:
    prefix, _, token = path.rpartition("/")
    assert prefix == f"/r/{REPORT}"
    return token


def test_it_is_good_for_its_report_and_for_a_while() -> None:
    token = token_of(LINKS.path_of(REPORT, now=NOW))
    LINKS.check(REPORT, token, now=NOW)
    LINKS.check(REPORT, token, now=NOW + GOOD_FOR - timedelta(hours=1))
    with pytest.raises(BadLink, match="expired"):
        LINKS.check(REPORT, token, now=NOW + GOOD_FOR)
    with pytest.raises(BadLink):
        LINKS.check(OTHER, token, now=NOW)
    with pytest.raises(BadLink):
        Links("x" * 40).check(REPORT, token, now=NOW)


@pytest.mark.parametrize("token", ["", "-", "zz-00", "ffffffffffffffffff-00", "-1-00", "1234", "ü-é"])
def test_what_is_none_of_ours_is_refused(token: str) -> None:
    with pytest.raises(BadLink):
        LINKS.check(REPORT, token, now=NOW)


def test_a_later_expiry_cannot_be_written_into_it() -> None:
    until, _, signature = token_of(LINKS.path_of(REPORT, now=NOW)).partition("-")
    with pytest.raises(BadLink):
        LINKS.check(REPORT, f"{int(until, 16) + 1:x}-{signature}", now=NOW)
