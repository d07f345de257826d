"""The OpenAPI document is valid, tells of every route, shows examples that fit, and only ever adds."""

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import OpenAPIV31SpecValidator

from deploy.api_changes import broken_promises
from deploy.docs import DOCS, OPENAPI, RELEASED
from deploy.openapi import DOCUMENTED, openapi
from services.catalog.access import ACCESS
from shared.web.identity import Role

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    return openapi()


def test_it_is_what_the_standard_asks_for(document: Json) -> None:
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_it_tells_of_every_address_of_the_api_and_of_no_other(document: Json) -> None:
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert told == {row for row in ACCESS if row[1].startswith(DOCUMENTED)}


def test_what_is_committed_is_what_the_gateway_serves() -> None:
    link = DOCS / OPENAPI
    assert link.is_symlink()
    assert link.resolve() == DOCS.parent / "services" / "catalog" / "contract" / OPENAPI


def test_it_says_of_each_operation_who_may_call_it(document: Json) -> None:
    for operation in operations(document):
        is_public = operation["x-roles"] == ["public"]
        assert (operation["security"] == []) is is_public, operation["operationId"]
        assert is_public or {"401", "403"} <= operation["responses"].keys()
        assert set(operation["x-roles"]) <= {"public", *Role}
        for schemes in operation["security"]:
            assert schemes.keys() <= document["components"]["securitySchemes"].keys()


def test_every_example_fits_its_schema(document: Json) -> None:
    wrong, seen = [], 0
    for place, content in contents(document):
        if "example" in content:
            seen += 1
            schema = {**content["schema"], "components": document["components"]}
            wrong += [
                f"{place}: {error.message}" for error in Draft202012Validator(schema).iter_errors(content["example"])
            ]
    assert wrong == []
    assert seen > 100


def test_the_api_only_adds_to_what_was_released(document: Json) -> None:
    released = orjson.loads((DOCS / RELEASED).read_bytes())
    assert broken_promises(released, document) == [], "make a new address or an optional field instead"


def operations(document: Json) -> Iterator[Json]:
    for methods in document["paths"].values():
        yield from methods.values()


def contents(document: Json) -> Iterator[tuple[str, Json]]:
    """Every body of the document with its place."""
    for operation in operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{operation['operationId']} {media_type}", content
        for status, answer in operation["responses"].items():
            for media_type, content in answer.get("content", {}).items():
                yield f"{operation['operationId']} {status} {media_type}", content
    for name, answer in document["components"]["responses"].items():
        for content in answer["content"].values():
            yield name, content


OLD: Json = {
    "paths": {
        "/things": {
            "post": {
                "operationId": "makeThing",
                "x-roles": ["admin", "vendor"],
                "parameters": [
                    {"name": "q", "in": "query", "required": False, "schema": {"type": "string"}},
                    {"$ref": "#/components/parameters/Key"},
                ],
                "requestBody": {
                    "required": False,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Body"}}},
                },
                "responses": {
                    "201": {
                        "description": "Made.",
                        "headers": {"Location": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                    },
                    "409": {"description": "Taken."},
                },
            }
        }
    },
    "components": {
        "parameters": {"Key": {"name": "Key", "in": "header", "required": False, "schema": {"type": "string"}}},
        "schemas": {
            "Body": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
            "Thing": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "state": {"type": "string", "enum": ["new"]},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    "parts": {"type": "array", "items": {"type": "object", "properties": {"size": {"type": "number"}}}},
                },
                "required": ["id", "state"],
            },
        },
    },
}

Change = Callable[[Json], object]


def post(new: Json) -> Json:
    found: Json = new["paths"]["/things"]["post"]
    return found


def fields(new: Json, schema: str) -> Json:
    found: Json = new["components"]["schemas"][schema]["properties"]
    return found


ADDITIVE: Mapping[str, Change] = {
    "nothing": lambda new: None,
    "another address": lambda new: new["paths"].update({"/others": {}}),
    "another role": lambda new: post(new)["x-roles"].append("ops"),
    "for everybody": lambda new: post(new).update({"x-roles": ["public"]}),
    "another parameter": lambda new: post(new)["parameters"].append(
        {"name": "r", "in": "query", "required": False, "schema": {}}
    ),
    "a field more to send": lambda new: fields(new, "Body").update(more={"type": "string"}),
    "a field more to read": lambda new: fields(new, "Thing").update(more={"type": "string"}),
    "a value more to read": lambda new: fields(new, "Thing")["state"]["enum"].append("old"),
    "an error more": lambda new: post(new)["responses"].update({"404": {"description": "Gone."}}),
    "never null again": lambda new: fields(new, "Thing").update(note={"type": "string"}),
    "an integer for a number": lambda new: fields(new, "Thing")["parts"]["items"]["properties"].update(
        size={"type": "integer"}
    ),
}
BREAKING: Mapping[str, tuple[Change, str]] = {
    "an address is gone": (lambda new: new["paths"].clear(), "POST /things is gone"),
    "another id": (lambda new: post(new).update(operationId="createThing"), "was makeThing and is createThing"),
    "a role less": (lambda new: post(new)["x-roles"].remove("vendor"), "lets in vendor no longer"),
    "a parameter is gone": (lambda new: post(new)["parameters"].pop(0), "query q is gone"),
    "a parameter is required": (
        lambda new: new["components"]["parameters"]["Key"].update(required=True),
        "header Key is required and was not",
    ),
    "a new one is required": (
        lambda new: post(new)["parameters"].append({"name": "r", "in": "query", "required": True, "schema": {}}),
        "query r is required and was not",
    ),
    "a parameter takes less": (
        lambda new: post(new)["parameters"][0]["schema"].update(maxLength=3),
        "maxLength fell to 3",
    ),
    "a body is required": (lambda new: post(new)["requestBody"].update(required=True), "a body is required"),
    "a media type less": (
        lambda new: post(new)["requestBody"]["content"].clear(),
        "a body of application/json is no longer taken",
    ),
    "a new field is required": (
        lambda new: new["components"]["schemas"]["Body"]["required"].append("more"),
        "body: more is required and was not",
    ),
    "a good answer is gone": (lambda new: post(new)["responses"].pop("201"), "201 is gone"),
    "a header is gone": (lambda new: post(new)["responses"]["201"]["headers"].clear(), "201 has no Location"),
    "a field to read is gone": (lambda new: fields(new, "Thing").pop("id"), "201: id is gone"),
    "a field may be missing": (
        lambda new: new["components"]["schemas"]["Thing"]["required"].remove("state"),
        "state may be missing",
    ),
    "a field may be null": (
        lambda new: fields(new, "Thing").update(id={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        "id may be null and was not",
    ),
    "a field of a list has another type": (
        lambda new: fields(new, "Thing")["parts"]["items"]["properties"].update(size={"type": "string"}),
        "parts[].size may be string and was not",
    ),
}


@pytest.mark.parametrize("change", ADDITIVE.values(), ids=ADDITIVE)
def test_what_only_adds_is_let_through(change: Change) -> None:
    new = copy.deepcopy(OLD)
    change(new)
    assert broken_promises(OLD, new) == []


@pytest.mark.parametrize(("change", "complaint"), BREAKING.values(), ids=BREAKING)
def test_what_breaks_a_client_is_named(change: Change, complaint: str) -> None:
    new = copy.deepcopy(OLD)
    change(new)
    assert any(complaint in said for said in broken_promises(OLD, new)), broken_promises(OLD, new)
