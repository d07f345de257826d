"""Personal data in what jobs carry: shown masked, and put back where a person changed something beside it."""

import re
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

_ADDRESS: Final = re.compile(r"([\w.%+-])[\w.%+-]*@([\w-]+(?:\.[\w-]+)+)")
_LINK_SECRET: Final = re.compile(r"(/r/[0-9a-f-]{36}/)[\w.~=-]+")
_PERSONAL: Final = frozenset(
    {
        "email",
        "mail",
        "to",
        "recipient",
        "recipients",
        "phone",
        "address",
        "street",
        "first_name",
        "last_name",
        "full_name",
    }
)
_SECRET: Final = frozenset({"password", "secret", "token", "api_key", "authorization"})
MASK: Final = "•••"


def masked_text(text: str) -> str:
    """A text with mail addresses as `a•••@example.com`, and without what opens a report to anybody."""
    return _LINK_SECRET.sub(rf"\1{MASK}", _ADDRESS.sub(rf"\1{MASK}@\2", text))


def masked(value: JsonValue, name: str = "") -> JsonValue:
    """A value with what is personal or secret in it masked, by its name or its looks."""
    if isinstance(value, Mapping):
        return {key: masked(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner, name) for inner in value]
    if not isinstance(value, str):
        return value
    if name.lower() in _SECRET:
        return MASK
    shown = masked_text(value)
    if name.lower() in _PERSONAL and shown == value and value:
        return value[0] + MASK
    return shown


def unmasked(value: JsonValue, original: JsonValue, name: str = "") -> JsonValue:
    """A value that was changed where it had been shown masked: what is still as it was shown is what it was."""
    if isinstance(value, Mapping) and isinstance(original, Mapping):
        return {key: unmasked(inner, original.get(key), key) for key, inner in value.items()}
    if isinstance(value, list) and isinstance(original, list):
        rest = [None] * (len(value) - len(original))
        return [unmasked(inner, was, name) for inner, was in zip(value, [*original, *rest], strict=False)]
    return original if original is not None and value == masked(original, name) else value
