"""When caches are cleared, and when what is out of date goes only."""

from datetime import UTC, datetime, timedelta
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


def cleared(zone: str, day: str) -> list[str]:
    """What the clock shows at the hourly slots of a local day that clear."""
    of_zone = ZoneInfo(zone)
    midnight = datetime.fromisoformat(day).replace(tzinfo=of_zone).astimezone(UTC)
    slots = [midnight + timedelta(minutes=minutes) for minutes in range(26 * 60)]
    shown = [(slot, slot.astimezone(of_zone)) for slot in slots]
    return [
        f"{wall:%H:%M}"
        for slot, wall in shown
        if wall.minute == 0 and f"{wall:%Y-%m-%d}" == day and mode_at(slot, of_zone) == "clear"
    ]


@pytest.mark.parametrize(
    ("zone", "day", "at"),
    [
        ("Europe/Berlin", "2026-06-15", ["02:00", "03:00"]),
        ("Europe/Berlin", "2026-03-29", ["03:00"]),  # there is no 02:00
        ("Europe/Berlin", "2026-10-25", ["02:00", "02:00", "03:00"]),  # 02:00 comes twice
        ("America/New_York", "2026-03-08", ["03:00"]),
        ("America/New_York", "2026-11-01", ["02:00", "03:00"]),  # it is 01:00 that comes twice
        ("Antarctica/Troll", "2026-03-29", ["03:00"]),  # two hours are skipped
        ("Australia/Lord_Howe", "2026-10-04", ["03:00"]),  # half an hour is skipped
        ("Asia/Kathmandu", "2026-06-15", ["02:00", "03:00"]),
    ],
)
def test_a_night_with_a_change_of_the_clock_has_its_clearing_too(zone: str, day: str, at: list[str]) -> None:
    assert cleared(zone, day) == at
