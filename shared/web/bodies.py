"""Reading what a client sent: strictly, with a JSON pointer for each thing that is wrong."""

import asyncio
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from aiohttp import web
from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from shared.errors import FieldError, InvalidInput, Unparsable

MAX_NESTING: Final = 64
MAX_ERRORS: Final = 100
"""No answer lists more errors than anybody reads."""
RECEIVE_SECONDS: Final = 60.0
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)
_NOT_IN_LINES: Final = r"\x00-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2066-\u2069\ufeff"
"""Controls, ends of lines and paragraphs, what is not seen, and what turns the order of others around."""
_BREAKING: Final = re.compile(f"[{_NOT_IN_LINES}]")
_DATE_AND_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")

B = TypeVar("B", bound=BaseModel)


class Body(BaseModel):
    """Base of request bodies: strict, and an unknown field is an error, not a typo that is lost."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)


class Query(BaseModel):
    """Base of query strings: text becomes numbers and flags; an unknown parameter is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _in_range(moment: datetime) -> datetime:
    if not EARLIEST <= moment < LATEST:
        raise ValueError("a time from 1970 to 9998")
    return moment


def _one_line(text: str) -> str:
    if _BREAKING.search(text):
        raise ValueError("one line of printable characters")
    return text


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that raises `ValueError`, and the regular expression by which clients know it."""

    check: Callable[[Any], Any]
    pattern: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self.pattern}


def _written_out(value: Any) -> Any:
    """The time in a text. pydantic would also take seconds since 1970, and days, for times."""
    if isinstance(value, str):
        if not _DATE_AND_TIME.match(value):
            raise ValueError("a time as 2026-01-31T12:00:00Z")
        return datetime.fromisoformat(value)
    return value


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_written_out),
    Rule(_in_range, r"^(19[7-9]\d|[2-8]\d{3}|9[0-8]\d\d|99[0-8]\d|999[0-8])-"),
]
"""A time that every zone and PostgreSQL can hold: at the ends of the calendar, conversions overflow."""
ONE_LINE: Final = Rule(_one_line, rf"^[^{_NOT_IN_LINES}]*$")
"""For text that stands in lines: names, titles, subjects."""


async def read_body(request: web.Request, model: type[B]) -> B:
    """Parse a JSON body. Raises `Unparsable` (400) for what is no JSON, `InvalidInput` (422) with pointers."""
    if request.content_type not in ("application/json", "application/octet-stream"):
        raise web.HTTPUnsupportedMediaType
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):  # JSON is UTF-8 (RFC 8259)
        raise web.HTTPUnsupportedMediaType
    raw = await received(request)
    if errors := _unstorable(parsed := _parsed(raw)):
        raise InvalidInput("The body holds what cannot be kept; see errors.", errors=errors)
    try:
        return model.model_validate_json(raw)
    except ValidationError as exc:
        raise InvalidInput("The body does not fit; see errors.", errors=pointed(exc, parsed)) from exc


def _parsed(raw: bytes) -> Any:
    """The JSON value, with marks where a parser would silently choose. Raises `Unparsable`."""
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_object)
    except RecursionError as exc:
        raise Unparsable("The body is nested too deeply.") from exc
    except ValueError as exc:  # no JSON, no UTF-8, or an integer of thousands of digits
        raise Unparsable(f"The body is not JSON: {exc}") from exc


class _Repeated:
    """Stands for the values of a key that is given twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = _Repeated() if key in found else value
    return found


async def received(request: web.Request) -> bytes:
    """The whole body, within the time limit of receiving one. Raises `Unparsable` when it cannot be decoded."""
    try:
        async with asyncio.timeout(RECEIVE_SECONDS):
            return await request.read()
    except TimeoutError as exc:
        raise web.HTTPRequestTimeout from exc
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
    if errors := _unstorable(values):
        raise InvalidInput("A parameter holds what cannot be kept; see errors.", errors=errors)
    try:
        query = model.model_validate(values)
    except ValidationError as exc:
        raise InvalidInput("The query does not fit; see errors.", errors=pointed(exc, values)) from exc
    if errors := [FieldError(f"/{name}", "int_parsing", "digits alone") for name in _odd_numbers(query, values)]:
        raise InvalidInput("The query does not fit; see errors.", errors=errors)
    return query


def _odd_numbers(query: BaseModel, values: Mapping[str, str]) -> Iterator[str]:
    """Integers that pydantic reads out of `1_0`, `+5`, ` 5 ` and `5.0`."""
    for name, text in values.items():
        value = getattr(query, name, None)
        if isinstance(value, int) and not isinstance(value, bool) and str(value) != text:
            yield name


def pointed(error: ValidationError, given: Any) -> list[FieldError]:
    """pydantic's errors with RFC 6901 pointers into what was `given`; one for each place.

    Where a value may be of several kinds, pydantic names its own ones on the way: those are no part of a pointer.
    """
    found: dict[str, FieldError] = {}
    for item in error.errors(include_url=False, include_context=False):
        pointer = "".join(f"/{_escaped(part)}" for part in _way(item["loc"], given, item["type"] in _ABOUT_NAMES))
        before, said = found.get(pointer), item["msg"].removeprefix("Value error, ")
        if before is None:
            found[pointer] = FieldError(pointer, item["type"], said)
        elif said not in before.detail:
            found[pointer] = replace(before, detail=f"{before.detail}; or: {said}")
    return [*found.values()]


_ABOUT_NAMES: Final = frozenset({"missing", "extra_forbidden"})
"""Errors of a field that is not there: its name ends the way all the same."""


def _way(location: Sequence[int | str], given: Any, is_about_name: bool) -> Iterator[int | str]:
    last = len(location) - 1
    for at, part in enumerate(location):
        if _has(given, part):
            given = given[part]
        elif not (is_about_name and at == last):
            continue
        yield part


def _has(given: Any, part: int | str) -> bool:
    if isinstance(given, Mapping):
        return part in given
    return isinstance(given, list | tuple) and isinstance(part, int) and part < len(given)


def _escaped(part: int | str) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _unstorable(value: Any) -> list[FieldError]:
    """Where a value holds what JSON or PostgreSQL cannot keep; said here, with a pointer, not as a 500 there."""
    errors: list[FieldError] = []
    waiting: list[tuple[str, int, Any]] = [("", 0, value)]
    while waiting:
        pointer, depth, item = waiting.pop()
        if isinstance(item, str):
            if problem := _unstorable_text(item):
                errors.append(FieldError(pointer, *problem))
        elif isinstance(item, float):
            if not math.isfinite(item):
                errors.append(FieldError(pointer, "not_finite", "NaN and Infinity are no JSON numbers"))
        elif isinstance(item, _Repeated):
            errors.append(FieldError(pointer, "repeated", "this key is given twice"))
        elif isinstance(item, dict | list):
            if depth == MAX_NESTING:
                errors.append(FieldError(pointer, "too_deep", f"at most {MAX_NESTING} levels"))
                continue
            pairs = item.items() if isinstance(item, dict) else enumerate(item)
            for key, inner in pairs:
                waiting.append((f"{pointer}/{_escaped(key)}", depth + 1, inner))
                if isinstance(key, str) and (problem := _unstorable_text(key)):
                    errors.append(FieldError(pointer, *problem))
    return errors[:MAX_ERRORS]


def _unstorable_text(text: str) -> tuple[str, str] | None:
    if "\x00" in text:
        return "nul", "U+0000 is not allowed in text"
    if not text.isascii() and _LONE_SURROGATE.search(text):
        return "lone_surrogate", "half of a surrogate pair is no character"
    return None
