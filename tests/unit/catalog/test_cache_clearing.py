"""When caches are cleared, and when what is out of date goes only."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.catalog.cache_clearing import mode_at


@pytest.mark.parametrize(
    ("hour", "zone", "mode"),
    [
        (1, "UTC", "expire"),
        (2, "UTC", "clear"),
        (3, "UTC", "clear"),
        (4, "UTC", "expire"),
        (1, "Europe/Berlin", "clear"),
        (3, "Europe/Berlin", "expire"),
    ],
)
def test_the_hour_of_the_installation_decides(hour: int, zone: str, mode: str) -> None:
    assert mode_at(datetime(2026, 1, 15, hour, tzinfo=UTC), ZoneInfo(zone)) == mode
