"""What the shell offers for a word that is only begun: names that are known without asking any service."""

import tomllib
from collections.abc import Callable, Iterable
from typing import Final

from deploy.configuration import READERS
from deploy.local.settings import CLONE
from shared.messaging.topology import WORK_BY_TYPE

Complete = Callable[[str], list[str]]


def _one_of(names: Iterable[str]) -> Complete:
    known = sorted(names)

    def complete(incomplete: str) -> list[str]:
        return [name for name in known if name.startswith(incomplete)]

    return complete


job_types: Final = _one_of(WORK_BY_TYPE)
processes: Final = _one_of(READERS)


def schedule_entries(incomplete: str) -> list[str]:
    """Those of the file that comes with Souk; one of one's own may have others."""
    with (CLONE / "deploy" / "schedule.toml").open("rb") as file:
        return _one_of(entry["name"] for entry in tomllib.load(file)["entry"])(incomplete)
