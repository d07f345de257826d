"""What becomes of slots that are looked at late. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, assert_never

from services.scheduler.models import Cause

ON_TIME: Final = timedelta(seconds=60)
"""A slot emitted no later than this was not missed: schedulers wake at least every minute."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The slots to emit, each with why; `given_up` were missed and are not made up for."""

    emit: tuple[tuple[datetime, Cause], ...]
    given_up: int


def judge(
    slots: Sequence[datetime], now: datetime, *, misfire: Literal["skip", "once", "all"], window: timedelta
) -> Verdict:
    """Decide on slots in climbing order, none later than `now`.

    What is on time is emitted. Of what is late: `skip` nothing; `all` each within `window`; `once` the latest within
    `window`, unless a slot that is on time stands for it.
    """
    on_time = [slot for slot in slots if now - slot <= ON_TIME]
    late = slots[: len(slots) - len(on_time)]
    recent = [slot for slot in late if now - slot <= window]
    made_up: Sequence[datetime]
    match misfire:
        case "skip":
            made_up = ()
        case "once":
            made_up = () if on_time else recent[-1:]
        case "all":
            made_up = recent
        case _:
            assert_never(misfire)
    emit = (*((slot, Cause.CATCH_UP) for slot in made_up), *((slot, Cause.SLOT) for slot in on_time))
    return Verdict(emit, given_up=len(late) - len(made_up))
