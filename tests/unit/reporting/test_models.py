"""Periods: whole days of a zone as instants."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from services.reporting.models import Period


@pytest.mark.parametrize(
    ("zone", "day", "starts_at", "ends_at"),
    [
        ("UTC", "2026-03-01", "2026-03-01T00:00", "2026-03-02T00:00"),
        ("Europe/Berlin", "2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours
        ("Europe/Berlin", "2026-10-25", "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 hours
        ("Asia/Beirut", "2026-03-29", "2026-03-28T22:00", "2026-03-29T21:00"),  # begins at 01:00
        ("America/Havana", "2026-11-01", "2026-11-01T04:00", "2026-11-02T05:00"),  # has midnight twice
    ],
)
def test_a_day_is_as_long_as_its_clock_says(zone: str, day: str, starts_at: str, ends_at: str) -> None:
    that = date.fromisoformat(day)
    period = Period(that, that, ZoneInfo(zone))
    assert period.starts_at.isoformat().startswith(starts_at)
    assert period.ends_at.isoformat().startswith(ends_at)


def test_both_ends_are_days_of_a_period() -> None:
    period = Period(date(2026, 2, 27), date(2026, 3, 1), ZoneInfo("UTC"))
    assert period.days == (date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1))
