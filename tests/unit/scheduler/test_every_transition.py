"""The rules at changes of the clock: every change of every IANA zone in ten years, against an oracle by the minute."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scheduler.cron import Cron

FIRST, LAST = datetime(2025, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)
MINUTE, BEFORE, AFTER = timedelta(minutes=1), timedelta(hours=3), timedelta(hours=5)
FIXED, ELAPSED = "fixed", "elapsed"


class Change(NamedTuple):
    """The first instant at which a zone's clock shows another offset."""

    at: datetime
    before: timedelta
    after: timedelta


def offset(zone: ZoneInfo, at: datetime) -> timedelta:
    found = at.astimezone(zone).utcoffset()
    assert found is not None
    return found


def changes(zone: ZoneInfo) -> Iterator[Change]:
    """The changes of ten years; none lasts less than a week."""
    week = timedelta(days=7)
    low = FIRST
    while low < LAST:
        if offset(zone, low) != offset(zone, low + week):
            yield Change(_first_after(zone, low, low + week), offset(zone, low), offset(zone, low + week))
        low += week


def _first_after(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    old = offset(zone, low)
    while high - low > MINUTE:
        middle = low + (high - low) // MINUTE // 2 * MINUTE
        low, high = (middle, high) if offset(zone, middle) == old else (low, middle)
    return high


@cache
def all_changes() -> dict[str, tuple[Change, ...]]:
    """Every zone with the changes of ten years."""
    return {name: tuple(changes(ZoneInfo(name))) for name in sorted(available_timezones())}


@cache
def minutes_around(name: str, at: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """Each minute around a change: the instant, and what the clock shows then."""
    zone = ZoneInfo(name)
    count = (BEFORE + AFTER) // MINUTE
    instants = (at - BEFORE + MINUTE * passed for passed in range(1, count + 1))
    return tuple((instant, instant.astimezone(zone).replace(tzinfo=None)) for instant in instants)


def expected(name: str, change: Change, minutes: set[int], hours: set[int], kind: str) -> list[datetime]:
    """The slots around a change, by the rules as they are written, one minute after the other."""
    shown = minutes_around(name, change.at)
    if kind == ELAPSED:
        return [instant for instant, wall in shown if wall.minute in minutes and wall.hour in hours]
    first_at: dict[datetime, datetime] = {}
    for instant, wall in shown:
        first_at.setdefault(wall, instant)
    wall, last = shown[0][1], shown[-1][1]
    slots = set()
    while wall <= last:
        if wall.minute in minutes and wall.hour in hours:
            slots.add(first_at.get(wall, change.at))  # a time that is skipped: the first instant there is
        wall += MINUTE
    return sorted(slots)


def found(name: str, change: Change, expression: str) -> list[datetime]:
    cron = Cron.parse(expression, ZoneInfo(name))
    return list(cron.between(change.at - BEFORE, change.at + AFTER))


ALL_MINUTES, ALL_HOURS = set(range(60)), set(range(24))
QUARTERS = {0, 15, 30, 45}
EXPRESSIONS = [
    ("0,15,30,45 0-23 * * *", QUARTERS, ALL_HOURS, FIXED),
    ("*/15 * * * *", QUARTERS, ALL_HOURS, ELAPSED),
    ("0 */6 * * *", {0}, {0, 6, 12, 18}, ELAPSED),
    ("30 1-23/2 * * *", {30}, set(range(1, 24, 2)), ELAPSED),
]


@pytest.mark.parametrize(("expression", "minutes", "hours", "kind"), EXPRESSIONS, ids=lambda given: str(given)[:21])
def test_every_change_of_ten_years(expression: str, minutes: set[int], hours: set[int], kind: str) -> None:
    # Zones that change alike are one: 599 names are about 30 sets of rules.
    alike = {zone_changes: name for name, zone_changes in all_changes().items()}
    seen = 0
    for zone_changes, name in alike.items():
        for change in zone_changes:
            assert found(name, change, expression) == expected(name, change, minutes, hours, kind), (name, change)
            seen += 1
    assert seen > 500


CHANGING = st.deferred(lambda: st.sampled_from([name for name, found in all_changes().items() if found]))
SOME_MINUTES = st.sets(st.integers(0, 59), min_size=1, max_size=4)
SOME_HOURS = st.sets(st.integers(0, 23), min_size=1, max_size=6)


def listed(values: set[int]) -> str:
    return ",".join(map(str, sorted(values)))


@given(CHANGING, st.integers(0, 10_000), SOME_MINUTES, SOME_HOURS)
@settings(deadline=None)
def test_any_fixed_times_in_any_zone(name: str, number: int, minutes: set[int], hours: set[int]) -> None:
    of_zone = all_changes()[name]
    change = of_zone[number % len(of_zone)]
    expression = f"{listed(minutes)} {listed(hours)} * * *"
    slots = found(name, change, expression)
    assert slots == expected(name, change, minutes, hours, FIXED)
    # A scheduler that starts anywhere, however often, finds each of them once.
    cron = Cron.parse(expression, ZoneInfo(name))
    stops = sorted({change.at - BEFORE, *(change.at + MINUTE * (number % 97 - 48) * n for n in range(3)), *slots})
    assert [slot for low, high in pairwise(stops) for slot in cron.between(low, high)] == slots


@given(CHANGING, st.integers(0, 10_000), SOME_MINUTES, st.integers(1, 12))
@settings(deadline=None)
def test_any_step_in_any_zone(name: str, number: int, minutes: set[int], step: int) -> None:
    of_zone = all_changes()[name]
    change = of_zone[number % len(of_zone)]
    hours = set(range(0, 24, step))
    slots = found(name, change, f"{listed(minutes)} */{step} * * *")
    assert slots == expected(name, change, minutes, hours, ELAPSED)
