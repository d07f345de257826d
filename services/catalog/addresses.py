"""Ids in addresses."""

from uuid import UUID


def parsed_id(text: str) -> UUID | None:
    """An id in its usual form; None for anything else, a slug for one."""
    try:
        parsed = UUID(text)
    except ValueError:
        return None
    return parsed if str(parsed) == text.lower() else None
