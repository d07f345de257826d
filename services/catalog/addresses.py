"""Ids in addresses."""

from typing import Final
from uuid import UUID

AN_ID: Final = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
"""For a path's parameter that stands where fixed words do too: those are no ids."""


def parsed_id(text: str) -> UUID | None:
    """An id in its usual form; None for anything else, a slug for one."""
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text.lower() else None
