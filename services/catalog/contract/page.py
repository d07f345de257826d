"""The reference as one page for people: made of the document alone, without scripts, light or dark as the screen is."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

Schema = Mapping[str, Any]

TEMPLATES: Final = Path(__file__).parent / "templates"
STYLE: Final = (TEMPLATES / "reference.css").read_text()
_NOTHING_ELSE: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a member of a body: what it is called, is, must be, and means."""

    name: str
    kind: str
    is_required: bool
    about: str


@dataclass(frozen=True, slots=True)
class Content:
    """A body of one media type."""

    media_type: str
    fields: Sequence[Field]
    example: str | None


@dataclass(frozen=True, slots=True)
class Reply:
    """One status that an operation answers with."""

    status: str
    about: str
    headers: Sequence[str]
    contents: Sequence[Content]


@dataclass(frozen=True, slots=True)
class Entry:
    """One operation as the page shows it."""

    id: str
    method: str
    path: str
    summary: str
    about: str
    roles: Sequence[str]
    parameters: Sequence[tuple[str, Field]]
    bodies: Sequence[Content]
    good: Sequence[Reply]
    bad: Sequence[Reply]


def page_policy() -> str:
    """The page's Content-Security-Policy: its own style and nothing else."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return f"{_NOTHING_ELSE}; style-src 'sha256-{digest}'"


def reference_page(document: Schema) -> str:
    """The page of an OpenAPI document."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["marked"] = marked
    entries = [*_entries(document)]
    groups = [(tag, [entry for name, entry in entries if name == tag["name"]]) for tag in document["tags"]]
    return environment.get_template("reference.html.jinja").render(
        info=document["info"], groups=groups, schemes=document["components"]["securitySchemes"], style=STYLE
    )


def marked(text: str) -> Markup:
    """Text in which what stands between back-ticks is code."""
    parts = text.split("`")
    return Markup().join(
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)
    )


def _entries(document: Schema) -> Iterator[tuple[str, Entry]]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            replies = [_reply(status, reply, document) for status, reply in operation["responses"].items()]
            yield (
                operation["tags"][0],
                Entry(
                    id=operation["operationId"],
                    method=method.upper(),
                    path=path,
                    summary=operation["summary"],
                    about=operation.get("description", ""),
                    roles=operation["x-roles"],
                    parameters=[_parameter(found, document) for found in operation.get("parameters", ())],
                    bodies=_contents(operation.get("requestBody", {}), document),
                    good=[reply for reply in replies if reply.status < "400"],
                    bad=[reply for reply in replies if reply.status >= "400"],
                ),
            )


def _parameter(given: Schema, document: Schema) -> tuple[str, Field]:
    found = _resolved(given, document)
    about = found.get("description", "")
    return found["in"], _field(found["name"], found["schema"], document, found["required"], about)


def _reply(status: str, given: Schema, document: Schema) -> Reply:
    found = _resolved(given, document)
    return Reply(status, found["description"], [*found.get("headers", ())], _contents(found, document))


def _contents(holder: Schema, document: Schema) -> list[Content]:
    return [
        Content(
            media_type,
            _fields(content["schema"], document),
            _example(content["example"]) if "example" in content else None,
        )
        for media_type, content in holder.get("content", {}).items()
    ]


def _example(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _fields(given: Schema, document: Schema) -> list[Field]:
    return [*_nested(given, document, "", DEEPEST)]


def _nested(given: Schema, document: Schema, place: str, levels: int) -> Iterator[Field]:
    """The members of an object and, below each, its own: `price`, `price.amount_minor`."""
    schema = _resolved(given, document)
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        at = f"{place}{name}"
        yield _field(at, inner, document, name in required, inner.get("description", ""))
        if levels > 1:
            held = _resolved(inner, document)
            yield from _nested(
                held.get("items", held), document, f"{at}[]." if "items" in held else f"{at}.", levels - 1
            )


def _field(name: str, schema: Schema, document: Schema, is_required: bool, about: str) -> Field:
    return Field(name, kind_of(schema, document), is_required, about)


def kind_of(given: Schema, document: Schema) -> str:
    """A schema in a few words: `text, 1 to 200 characters`, `list of Picture, or null`."""
    if "$ref" in given:
        found = _resolved(given, document)
        return given["$ref"].rpartition("/")[2] if "properties" in found else kind_of(found, document)
    match given:
        case {"const": value}:
            return json.dumps(value)
        case {"enum": [*values]} if len(values) > MOST_SHOWN:
            return f"one of {len(values)}: {', '.join(map(str, values[:MOST_SHOWN]))}, …"
        case {"enum": [*values]}:
            return " | ".join(map(str, values))
        case {"anyOf": [*ways]}:
            return ", or ".join(kind_of(way, document) for way in ways)
        case {"type": "array", "items": items}:
            return f"list of {kind_of(items, document)}{_between(given, 'Items', 'items')}"
        case {"type": "string", "format": form}:
            return _FORMS.get(form, str(form))
        case {"type": "string", "pattern": pattern}:
            return f"text like `{pattern}`{_between(given, 'Length', 'characters')}"
        case {"type": "string"}:
            return f"text{_between(given, 'Length', 'characters')}"
        case {"type": "integer" | "number" as kind}:
            return f"{kind}{_range(given)}"
        case {"type": "object", "additionalProperties": {} as inner} if inner:
            return f"object of {kind_of(inner, document)}"
        case {"type": kind}:
            return str(kind)
        case _:
            return "any JSON"


DEEPEST: Final = 3
"""So many levels of a body are shown; its example has all."""
MOST_SHOWN: Final = 12
"""A longer list of values is shown by its beginning."""
_FORMS: Final = {"uuid": "id", "date-time": "time", "email": "e-mail address", "binary": "file"}


def _between(schema: Schema, what: str, unit: str) -> str:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if least is None and most is None:
        return ""
    return f", at most {most} {unit}" if not least else f", {least} to {most} {unit}" if most else f", from {least}"


def _range(schema: Schema) -> str:
    least, most = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    if least is None and most is None:
        return ""
    return f" up to {most}" if least is None else f" {least} to {most}" if most is not None else f" from {least}"


def _resolved(schema: Schema, document: Schema) -> Schema:
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema
