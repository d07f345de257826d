"""One setting, as people are told of it: read from a field of a settings class, so that page and refusal agree."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

PREFIX: Final = "SOUK_"
ALLOWED: Final = "allowed"
_UNITS: Final = {"seconds": "s", "ms": "ms", "minutes": "min", "hours": "h", "days": "days", "bytes": "bytes"}


def allowed(text: str) -> Any:
    """What may be given, in words, where the type alone does not say it; stands in the field's `Annotated`."""
    return Field(json_schema_extra={ALLOWED: text})


@dataclass(frozen=True, slots=True)
class Setting:
    """`default` is None where the setting must be given, and "" where it is simply not there."""

    field: str
    allowed: str
    unit: str
    default: str | None
    is_secret: bool
    is_json: bool
    about: str

    @property
    def name(self) -> str:
        """The variable."""
        return f"{PREFIX}{self.field.upper()}"

    @property
    def names(self) -> tuple[str, ...]:
        """The variable, and for a secret the one that names a file."""
        return (self.name, f"{self.name}_FILE") if self.is_secret else (self.name,)


def described(model: type[BaseModel]) -> dict[str, Setting]:
    """Every setting of a class, by field, in the order of writing."""
    schema = model.model_json_schema()
    return {name: _setting(name, field, schema) for name, field in model.model_fields.items()}


def _setting(name: str, field: FieldInfo, root: Mapping[str, Any]) -> Setting:
    schema = _plain(root["properties"][name], root)
    return Setting(
        field=name,
        allowed=_in_words(schema),
        unit=_UNITS.get(name.rpartition("_")[2], ""),
        default=_default(field),
        is_secret=schema.get("format") == "password",
        is_json=_is_json(field.annotation),
        about=" ".join(inspect.cleandoc(field.description or "").split()),
    )


def _plain(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of what may be given: references followed, null left out (nothing given is null)."""
    if "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        return _plain(root["$defs"][schema["$ref"].rpartition("/")[2]], root) | rest
    if "anyOf" in schema:
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        [only] = [way for way in schema["anyOf"] if way.get("type") != "null"]
        return _plain(only, root) | rest
    return dict(schema)


def _in_words(schema: Mapping[str, Any]) -> str:
    if ALLOWED in schema:
        return str(schema[ALLOWED])
    match schema:
        case {"enum": values}:
            return " or ".join(str(value) for value in values)
        case {"type": "integer"}:
            return f"a whole number{_range(schema)}"
        case {"type": "number"}:
            return f"a number{_range(schema)}"
        case {"type": "boolean"}:
            return "true or false"
        case {"type": "array"}:
            return 'a JSON list: ["…", "…"]'
        case {"type": "object"}:
            return "a JSON object"
        case {"format": "path" | "file-path" | "directory-path"}:
            return "a path"
        case _:
            return "text"


def _range(schema: Mapping[str, Any]) -> str:
    bounds = (
        ("from", "minimum"),
        ("above", "exclusiveMinimum"),
        ("to" if "minimum" in schema else "up to", "maximum"),
        ("below", "exclusiveMaximum"),
    )
    return "".join(f" {word} {schema[key]:g}" for word, key in bounds if key in schema)


def _default(field: FieldInfo) -> str | None:
    if field.is_required():
        return None
    if field.default_factory is not None:
        return "depends on the machine"
    value = field.default
    if value is None:
        return ""
    if isinstance(value, tuple | list | dict):
        return json.dumps(value)
    return str(value)


def _is_json(annotation: Any) -> bool:
    """Whether the variable is written as JSON: lists and objects are."""
    if get_origin(annotation) in (tuple, list, dict):
        return True
    return any(_is_json(way) for way in get_args(annotation) if way is not NoneType)
