"""The AsyncAPI document: whole, of the form that version 3 asks for, and true of every golden message."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

from deploy.asyncapi import asyncapi
from deploy.docs import asyncapi_document
from shared.contracts.events import EVENT_BY_TYPE
from shared.contracts.jobs import JOB_BY_TYPE
from tests.contracts.goldens import GOLDEN

Json = dict[str, Any]
MEMBERS = {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"}
CHANNEL = {"address", "messages", "title", "summary", "description", "servers", "parameters", "bindings"}
OPERATION = {"action", "channel", "title", "summary", "description", "messages", "bindings", "tags", "x-process"}
MESSAGE = {"headers", "payload", "correlationId", "contentType", "name", "title", "summary", "description", "examples"}
GOLDENS = sorted(path for folder in ("events", "jobs") for path in (GOLDEN / folder).glob("*.json"))


@pytest.fixture(scope="module")
def document() -> Json:
    return asyncapi_document()


def test_its_parts_are_those_of_the_standard(document: Json) -> None:
    """https://www.asyncapi.com/docs/reference/specification/v3.0.0"""
    assert document["asyncapi"] == "3.0.0"
    assert document.keys() <= MEMBERS
    assert {"title", "version"} <= document["info"].keys()
    for name, channel in document["channels"].items():
        assert channel.keys() <= CHANNEL, name
        assert set(channel.get("parameters", ())) == places_in(channel["address"]), name
    for name, operation in document["operations"].items():
        assert operation.keys() <= OPERATION, name
        assert operation["action"] in ("send", "receive"), name
        assert operation["channel"]["$ref"].startswith("#/channels/"), name
    for name, message in document["components"]["messages"].items():
        assert message.keys() <= MESSAGE, name
        assert message["summary"], name


def test_every_reference_leads_somewhere(document: Json) -> None:
    assert [reference for reference in references(document) if found_at(document, reference) is None] == []


def test_every_schema_is_one(document: Json) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_kind_of_message_has_its_channel_a_sender_and_readers(document: Json) -> None:
    kinds = {*EVENT_BY_TYPE, *JOB_BY_TYPE}
    assert set(document["channels"]) == set(document["components"]["messages"]) == kinds
    sent = [of for of in document["operations"].values() if of["action"] == "send"]
    assert sorted(of["channel"]["$ref"].rpartition("/")[2] for of in sent) == sorted(kinds)


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_a_golden_message_fits_what_is_said_of_it(document: Json, path: Path) -> None:
    message = document["components"]["messages"][path.stem.rpartition(".")[0]]
    validator = Draft202012Validator(
        {**message["payload"], "components": document["components"]}, format_checker=FormatChecker()
    )
    golden = json.loads(path.read_text())
    assert [error.message for error in validator.iter_errors(golden)] == []
    golden["data"] = None
    assert not validator.is_valid(golden)


def test_it_is_made_of_who_writes_and_reads() -> None:
    made = asyncapi(dict.fromkeys(EVENT_BY_TYPE, "catalog"), {kind: ["ledger"] for kind in EVENT_BY_TYPE})
    assert made["operations"]["ledger.receive.product.submitted"]["x-process"] == "ledger"


def places_in(address: str) -> set[str]:
    return {part.partition("}")[0] for part in address.split("{")[1:]}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        value = [*value.values()]
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)


def found_at(document: Json, reference: str) -> Any:
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part) if isinstance(found, dict) else None
    return found
