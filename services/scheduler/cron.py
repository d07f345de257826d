"""When a cron expression is due, in an IANA time zone, across its changes of the clock. Pure.

Five fields as in crontab(5): minute, hour, day of month, month, day of week. Two rules at changes of the clock:

- A fixed hour (`30 2 * * *`, `0 9-17 * * 1-5`) means times of the wall clock. A time that a change skips is due once,
  at the first instant after it; several such times are due together, as one. A time that a change repeats is due at
  its first occurrence only.
- `*` or a step in the hour field (`*/30 * * * *`, `0 */6 * * *`) means elapsed time: the entry is due at every
  instant at which the clock shows a matching time. What a change skips is not made up for, what it repeats comes twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from typing import Final, Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression in a zone. Slots are aware UTC times on whole minutes of the wall clock."""

    expression: str
    zone: ZoneInfo
    is_by_elapsed_time: bool

    @classmethod
    def parse(cls, expression: str, zone: ZoneInfo) -> Self:
        """Read an expression. Raises `ValueError` saying which field does not fit, or that it is never due."""
        fields = expression.split()
        if len(fields) != 5:
            raise ValueError("five fields are needed: minute, hour, day of month, month, day of week")
        try:
            _next_wall(expression, datetime(2000, 1, 1))  # noqa: DTZ001 - a wall clock's time
        except (CronSimError, StopIteration) as exc:
            raise ValueError(f"{expression!r}: {exc or 'never due'}") from exc
        hour = fields[1]
        return cls(expression, zone, is_by_elapsed_time="*" in hour or "/" in hour)

    def next_after(self, at: datetime) -> datetime:
        """The first slot later than `at`."""
        whole = at.astimezone(UTC).replace(microsecond=0)
        return self._elapsed_after(whole) if self.is_by_elapsed_time else self._wall_clock_after(whole)

    def after(self, at: datetime) -> Iterator[datetime]:
        """All slots later than `at`, in order, without end."""
        while True:
            at = self.next_after(at)
            yield at

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The slots later than `after` and not later than `until`."""
        return takewhile(lambda slot: slot <= until, self.after(after))

    def upcoming(self, at: datetime, count: int) -> tuple[datetime, ...]:
        """The next `count` slots later than `at`."""
        return tuple(islice(self.after(at), count))

    def _wall_clock_after(self, at: datetime) -> datetime:
        wall = at.astimezone(self.zone).replace(tzinfo=None)
        while True:
            wall = _next_wall(self.expression, wall)
            slot = _instant(wall, self.zone)
            if slot > at:  # else the first occurrence of a repeated time, of which `at` is in the second
                return slot

    def _elapsed_after(self, at: datetime) -> datetime:
        # Between two changes the offset is constant, and cron's walk over the wall clock is exact.
        offset = _offset(self.zone, at)
        while True:
            slot = _next_wall(self.expression, (at + offset).replace(tzinfo=None)).replace(tzinfo=UTC) - offset
            change = _first_change(self.zone, at, slot, offset)
            if change is None:
                return slot
            offset = _offset(self.zone, change)
            at = change - _SECOND  # the instant of the change itself may be due, by the new offset


def _next_wall(expression: str, wall: datetime) -> datetime:
    found: datetime = next(CronSim(expression, wall))
    return found


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    offset = at.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the clock shows `wall`, or, if it never does, at which it has passed it."""
    instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == wall:
        return instant
    # In a gap, fold 1 is before the change and fold 0 after it (PEP 495).
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    change = _first_change(zone, before, instant, _offset(zone, before))
    assert change is not None
    return change


def _first_change(zone: ZoneInfo, after: datetime, until: datetime, offset: timedelta) -> datetime | None:
    """The first second in (after, until] whose offset is not `offset`; changes undone within a day may be missed."""
    low = after
    while low < until:
        high = min(low + _DAY, until)
        if _offset(zone, high) != offset:
            while high - low > _SECOND:
                middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
                low, high = (low, middle) if _offset(zone, middle) != offset else (middle, high)
            return high
        low = high
    return None
