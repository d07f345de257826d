"""What the scheduler raises on purpose."""

from collections.abc import Sequence

from shared.errors import CannotStart, Conflict, NotFound


class ScheduleInvalid(CannotStart):
    """The schedule file cannot be used; `problems` names each entry and what is wrong with it."""

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        super().__init__("\n  ".join([f"{source}:", *problems]))
        self.problems = tuple(problems)


class UnknownEntry(NotFound):
    """The schedule has no entry of this name."""

    code = "unknown_schedule"


class EntryDisabled(Conflict):
    """The file switches the entry off, so it cannot be resumed; change the file, or run it now once."""

    code = "schedule_disabled"
