"""The AsyncAPI document of the messages between services, made of the contracts and of who sends and reads them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter

from shared.contracts.base import Event, Job
from shared.contracts.envelope import Envelope
from shared.contracts.events import EVENTS
from shared.contracts.jobs import JOBS
from shared.messaging import topology
from shared.version import VERSION

Json = dict[str, Any]

ABOUT = """\
How the services of Souk talk over RabbitMQ. Events are facts, published to the exchange `events` with their type as \
routing key; jobs are orders, published to `jobs` with their type and priority. Every message is a CloudEvents 1.0 \
envelope in JSON; what is described here as a payload is its `data`. Readers ignore fields they do not know; fields \
are only added.
"""


def asyncapi(writers: Mapping[str, str], readers: Mapping[str, Sequence[str]]) -> Json:
    """The document. `writers` and `readers` name the processes of each type of event."""
    kinds: Sequence[type[Event] | type[Job]] = (*EVENTS, *JOBS)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Souk messages", "version": VERSION, "description": ABOUT},
        "defaultContentType": "application/cloudevents+json",
        "channels": {**dict(_event_channels()), **dict(_job_channels())},
        "operations": dict(_operations(writers, readers)),
        "components": {
            "messages": {kind.type: _message(kind) for kind in kinds},
            "schemas": _schemas([Envelope, *kinds]),
        },
    }


def _event_channels() -> Iterator[tuple[str, Json]]:
    for event in EVENTS:
        yield event.type, _channel(event.type, event.type, "events")


def _job_channels() -> Iterator[tuple[str, Json]]:
    for work in topology.WORK:
        priorities = {"priority": {"enum": ["1", "2", "3", "4", "5"], "description": "1 is the highest."}}
        yield work.type, {**_channel(work.type, f"{work.type}.p{{priority}}", "jobs"), "parameters": priorities}


def _channel(kind: str, address: str, exchange: str) -> Json:
    return {
        "address": address,
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": exchange, "type": "topic", "durable": True, "autoDelete": False},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _operations(writers: Mapping[str, str], readers: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, Json]]:
    for event in EVENTS:
        yield _operation("send", writers[event.type], event.type)
        for reader in readers[event.type]:
            yield _operation("receive", reader, event.type)
    for work in topology.WORK:
        yield _operation("send", "ledger", work.type)
        yield _operation("receive", work.reader, work.type)


def _operation(action: str, process: str, kind: str) -> tuple[str, Json]:
    name = f"{process.replace(' ', '-')}.{action}.{kind}"
    return name, {"action": action, "channel": {"$ref": f"#/channels/{kind}"}, "x-process": process}


def _message(kind: type[Event] | type[Job]) -> Json:
    words = " ".join((kind.__doc__ or "").split())
    summary, stop, rest = words.partition(". ")
    return {
        "name": kind.type,
        "summary": summary + stop.strip(),
        **({"description": rest} if rest else {}),
        "payload": {
            "allOf": [
                {"$ref": f"#/components/schemas/{Envelope.__name__}"},
                {"properties": {"data": {"$ref": f"#/components/schemas/{kind.__name__}"}}},
            ]
        },
        "correlationId": {
            "description": "The message that caused this one.",
            "location": "$message.payload#/causationid",
        },
    }


def _schemas(models: Sequence[type[BaseModel]]) -> Json:
    _, defined = TypeAdapter.json_schemas(
        [(model.__name__, "validation", TypeAdapter(model)) for model in models],
        ref_template="#/components/schemas/{model}",
    )
    schemas: Json = defined["$defs"]
    return dict(sorted(schemas.items()))
