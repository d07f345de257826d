"""How pages of operations say states, durations and what happened. No I/O."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

STATES: Final[Mapping[str, tuple[str, str]]] = {
    "scheduled": ("Scheduled", "quiet"),
    "pending": ("Waiting", "info"),
    "processing": ("Running", "accent"),
    "retrying": ("Retrying", "warn"),
    "completed": ("Completed", "good"),
    "failed": ("Failed", "bad"),
    "cancelled": ("Cancelled", "quiet"),
}
"""What an operator reads for a state, and the tone of its badge; in the order of a job's life."""
OUTCOMES: Final[Mapping[str, tuple[str, str]]] = {
    "started": ("Began", "accent"),
    "completed": ("Completed", "good"),
    "retrying": ("Failed, to be tried again", "warn"),
    "failed": ("Failed for good", "bad"),
    "cancelled": ("Cancelled", "quiet"),
    "postponed": ("Put off: its dependency is away", "warn"),
    "cancel_asked": ("Asked to stop", "warn"),
    "retried_by_hand": ("Sent round again by hand", "info"),
    "copied": ("A changed copy was made", "info"),
    "rescued": ("Lost on the way, and published again", "warn"),
    "suspected": ("Among those in hand when a worker died", "warn"),
    "crashed": ("Its worker died of it", "bad"),
    "parked": ("Parked: it kills its worker", "bad"),
}
"""What is read for a line of a job's history. What is not named here is shown as it is."""
TICKS: Final[Mapping[str | None, tuple[str, str]]] = {
    None: ("Told", "info"),
    "queued": ("Behind the one before", "info"),
    "started": ("Under way", "accent"),
    "skipped": ("Skipped", "quiet"),
    "completed": ("Completed", "good"),
    "failed": ("Failed", "bad"),
    "cancelled": ("Cancelled", "quiet"),
}
TYPE_EVENTS: Final[Mapping[str, tuple[str, str]]] = {
    "paused": ("Paused", "warn"),
    "resumed": ("Resumed", "good"),
    "breaker_opened": ("Its dependency is away", "bad"),
    "breaker_closed": ("Its dependency is back", "good"),
    "breaker_handed_over": ("Another worker tries", "info"),
}
"""What stopped a type, or let it go on."""
KINDS: Final[Mapping[str, str]] = {
    "work": "Work",
    "retry": "Waiting to be retried",
    "reports": "Reports to the ledger",
    "events": "Events",
    "stream": "Streams",
    "dead": "Dead letters",
}
"""Queues by what they are for, in the order in which they are shown."""


def duration(milliseconds: float | None) -> str:
    """`12 ms`, `3.4 s`, `5 min`, `2 h 10 min`, `3 d 4 h`."""
    if milliseconds is None:
        return "\u2013"
    if milliseconds < 1000:
        return f"{round(milliseconds)} ms"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{round(seconds)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def clock_time(moment: datetime) -> str:
    """`14:05`, in UTC."""
    return f"{moment:%H:%M}"


def day_time(moment: datetime) -> str:
    """`30 Nov, 02:30`, in UTC."""
    return f"{moment.day} {moment:%b, %H:%M}"


def ahead(moment: datetime, now: datetime) -> str:
    """`in 12 min`; `now` for what is due."""
    seconds = (moment - now).total_seconds()
    return "now" if seconds < 1 else f"in {duration(seconds * 1000)}"


def short(identifier: object) -> str:
    """The end of an id, which tells those of one moment apart."""
    return str(identifier)[-8:]


def about(target: str) -> str:
    """What a job is about: its target, of an id only the end."""
    try:
        return short(UUID(target))
    except ValueError:
        return target
