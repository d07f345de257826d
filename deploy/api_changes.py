"""How the HTTP API may change: what a client of an older document sends is still taken, what it reads is still there.

A value that a client must handle may become one of a larger choice, and fields are added to what it reads.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from deploy.schemas import Schema, broken, resolved

SAFE_STATUSES: Final = "123"


def broken_promises(old: Schema, new: Schema) -> list[str]:
    """What clients of `old` miss in `new`, as sentences; empty when it only adds."""
    return [*_broken(old, new)]


def _broken(old: Schema, new: Schema) -> Iterator[str]:
    for path, methods in old["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            now = new["paths"].get(path, {}).get(method)
            if now is None:
                yield f"{name} is gone"
                continue
            if now["operationId"] != operation["operationId"]:
                yield f"{name} was {operation['operationId']} and is {now['operationId']}"
            if lost := sorted({*operation["x-roles"]} - {*now["x-roles"]} if "public" not in now["x-roles"] else ()):
                yield f"{name} lets in {', '.join(lost)} no longer"
            yield from (f"{name}: {complaint}" for complaint in _of_operation(operation, now, old, new))


def _of_operation(before: Schema, after: Schema, old: Schema, new: Schema) -> Iterator[str]:
    yield from _of_parameters(_parameters(before, old), _parameters(after, new), old, new)
    yield from _of_bodies(before.get("requestBody"), after.get("requestBody"), old, new)
    for status, answer in before["responses"].items():
        if status[0] not in SAFE_STATUSES:
            continue
        now = after["responses"].get(status)
        if now is None:
            yield f"{status} is gone"
            continue
        yield from _of_answers(status, _at(answer, old), _at(now, new), old, new)


def _of_parameters(
    before: Mapping[tuple[str, str], Schema], after: Mapping[tuple[str, str], Schema], old: Schema, new: Schema
) -> Iterator[str]:
    for (place, name), parameter in before.items():
        now = after.get((place, name))
        if now is None:
            yield f"{place} {name} is gone"
            continue
        if now["required"] and not parameter["required"]:
            yield f"{place} {name} is required and was not"
        yield from (f"{place} {name}: {said}" for said in _narrowed(parameter["schema"], now["schema"], old, new))
    for place, name in sorted({*after} - {*before}):
        if after[(place, name)]["required"]:
            yield f"{place} {name} is required and was not"


def _of_bodies(before: Schema | None, after: Schema | None, old: Schema, new: Schema) -> Iterator[str]:
    if after is not None and after["required"] and (before is None or not before["required"]):
        yield "a body is required and was not"
    for media_type, content in ({} if before is None else before["content"]).items():
        now = ({} if after is None else after["content"]).get(media_type)
        if now is None:
            yield f"a body of {media_type} is no longer taken"
        else:
            yield from (f"body: {said}" for said in _narrowed(content["schema"], now["schema"], old, new))


def _of_answers(status: str, before: Schema, after: Schema, old: Schema, new: Schema) -> Iterator[str]:
    for header in sorted({*before.get("headers", ())} - {*after.get("headers", ())}):
        yield f"{status} has no {header} any more"
    for media_type, content in before.get("content", {}).items():
        now = after.get("content", {}).get(media_type)
        if now is None:
            yield f"{status} is never {media_type} any more"
        else:
            yield from (f"{status}: {said}" for said in _lost(content["schema"], now["schema"], old, new, "the answer"))


def _narrowed(before: Schema, after: Schema, old: Schema, new: Schema) -> list[str]:
    return broken({**before, "$defs": _schemas(old)}, {**after, "$defs": _schemas(new)})


def _lost(before: Schema, after: Schema, old: Schema, new: Schema, place: str) -> Iterator[str]:
    """What a reader of `before` does not find, or finds to be of a kind it never knew there.

    Of several kinds of answer each has to be like one of those that were.
    """
    known = [*_ways(before, old)]
    for way in _ways(after, new):
        yield from min((_lost_in_way(each, way, old, new, place) for each in known), key=len)


def _lost_in_way(before: Schema, after: Schema, old: Schema, new: Schema, place: str) -> list[str]:
    kinds = {before.get("type"), after.get("type")}
    if len(kinds) > 1 and before.get("type") is not None and kinds != {"number", "integer"}:
        return [f"{place} may be {after.get('type', 'anything')} and was not"]
    return [*_lost_inside(before, after, old, new, place)]


def _lost_inside(before: Schema, after: Schema, old: Schema, new: Schema, place: str) -> Iterator[str]:
    fields, now = before.get("properties", {}), after.get("properties", {})
    for name, field in fields.items():
        at = name if place == "the answer" else f"{place}.{name}"
        if name not in now:
            yield f"{at} is gone"
            continue
        if name in before.get("required", ()) and name not in after.get("required", ()):
            yield f"{at} may be missing and was always there"
        yield from _lost(field, now[name], old, new, at)
    for inner in ("items", "additionalProperties"):
        if isinstance(before.get(inner), Mapping) and isinstance(after.get(inner), Mapping):
            yield from _lost(before[inner], after[inner], old, new, f"{place}[]")


def _ways(schema: Schema, document: Schema) -> Iterator[Schema]:
    schema = resolved(schema, {"$defs": _schemas(document)})
    if "anyOf" in schema:
        for way in schema["anyOf"]:
            yield from _ways(way, document)
    else:
        yield schema


def _schemas(document: Schema) -> Schema:
    found: Schema = document["components"]["schemas"]
    return found


def _parameters(operation: Schema, document: Schema) -> dict[tuple[str, str], Schema]:
    found = [_at(given, document) for given in operation.get("parameters", ())]
    return {(each["in"], each["name"]): each for each in found}


def _at(given: Schema, document: Schema) -> Schema:
    if "$ref" not in given:
        return given
    _, kind, name = given["$ref"].removeprefix("#/").split("/")
    found: Schema = document["components"][kind][name]
    return found
