"""Times as people write them: `2h` ago, or a date and time."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer

_AGO: Final = re.compile(r"(\d{1,6})(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def moment(text: str, now: datetime | None = None) -> datetime:
    """`30m`, `2h`, `7d` ago, or RFC 3339; a time without a zone is a local one. Raises `typer.BadParameter`."""
    if match := _AGO.fullmatch(text):
        return (now or datetime.now(UTC)) - timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither 30m, 2h, 7d nor a time like 2026-01-31T12:00") from None


def as_query(text: str | None) -> str | None:
    """The same as a parameter of the API."""
    return None if text is None else moment(text).isoformat()


Since = Annotated[str | None, typer.Option(metavar="TIME", help="From then on: 30m, 2h, 7d ago, or 2026-01-31T12:00.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Up to then, written as --since is.")]
