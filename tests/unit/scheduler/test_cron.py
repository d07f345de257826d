"""Cron expressions in zones that change their clocks."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.cron import Cron

BERLIN = "Europe/Berlin"


def slots(expression: str, zone: str, first: str, count: int) -> list[str]:
    """The next slots after a UTC time, as UTC texts."""
    at = datetime.fromisoformat(first).replace(tzinfo=UTC)
    return [slot.strftime("%Y-%m-%d %H:%M") for slot in Cron.parse(expression, ZoneInfo(zone)).upcoming(at, count)]


# In Berlin 2026 clocks go from 02:00 to 03:00 on March 29 (01:00 UTC) and from 03:00 back to 02:00 on October 25.
@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # every day at midnight, UTC
        ("0 0 * * *", "UTC", "2026-11-23 21:00", ["2026-11-24 00:00", "2026-11-25 00:00"]),
        # a slot is later than `after`, never equal to it
        ("0 0 * * *", "UTC", "2026-11-24 00:00", ["2026-11-25 00:00"]),
        # 02:30 does not exist: once, at the first valid instant
        ("30 2 * * *", BERLIN, "2026-03-28 02:00", ["2026-03-29 01:00", "2026-03-30 00:30"]),
        # several times of the gap are one slot, and it is also that of 03:00 itself
        ("0,30 2,3 * * *", BERLIN, "2026-03-28 23:00", ["2026-03-29 01:00", "2026-03-29 01:30"]),
        ("*/10 2 * * *", BERLIN, "2026-03-28 12:00", ["2026-03-29 01:00", "2026-03-30 00:00"]),
        # 02:30 exists twice: once, the first time
        ("30 2 * * *", BERLIN, "2026-10-24 12:00", ["2026-10-25 00:30", "2026-10-26 01:30"]),
        # asked from within the second 02:xx, the first one's slot is over
        ("45 2 * * *", BERLIN, "2026-10-25 01:10", ["2026-10-26 01:45"]),
        # `*` runs every real hour: no gap, no doubling
        (
            "0 * * * *",
            BERLIN,
            "2026-03-28 23:30",
            ["2026-03-29 00:00", "2026-03-29 01:00", "2026-03-29 02:00"],
        ),
        (
            "0 * * * *",
            BERLIN,
            "2026-10-24 23:30",
            ["2026-10-25 00:00", "2026-10-25 01:00", "2026-10-25 02:00"],
        ),
        # a step: the repeated 02:00 comes twice, the skipped one not at all
        ("0 */2 * * *", BERLIN, "2026-10-24 22:30", ["2026-10-25 00:00", "2026-10-25 01:00", "2026-10-25 03:00"]),
        ("0 */2 * * *", BERLIN, "2026-03-28 22:30", ["2026-03-28 23:00", "2026-03-29 02:00", "2026-03-29 04:00"]),
        # half an hour: Lord Howe, 02:00 to 02:30 (October 3, 15:30 UTC) and 02:00 to 01:30 (April 4, 15:00 UTC)
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 00:00", ["2026-10-03 15:30", "2026-10-04 15:15"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04 00:00", ["2026-04-04 14:45", "2026-04-05 15:15"]),
        ("*/30 * * * *", "Australia/Lord_Howe", "2026-04-04 14:40", ["2026-04-04 15:00", "2026-04-04 15:30"]),
        # midnight itself is skipped: Beirut
        ("0 0 * * *", "Asia/Beirut", "2026-03-28 12:00", ["2026-03-28 22:00", "2026-03-29 21:00"]),
        # a whole day is skipped: Apia, 2011-12-30
        (
            "0 12 * * *",
            "Pacific/Apia",
            "2011-12-29 12:00",
            ["2011-12-29 22:00", "2011-12-30 10:00", "2011-12-30 22:00"],
        ),
    ],
)
def test_slots(expression: str, zone: str, after: str, expected: list[str]) -> None:
    assert slots(expression, zone, after, len(expected)) == expected


@pytest.mark.parametrize(
    "expression", ["", "* * * *", "* * * * * *", "60 * * * *", "0 24 * * *", "0 0 30 2 *", "a b c d e"]
)
def test_what_cannot_be_read_is_refused(expression: str) -> None:
    with pytest.raises(ValueError):
        Cron.parse(expression, ZoneInfo("UTC"))


ZONES = st.sampled_from(
    [
        "UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Asia/Beirut", "Africa/Cairo",
        "Africa/Casablanca", "Australia/Lord_Howe", "Pacific/Chatham", "America/Santiago", "Asia/Kathmandu",
        "Antarctica/Troll",
    ]
)  # fmt: skip
MINUTES = st.sampled_from(["0", "30", "*/15", "5-10", "59", "0,29"])
STARTS = st.datetimes(datetime(2024, 1, 1), datetime(2033, 12, 31))  # noqa: DTZ001 - made aware below


@given(MINUTES, st.sampled_from(["*", "*/2", "*/6", "1-23/3"]), ZONES, STARTS)
@settings(deadline=None, max_examples=10)
def test_elapsed_time_is_every_instant_at_which_the_clock_matches(
    minute: str, hour: str, zone: str, start: datetime
) -> None:
    cron = Cron.parse(f"{minute} {hour} * * *", ZoneInfo(zone))
    matching = Cron.parse(f"{minute} {hour} * * *", ZoneInfo("UTC"))  # of a wall clock read as if it were UTC
    at = start.replace(tzinfo=UTC, second=0, microsecond=0)
    until = at + timedelta(hours=30)
    minutes = (at + timedelta(minutes=passed) for passed in range(1, 30 * 60 + 1))
    expected = [
        instant
        for instant in minutes
        if (wall := instant.astimezone(cron.zone).replace(tzinfo=UTC))
        and matching.next_after(wall - timedelta(minutes=1)) == wall
    ]
    assert list(cron.between(at, until)) == expected


@given(MINUTES, st.sampled_from(["0", "1", "2", "3", "0-4", "23"]), ZONES, STARTS)
@settings(deadline=None)
def test_a_fixed_hour_is_due_once_for_every_time_of_the_calendar(
    minute: str, hour: str, zone: str, start: datetime
) -> None:
    cron = Cron.parse(f"{minute} {hour} * * *", ZoneInfo(zone))
    at = start.replace(tzinfo=UTC)
    found = list(cron.between(at, at + timedelta(days=3)))
    assert all(earlier < later for earlier, later in pairwise(found))
    # Nothing depends on where the walk begins.
    assert all(cron.next_after(earlier) == later for earlier, later in pairwise(found))
    assert all(cron.next_after(slot - timedelta(seconds=1)) == slot for slot in found)
    shown = [slot.astimezone(cron.zone).replace(tzinfo=None) for slot in found]
    assert len(set(shown)) == len(shown)  # no time of the wall clock twice
    days = {wall.date() for wall in shown}
    assert len(days) >= 2  # no day is left out, whatever its clocks do
