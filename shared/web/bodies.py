"""Reading what a client sent: strictly, with a JSON pointer for each thing that is wrong."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import FieldError, InvalidInput, Unparsable

MAX_NESTING: Final = 64

B = TypeVar("B", bound=BaseModel)


class Body(BaseModel):
    """Base of request bodies: strict, and an unknown field is an error, not a typo that is lost."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Query(BaseModel):
    """Base of query strings: text becomes numbers and flags; an unknown parameter is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


async def read_body(request: web.Request, model: type[B]) -> B:
    """Parse a JSON body. Raises `Unparsable` (400) for what is no JSON, `InvalidInput` (422) with pointers."""
    if request.content_type not in ("application/json", "application/octet-stream"):
        raise web.HTTPUnsupportedMediaType
    raw = await _raw(request)
    try:
        # orjson refuses NaN, lone surrogates, invalid UTF-8 and deep nesting.
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise Unparsable(f"The body is not JSON: {exc}") from exc
    _refuse_nul(value, "")
    try:
        return model.model_validate_json(raw)
    except ValidationError as exc:
        raise InvalidInput("The body does not fit; see errors.", errors=pointed(exc)) from exc


async def _raw(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPException:
        raise
    except (ValueError, web.RequestPayloadError) as exc:  # e.g. a Content-Encoding that does not decode
        raise Unparsable(f"The body could not be read: {exc}") from exc


def read_query(request: web.Request, model: type[B]) -> B:
    """Parse the query string. Raises `InvalidInput` with pointers (`/limit`)."""
    repeated = [name for name in request.query if len(request.query.getall(name)) > 1]
    if repeated:
        raise InvalidInput(
            "A parameter is given twice.",
            errors=[FieldError(f"/{name}", "repeated", "give it once") for name in sorted(set(repeated))],
        )
    values: Mapping[str, str] = dict(request.query)
    _refuse_nul(values, "")
    try:
        return model.model_validate(values)
    except ValidationError as exc:
        raise InvalidInput("The query does not fit; see errors.", errors=pointed(exc)) from exc


def pointed(error: ValidationError) -> list[FieldError]:
    """pydantic's errors with RFC 6901 pointers."""
    return [
        FieldError(
            "".join(f"/{_escaped(part)}" for part in item["loc"]),
            item["type"],
            item["msg"],
        )
        for item in error.errors(include_url=False, include_context=False)
    ]


def _escaped(part: int | str) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _refuse_nul(value: Any, pointer: str) -> None:
    """PostgreSQL text cannot hold U+0000; say so here, with a pointer, not as a 500 there."""
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidInput(
                "A text holds a NUL character.",
                errors=[FieldError(pointer, "nul", "U+0000 is not allowed in text")],
            )
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_nul(key, pointer)
            _refuse_nul(item, f"{pointer}/{_escaped(key)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_nul(item, f"{pointer}/{index}")
