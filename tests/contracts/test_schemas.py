"""A message may only gain fields: the committed schemas stand for every reader and every message that is out there."""

import copy
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from deploy.docs import DOCS, SCHEMAS
from deploy.schemas import broken, schemas

OLD: dict[str, Any] = {
    "type": "object",
    "required": ["id", "lines"],
    "properties": {
        "id": {"type": "string", "format": "uuid"},
        "note": {"type": "string", "maxLength": 100, "default": ""},
        "count": {"type": "integer", "minimum": 0},
        "mode": {"enum": ["a", "b"], "type": "string"},
        "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
    },
    "$defs": {
        "Line": {
            "type": "object",
            "required": ["quantity"],
            "properties": {"quantity": {"type": "integer", "minimum": 1}},
        }
    },
}


@pytest.mark.parametrize("name", schemas(), ids=str)
def test_a_message_only_gains_fields_over_its_committed_schema(name: str) -> None:
    path = DOCS / SCHEMAS / name
    assert path.is_file(), f"docs/{SCHEMAS}/{name} is not committed; run `make docs`"
    assert broken(orjson.loads(path.read_bytes()), schemas()[name]) == []


def test_no_kind_of_message_is_gone() -> None:
    committed = {str(path.relative_to(DOCS / SCHEMAS)) for path in (DOCS / SCHEMAS).rglob("*.json")}
    assert committed <= set(schemas())


Change = Callable[[dict[str, Any]], object]

ADDITIVE: dict[str, Change] = {
    "nothing": lambda new: None,
    "a new field with a default": lambda new: new["properties"].update(more={"type": "string", "default": ""}),
    "a new field with a default inside": lambda new: _line(new)["properties"].update(title={"type": "string"}),
    "a longer text": lambda new: new["properties"]["note"].update(maxLength=200),
    "a text of any length": lambda new: new["properties"]["note"].pop("maxLength"),
    "a wider range": lambda new: new["properties"]["count"].update(minimum=-10),
    "one value more": lambda new: new["properties"]["mode"]["enum"].append("c"),
    "a field may be null": lambda new: new["properties"].update(
        count={"anyOf": [{"type": "integer", "minimum": 0}, {"type": "null"}]}
    ),
    "a field is no longer needed": lambda new: new["required"].remove("id"),
    "another explanation": lambda new: new.update(description="x", title="y"),
    "a number where it was an integer": lambda new: new["properties"]["count"].update(type="number"),
}
BREAKING: dict[str, tuple[Change, str]] = {
    "a field is gone": (lambda new: new["properties"].pop("note"), "note is gone"),
    "a field has another name": (
        lambda new: new["properties"].update(remark=new["properties"].pop("note")),
        "note is gone",
    ),
    "a new field is required": (
        lambda new: (new["properties"].update(more={"type": "string"}), new["required"].append("more")),
        "more is required",
    ),
    "an old field is required": (lambda new: new["required"].append("note"), "note is required"),
    "another type": (lambda new: new["properties"]["count"].update(type="string"), "count was integer"),
    "a shorter text": (lambda new: new["properties"]["note"].update(maxLength=50), "note: maxLength fell"),
    "a text has a length now": (lambda new: new["properties"]["id"].update(maxLength=50), "id: maxLength"),
    "a narrower range": (lambda new: new["properties"]["count"].update(minimum=1), "count: minimum rose"),
    "a range has an end now": (lambda new: new["properties"]["count"].update(maximum=9), "count: maximum"),
    "one value fewer": (lambda new: new["properties"]["mode"].update(enum=["a"]), "mode takes fewer values"),
    "any text becomes a choice": (lambda new: new["properties"]["note"].update(enum=["x"]), "note takes fewer"),
    "null is refused": (lambda new: new["properties"].update(maybe={"type": "string"}), "maybe no longer takes"),
    "another format": (lambda new: new["properties"]["id"].update(format="date"), "id: format"),
    "a pattern": (lambda new: new["properties"]["note"].update(pattern="^x"), "note: pattern"),
    "a field inside is gone": (lambda new: _line(new)["properties"].pop("quantity"), "lines[].quantity is gone"),
    "a field inside is narrower": (
        lambda new: _line(new)["properties"]["quantity"].update(minimum=2),
        "lines[].quantity: minimum",
    ),
    "further fields are refused": (lambda new: new.update(additionalProperties=False), "no further fields"),
}


@pytest.mark.parametrize("change", ADDITIVE.values(), ids=ADDITIVE)
def test_what_only_adds_is_let_through(change: Change) -> None:
    new = copy.deepcopy(OLD)
    change(new)
    assert broken(OLD, new) == []


@pytest.mark.parametrize(("change", "complaint"), BREAKING.values(), ids=BREAKING)
def test_what_breaks_a_message_that_is_out_there_is_named(change: Change, complaint: str) -> None:
    new = copy.deepcopy(OLD)
    change(new)
    assert any(complaint in found for found in broken(OLD, new)), broken(OLD, new)


def _line(new: dict[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = new["$defs"]["Line"]
    return line
