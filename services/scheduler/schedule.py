"""Reads the schedule file."""

import tomllib
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from services.scheduler.cron import Cron
from services.scheduler.errors import ScheduleInvalid
from services.scheduler.models import Entry, Timed


def read_schedule(path: Path, *, default_zone: str) -> tuple[Timed, ...]:
    """The entries of a file in its order. Raises `ScheduleInvalid` naming everything that is wrong at once."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise ScheduleInvalid(str(path), [f"cannot be read: {exc.strerror}"]) from exc
    return parse_schedule(text, source=str(path), default_zone=default_zone)


def parse_schedule(text: str, *, source: str, default_zone: str) -> tuple[Timed, ...]:
    """`read_schedule` of a text; `source` is what errors call it."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ScheduleInvalid(source, [f"not TOML: {exc}"]) from exc
    problems = [f"unknown key {key!r}; there are only [[entry]] tables" for key in document if key != "entry"]
    raw = document.get("entry", [])
    if not isinstance(raw, list):
        raise ScheduleInvalid(source, ["entries are written as [[entry]]", *problems])
    entries: list[Entry] = []
    for number, values in enumerate(raw, start=1):
        name = values.get("name") if isinstance(values, dict) else None
        called = f"entry {name!r}" if name else f"entry number {number}"
        try:
            entries.append(Entry.model_validate(values))
        except ValidationError as exc:
            problems += [f"{called}: {_said(error['loc'], error['msg'])}" for error in exc.errors()]
    counts = Counter(entry.name for entry in entries)
    problems += [f"entry {name!r}: is there {count} times" for name, count in counts.items() if count > 1]
    if problems:
        raise ScheduleInvalid(source, problems)
    return tuple(Timed(entry, Cron.parse(entry.cron, ZoneInfo(entry.zone or default_zone))) for entry in entries)


def _said(location: tuple[int | str, ...], message: str) -> str:
    field = ".".join(map(str, location))
    text = message.removeprefix("Value error, ")
    return f"{field}: {text}" if field else text
