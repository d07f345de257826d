"""Forms: read strictly, as the API's bodies are, and shown again with what is wrong beside each field."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from aiohttp import web
from pydantic import ValidationError

from services.catalog.forms import CSRF_FIELD, fields_of
from shared.currencies import minor_digits
from shared.errors import AppError, FieldError, InvalidInput
from shared.web.bodies import Body, pointed

B = TypeVar("B", bound=Body)

_AMOUNT: Final = re.compile(r"(\d{1,12}|\d{1,3}(?:,\d{3}){1,3})(?:[.,](\d{1,3}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Form:
    """What was typed, with what is wrong with it."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[FieldError, ...] = ()

    def refused(self, error: AppError) -> "Form":
        """The same form with what an error says of it."""
        return Form(self.values, error.errors or (FieldError("", error.code, error.detail),))


async def read_form(request: web.Request) -> dict[str, str]:
    """The fields of a form; its token was checked on the way in. Raises `InvalidInput` for NUL and for a repetition."""
    values: dict[str, str] = {}
    for name, value in await fields_of(request):
        if name in values or "\x00" in value:
            raise InvalidInput("The form does not fit.", errors=[FieldError(f"/{name}", "field", "give it once")])
        values[name] = value.replace("\r\n", "\n")
    values.pop(CSRF_FIELD, None)
    return values


def fitted(model: type[B], values: Mapping[str, Any]) -> B:
    """The values as one of the API's bodies. Raises `InvalidInput` with pointers, as the API does."""
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        raise InvalidInput("Something in the form does not fit; see below.", errors=pointed(exc, values)) from exc


def whole_number(values: Mapping[str, str], name: str) -> int:
    """A field's number. Raises `InvalidInput` pointing at it."""
    text = values.get(name, "").strip()
    if not (text.isascii() and text.removeprefix("-").isdigit()) or len(text) > 15:
        raise InvalidInput("This is no whole number.", errors=[FieldError(f"/{name}", "int", "a whole number")])
    return int(text)


def amount(values: Mapping[str, str], name: str, currency: str) -> int:
    """A field's amount (`1,234.50` or `12,50`) in minor units. Raises `InvalidInput` pointing at it."""
    digits = minor_digits(currency)
    match = _AMOUNT.fullmatch(values.get(name, "").strip())
    cents = "" if match is None else match[2] or ""
    if match is None or len(cents) > digits:
        said = f"an amount with up to {digits} digits behind the point" if digits else "a whole amount"
        raise InvalidInput("The price does not fit.", errors=[FieldError(f"/{name}", "amount", said)])
    return int(match[1].replace(",", "") + cents.ljust(digits, "0"))
