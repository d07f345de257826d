"""The JSON schemas of all messages, and the rule by which they may change: fields are only ever added."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

from shared.contracts.envelope import Envelope
from shared.contracts.events import EVENTS
from shared.contracts.jobs import JOBS
from shared.contracts.reports import ReportBatch
from shared.messaging.reporter import REPORT_TYPE

Schema = Mapping[str, Any]

_LOWER_IS_WIDER: Final = ("minLength", "minimum", "exclusiveMinimum", "minItems")
_HIGHER_IS_WIDER: Final = ("maxLength", "maximum", "exclusiveMaximum", "maxItems")
_EQUAL_OR_GONE: Final = ("pattern", "format")


def schemas() -> dict[str, Schema]:
    """Every schema by its file's name: `events/stock.changed.1.json`."""
    return {
        **{f"events/{event.type}.1.json": _schema(event, f"urn:souk:{event.type}:1") for event in EVENTS},
        **{f"jobs/{job.type}.1.json": _schema(job, f"urn:souk:{job.type}:1") for job in JOBS},
        f"{REPORT_TYPE}.1.json": _schema(ReportBatch, f"urn:souk:{REPORT_TYPE}:1"),
        "envelope.1.json": _schema(Envelope, "urn:souk:envelope:1"),
    }


def _schema(model: type[BaseModel], identifier: str) -> Schema:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": identifier,
        **model.model_json_schema(),
    }


def broken(old: Schema, new: Schema) -> list[str]:
    """What a reader of `new` would refuse in a message that fits `old`, or miss in it; empty when only additive.

    Each is a sentence that begins with the field's place: `lines[].quantity is gone`.
    """
    return list(_broken(old, new, old, new, "the message"))


def _broken(old: Schema, new: Schema, old_root: Schema, new_root: Schema, place: str) -> Iterator[str]:
    old_ways, new_ways = _alternatives(old, old_root), _alternatives(new, new_root)
    if len(old_ways) == len(new_ways) == 1:
        yield from _narrowed(old_ways[0], new_ways[0], old_root, new_root, place)
        return
    for way in old_ways:
        if all(any(_narrowed(way, other, old_root, new_root, place)) for other in new_ways):
            yield f"{place} no longer takes {way.get('type', way.get('const', 'one of its kinds'))!r}"


def _alternatives(schema: Schema, root: Schema) -> list[Schema]:
    """The kinds of value a schema takes, references followed."""
    schema = resolved(schema, root)
    if "anyOf" in schema:
        return [found for way in schema["anyOf"] for found in _alternatives(way, root)]
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": kind} for kind in schema["type"]]
    return [schema]


def resolved(schema: Schema, root: Schema) -> Schema:
    """The schema itself where there is a reference into `$defs` of `root`."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def _narrowed(old: Schema, new: Schema, old_root: Schema, new_root: Schema, place: str) -> Iterator[str]:
    """Complaints about two schemas of one kind of value each."""
    if "type" in new and old.get("type") != new["type"] and (old.get("type"), new["type"]) != ("integer", "number"):
        yield f"{place} was {old.get('type', 'anything')} and is {new['type']}"
        return
    values, kept = _values(old), _values(new)
    if kept is not None and (values is None or not set(values) <= set(kept)):
        yield f"{place} takes fewer values: {sorted(map(str, set(values or ()) - set(kept))) or kept}"
    for name in _LOWER_IS_WIDER:
        if name in new and new[name] > old.get(name, float("-inf")):
            yield f"{place}: {name} rose to {new[name]}"
    for name in _HIGHER_IS_WIDER:
        if name in new and new[name] < old.get(name, float("inf")):
            yield f"{place}: {name} fell to {new[name]}"
    for name in _EQUAL_OR_GONE:
        if name in new and new[name] != old.get(name):
            yield f"{place}: {name} is {new[name]!r} and was {old.get(name)!r}"
    yield from _of_object(old, new, old_root, new_root, place)
    for inner in ("items", "additionalProperties"):
        before, after = old.get(inner), new.get(inner)
        if after is False and before is not False:
            yield f"{place} takes no further fields any more"
        elif isinstance(after, Mapping):
            before = before if isinstance(before, Mapping) else {}
            yield from _broken(before, after, old_root, new_root, f"{place}[]")


def _of_object(old: Schema, new: Schema, old_root: Schema, new_root: Schema, place: str) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in before:
        inner = name if place == "the message" else f"{place}.{name}"
        if name in after:
            yield from _broken(before[name], after[name], old_root, new_root, inner)
        else:
            yield f"{inner} is gone"
    for name in new.get("required", ()):
        if name not in old.get("required", ()):
            yield f"{name if place == 'the message' else f'{place}.{name}'} is required and was not"


def _values(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values: list[Any] | None = schema.get("enum")
    return values
