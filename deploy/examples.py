"""Examples of values, made of their schemas: the same in every run, and as people would write them."""

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_BY_NAME: Final[Mapping[str, Any]] = {
    "sku": "BOWL-28",
    "title": "Walnut bowl",
    "description": "Turned from one piece, 28 cm.",
    "slug": "walnut-bowl",
    "category": "kitchen",
    "currency": "EUR",
    "amount_minor": 1999,
    "name": "Willow & Oak",
    "email": "ada@example.com",
    "url": "https://example.com/bowl.jpg",
    "alt": "The bowl from above",
    "attributes": {"colour": "brown"},
    "cron": "*/30 * * * *",
    "time_zone": "Europe/Berlin",
    "external_id": "shop-1001",
    "delta": 5,
    "note": "Please add a picture of the back.",
    "password": "correct horse battery",
    "new_password": "correct horse battery",
    "current_password": "battery horse correct",
    "next": "eyJhIjoxfQ",
    "payload": {"audience": {"kind": "admins"}},
    "expires_at": "2046-01-31T12:00:00Z",
    "request_id": "019c1d3a-7f00-7000-8000-00000000000a",
    "from": "2026-01-01",
    "to": "2026-01-31",
}
"""What is in fields of these names, where it fits. A model that needs more says so in its own `examples`."""
_BY_FORMAT: Final[Mapping[str, str]] = {
    "uuid": "019c1d3a-7f00-7000-8000-000000000001",
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "email": "ada@example.com",
    "binary": "",
}


def example_of(schema: Schema, definitions: Mapping[str, Schema], name: str = "") -> Any:
    """A value that fits. References are looked up in `definitions` by the last part of their names."""
    if "$ref" in schema:
        return example_of(definitions[schema["$ref"].rpartition("/")[2]], definitions, name)
    if "examples" in schema:
        return schema["examples"][0]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], definitions, name)
    if name in _BY_NAME and _fits(schema, _BY_NAME[name]):
        return _BY_NAME[name]
    if "const" in schema:
        return schema["const"]
    if schema.get("default") is not None:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    return _by_type(schema, definitions, name)


def _fits(schema: Schema, value: Any) -> bool:
    """Whether it may stand here: of the type, in the choice, and of the right form."""
    if isinstance(value, dict):
        return schema.get("type") == "object" and "properties" not in schema
    if value not in schema.get("enum", (value,)) or schema.get("const", value) != value:
        return False
    kinds = {"string": str, "integer": int}
    form = schema.get("format") in (None, "email", "date", "date-time")
    return isinstance(value, kinds.get(schema.get("type", ""), ())) and form


def _by_type(schema: Schema, definitions: Mapping[str, Schema], name: str) -> Any:
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            return {field: example_of(inner, definitions, field) for field, inner in fields.items()}
        case "array":
            items = schema.get("items", schema.get("prefixItems", [{}])[0] if "prefixItems" in schema else {})
            return [example_of(items, definitions, name)]
        case "integer":
            return schema.get("minimum", 1)
        case "number":
            return schema.get("minimum", 1.5)
        case "boolean":
            return True
        case "string":
            return _BY_FORMAT.get(schema.get("format", ""), "text")
        case "null":
            return None
        case _:
            return {}
