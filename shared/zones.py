"""IANA time zones by name, as settings and files give them."""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from shared.setting import allowed


def _known(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError) as exc:
        raise ValueError(f"{name!r} is not the name of a time zone; those are like Europe/Berlin or UTC") from exc
    return name


ZoneName = Annotated[str, AfterValidator(_known), allowed("an IANA name: Europe/Berlin, UTC")]
"""A name of the IANA time zone database, checked: `Europe/Berlin`, `UTC`."""
