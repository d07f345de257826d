"""Documentation that is rendered from code: pages, the contracts of API and messages, and the schemas in `docs/`.

`docs/openapi.json` and `docs/asyncapi.json` are links to the files that the gateway serves.

`python -m deploy.docs` writes them, `python -m deploy.docs --check` says whether they are up to date.
"""

import argparse
import inspect
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel

from deploy.api_changes import broken_promises
from deploy.asyncapi import asyncapi
from deploy.configuration import configuration_page
from deploy.dashboard import dashboard
from deploy.figures_page import figures_page
from deploy.health_page import health_page
from deploy.local.programs import BLUEPRINTS
from deploy.openapi import openapi
from deploy.schemas import Schema, broken, schemas
from services.jobs.policy import orders_for
from shared.contracts.base import Contract, Event, Job
from shared.contracts.events import EVENTS
from shared.messaging import topology
from shared.messaging.delivery import LONGEST_JITTER, SHORTEST_JITTER
from shared.messaging.topology import Binding, Queue, Tier, WorkQueue, build, parse_tiers
from shared.settings import ServiceSettings

C = TypeVar("C", bound=Contract)

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
MESSAGES: Final = "messages.md"
HEALTH: Final = "health.md"
FIGURES: Final = "figures.md"
DASHBOARD: Final = "grafana.json"
CONFIGURATION: Final = "configuration.md"
SCHEMAS: Final = "schemas"
OPENAPI: Final = "openapi.json"
ASYNCAPI: Final = "asyncapi.json"
RELEASED: Final = "released/openapi.json"
"""The API of the last release (`--release`); the present one only adds to it."""
PROCESSES: Final = tuple(blueprint.name for blueprint in BLUEPRINTS)

INTRODUCTION: Final = """\
# Messages

<!-- Rendered from the code by `make docs`. Change the contracts, the topology or the policy, not this page. -->

How the services of Souk talk: what is said, by whom, to whom, and where it waits. Two kinds of message travel.

- An **event** is a fact in the past tense (`product.submitted`). One service writes it, together with the change it
  tells of, into its outbox; a relay publishes it. Anybody may read it. Its routing key is its type.
- A **job** is an order in the imperative (`send-email`). One process does it. The ledger writes a row for it before its
  message exists, publishes it, and records what became of each attempt.

```mermaid
flowchart LR
    writer[a service and its outbox] -->|event| events((events))
    events --> dispatch[events.dispatch] --> ledger[ledger]
    events --> readers[events.READER] --> other[reading services]
    events --> stream[events.stream] --> gateways[every gateway]
    ledger -->|job| jobs((jobs)) --> work[jobs.TYPE] --> worker[worker]
    worker -->|what became of it| reports((jobs.reports)) --> inbox[jobs.ledger] --> ledger
    worker -->|try again in d| retry((jobs.retry.d)) --> waiting[jobs.TYPE.retry.d] -->|after d| jobs
    worker -->|given up| dead((jobs.dead)) --> parked[jobs.TYPE.dead]
    dead --> inbox
```

Round are exchanges, square are queues and processes. Read it as one story: a vendor submits a product; the catalog
writes `product.submitted`; the ledger makes an e-mail and a notification of it; each waits in the queue of its type;
the notifier does it, reports, and only then acknowledges. Every message is persistent, mandatory and confirmed, and is
[CloudEvents 1.0](https://cloudevents.io) in JSON: `id`, `source`, `type`, `subject`, `time`, `causationid`,
`traceparent`, and the fields of its type under `data`. Readers ignore fields they do not know; fields are only added.
The JSON schemas are in [`schemas/`](schemas).
"""


TO_CHANGE: Final = """\
## To add or change a message

1. Write the class in `shared/contracts/events.py` or `jobs.py`, with a docstring that says what happened (or what to
   do) and, for an event, who writes it; add it to the list at the end of the file.
2. A job also gets its line in `shared/messaging/topology.py` (reader, priority, attempts, time limit); an event gets
   its readers in `EVENT_READERS` there, and the jobs it makes in `services/jobs/policy.py`.
3. `python -m tests.contracts.goldens` writes its golden message, `make docs` this page and its schema. Commit both.

A field is only ever added, with a default: messages of the old kind are in queues, outboxes and on disks. `make docs`
refuses anything else. A change that breaks is a new kind, read beside the old one until that one's queues are empty.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if something is out of date")
    parser.add_argument("--release", action="store_true", help="keep the API of now as what later ones only add to")
    parser.add_argument("--folder", type=Path, default=DOCS, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.release:
        _write(given.folder / RELEASED, _narrow(openapi()))
    complaints = [*_not_additive(given.folder), *_promises_broken(given.folder)]
    for complaint in complaints:
        print(f"docs: {complaint}", file=sys.stderr)
    if complaints:
        print(
            "docs: messages and the API only ever gain; make a new kind or address instead "
            "(what nobody has seen yet may change: `python -m deploy.docs --release`).",
            file=sys.stderr,
        )
        return 1
    if given.check:
        stale = _stale(given.folder)
        if stale:
            print(f"docs: {', '.join(stale)} out of date; run `make docs` and commit the result.", file=sys.stderr)
        return 1 if stale else 0
    for name, text in rendered().items():
        _write(given.folder / name, text)
    return 0


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def rendered() -> dict[str, str]:
    """All files by their names under `docs/`."""
    return {
        MESSAGES: messages_page(),
        HEALTH: health_page(),
        FIGURES: figures_page(),
        DASHBOARD: dashboard(),
        CONFIGURATION: configuration_page(),
        OPENAPI: _narrow(openapi()),
        ASYNCAPI: _narrow(asyncapi_document()),
        **{f"{SCHEMAS}/{name}": _as_text(schema) for name, schema in schemas().items()},
    }


def _stale(folder: Path) -> list[str]:
    """Files that are missing, differ, or belong to a message that is no more."""
    wanted = rendered()
    there = {f"{SCHEMAS}/{path.relative_to(folder / SCHEMAS)}" for path in (folder / SCHEMAS).rglob("*.json")}
    differing = {
        name
        for name, text in wanted.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    }
    return sorted(differing | (there - wanted.keys()))


def _not_additive(folder: Path) -> Iterator[str]:
    """What the schemas of now break of those that are kept."""
    now = schemas()
    for path in sorted((folder / SCHEMAS).rglob("*.json")):
        name = str(path.relative_to(folder / SCHEMAS))
        if name not in now:
            yield f"{name}: this kind of message is no more"
            continue
        yield from (f"{name}: {complaint}" for complaint in broken(orjson.loads(path.read_bytes()), now[name]))


def _promises_broken(folder: Path) -> Iterator[str]:
    """What the API of now breaks of the last release."""
    released = folder / RELEASED
    if released.is_file():
        yield from broken_promises(orjson.loads(released.read_bytes()), openapi())


def _as_text(schema: Schema) -> str:
    return orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _narrow(document: Schema) -> str:
    """A large one: indented by one, it is still read line by line in a diff."""
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def asyncapi_document() -> dict[str, Any]:
    """`docs/asyncapi.json`."""
    return asyncapi(
        writers={event.type: writer_of(event) for event in EVENTS},
        readers={event.type: readers_of(event) for event in EVENTS},
    )


def messages_page() -> str:
    """`docs/messages.md`."""
    tiers = parse_tiers(ServiceSettings.model_fields["retry_tiers"].default)
    whole = build(tiers)
    parts = [
        INTRODUCTION,
        _events_overview(),
        _jobs_overview(),
        _retries(tiers),
        "## Event by event\n",
        *(_event(event) for event in EVENTS),
        "## Job by job\n",
        *(_job(work) for work in topology.WORK),
        _exchanges(whole),
        _queues(whole, tiers),
        _permissions(),
        TO_CHANGE,
    ]
    return "\n".join(parts)


def _events_overview() -> str:
    rows = (
        (_link(event.type), _summary(event), writer_of(event), ", ".join(readers_of(event)), _jobs_made(event))
        for event in EVENTS
    )
    return (
        "## Events\n\nEvery gateway reads every event from the stream, for its caches and its live pages; the column "
        "of readers names the others.\n\n" + _table(("event", "says", "written by", "read by", "makes the jobs"), rows)
    )


def _jobs_overview() -> str:
    rows = (
        (
            _link(work.type),
            _summary(work.job),
            work.reader,
            str(work.priority),
            str(work.attempts),
            f"{work.timeout_seconds:g} s",
            work.job.once_only_by,
        )
        for work in topology.WORK
    )
    return (
        "## Jobs\n\nPriority 1 is the highest and 5 the lowest; on the wire it is 6 - priority, since brokers count "
        "the other way. A job may be given its own priority and number of attempts. A message may be delivered "
        "twice (a "
        "worker dies before it acknowledges), so each type says what keeps a second copy without effect.\n\n"
        + _table(("job", "does", "done by", "priority", "attempts", "time limit", "once only by"), rows)
    )


def _retries(tiers: Sequence[Tier]) -> str:
    ladder = ", ".join(f"`{tier.name}`" for tier in tiers)
    return (
        f"## Retries\n\nThe ladder is {ladder} (`SOUK_RETRY_TIERS`). After its first failed attempt a job waits on the "
        "first step, after the second on the next, then again on the last. Each wait is the step times "
        f"{SHORTEST_JITTER:g} to {LONGEST_JITTER:g}, so that what failed together does not come back together. The "
        "worker publishes the job to `jobs.retry.<step>` with that expiration; when it is over the broker "
        "dead-letters it from the retry queue back to `jobs`, by its own routing key. What a dependency asks for "
        "in longer waits "
        "(`Retry-After`), and jobs for a later time, wait in the ledger. Errors that no retry mends (invalid input, "
        "not found, conflict) fail at once. A failed job keeps its payload and the error of every attempt, "
        "has a copy in "
        "`jobs.<type>.dead`, and can be retried by hand.\n\n"
        "The attempt travels in headers: `souk-attempt` (from 1), `souk-max-attempts`, `souk-timeout-ms`, and "
        "`souk-fence`, which rises each time the ledger publishes the job anew. A parked message says why in "
        "`souk-reason`.\n"
    )


def _event(event: type[Event]) -> str:
    made = _jobs_made(event)
    lines = [
        f"### `{event.type}`\n",
        _described(event),
        f"Written by {writer_of(event)}. Read by {', '.join(readers_of(event)) or 'no queue of its own'}"
        " and every gateway's stream." + (f" Makes the jobs {made}." if made else "") + "\n",
        _fields(event),
    ]
    return "\n".join(lines)


def _job(work: WorkQueue) -> str:
    lines = [
        f"### `{work.type}`\n",
        _described(work.job),
        f"Done by {work.reader}, {work.concurrency} at once in each process; priority {work.priority}, "
        f"{work.attempts} attempts of at most {work.timeout_seconds:g} s. Once only by: {work.job.once_only_by}.\n",
        _fields(work.job),
    ]
    return "\n".join(lines)


def _exchanges(whole: topology.Topology) -> str:
    uses = {
        topology.EVENTS: "facts; the routing key is the event's type",
        topology.JOBS: "work; the routing key is `<type>.p<priority>`",
        topology.DEAD: "what is given up, or cannot be read",
        topology.REPORTS: "what became of attempts",
    }
    rows = (
        (f"`{exchange.name}`", exchange.type, uses.get(exchange.name, "jobs that wait for their next attempt"))
        for exchange in whole.exchanges
    )
    return "## Exchanges\n\nAll are durable.\n\n" + _table(("exchange", "type", "carries"), rows)


def _queues(whole: topology.Topology, tiers: Sequence[Tier]) -> str:
    shown = [queue for queue in whole.queues if not _is_of_another_type(queue.name)]
    example = topology.WORK[0].type
    rows = ((f"`{q.name}`", _bound(q, whole.bindings), _read_by(q.name), _arguments(q)) for q in shown)
    return (
        "## Queues\n\nAll are durable, and none is ever redefined: other arguments are another name and a migration. "
        f"Every job type has the {2 + len(tiers)} queues that are shown for `{example}`; the types are "
        f"{', '.join(f'`{work.type}`' for work in topology.WORK)}.\n\n"
        + _table(("queue", "bound to", "read by", "arguments"), rows)
    )


def _is_of_another_type(queue: str) -> bool:
    return any(queue == work.name or queue.startswith(f"{work.name}.") for work in topology.WORK[1:])


def _bound(queue: Queue, bindings: Iterable[Binding]) -> str:
    found = [f"`{b.exchange}` by `{b.routing_key}`" for b in bindings if b.queue == queue.name]
    if found:
        return "<br>".join(found)
    return "by name" if queue.name.endswith(".dead") else "no exchange"


def _read_by(queue: str) -> str:
    if queue.endswith(".dead"):
        return "people"
    if ".retry." in queue:
        return "nobody: it waits"
    return ", ".join(process for process in PROCESSES if queue in topology.queues_read_by(process))


def _arguments(queue: Queue) -> str:
    return "<br>".join(f"`{name}: {value}`" for name, value in queue.arguments.items())


def _permissions() -> str:
    rights = ((process, topology.permissions(process)) for process in PROCESSES)
    rows = (
        (process, *(f"`{right}`".replace("|", "\\|") for right in (may.configure, may.write, may.read)))
        for process, may in rights
    )
    return (
        "## Permissions\n\nEach process signs in to the broker with a user of its own, which may configure, write and "
        "read what fits these regular expressions. The ledger keeps the topology; every other process declares the "
        "queues it reads, and no more.\n\n" + _table(("process", "configure", "write", "read"), rows)
    )


def writer_of(event: type[Event]) -> str:
    """Who writes an event: what its docstring says, else the catalog."""
    found = re.search(r"Written by (?:the )?(jobs ledger|[a-z]+)", " ".join((event.__doc__ or "").split()))
    return found[1] if found else "catalog"


def readers_of(event: type[Event]) -> list[str]:
    """The processes whose queues are bound to an event; every gateway's stream comes beside them."""
    return [
        process
        for reader, patterns in topology.EVENT_READERS.items()
        if any(_takes(pattern, event.type) for pattern in patterns)
        for process in PROCESSES
        if f"events.{reader}" in topology.queues_read_by(process)
    ]


def _takes(pattern: str, event_type: str) -> bool:
    """Whether a binding of `EVENT_READERS` takes a type; those use whole types and `*` for one word."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", r"[^.]+"), event_type) is not None


def _jobs_made(event: type[Event]) -> str:
    try:
        orders = orders_for(sample_of(event))
    except KeyError:  # `schedule.due` names its job itself
        return "its entry names"
    return ", ".join(f"{_link(order.job.type)} ({order.priority or _priority(order.job)})" for order in orders)


def _priority(job: Job) -> int:
    return topology.WORK_BY_TYPE[job.type].priority


def sample_of(model: type[C]) -> C:
    """Some message of a type, with a value in every field."""
    schema = model.model_json_schema()
    return model.model_validate_json(orjson.dumps(_sample(schema, schema)))


def _sample(schema: Schema, root: Schema) -> Any:
    if "$ref" in schema:
        return _sample(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0], root)
    match schema:
        case {"const": value} | {"enum": [value, *_]}:
            return value
        case {"type": "object", "properties": properties}:
            return {name: _sample(inner, root) for name, inner in properties.items()}
        case {"type": "object"}:
            return {}
        case {"type": "array", "items": items}:
            return [_sample(items, root)]
        case {"type": "integer"}:
            return max(1, schema.get("minimum", 1))
        case {"type": "boolean"}:
            return True
        case {"format": "uuid"}:
            return str(UUID(int=0x019B76000000700080000000000000FF))
        case {"format": "date-time"}:
            return "2026-01-31T12:00:00Z"
        case {"format": "date"}:
            return "2026-01-31"
        case {"pattern": _}:
            return "EUR"
        case _:
            return "text"


def _described(model: type[BaseModel]) -> str:
    return inspect.cleandoc(model.__doc__ or "") + "\n"


def _summary(model: type[BaseModel]) -> str:
    """The first sentence of a docstring."""
    text = " ".join(inspect.cleandoc(model.__doc__ or "").split("\n\n")[0].split())
    return re.split(r"(?<=[a-z`)])[.:;] ", text)[0].rstrip(".")


def _fields(model: type[Contract]) -> str:
    schema = model.model_json_schema()
    required = schema.get("required", [])
    rows = [
        (f"`{name}`", _kind(inner, schema), "" if name in required else f"default `{_default(inner)}`")
        for name, inner in schema.get("properties", {}).items()
    ]
    return _table(("field", "is", ""), rows) if rows else "No fields.\n"


def _default(schema: Schema) -> str:
    return orjson.dumps(schema.get("default")).decode()


def _kind(schema: Schema, root: Schema) -> str:
    """A type in words: `text of at most 500`, `id or null`."""
    if "$ref" in schema:
        return _kind(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "anyOf" in schema:
        return " or ".join(_kind(way, root) for way in schema["anyOf"])
    match schema:
        case {"const": value}:
            return f"`{value}`"
        case {"enum": values}:
            return " or ".join(f"`{value}`" for value in values)
        case {"type": "object", "properties": properties}:
            return f"{{{', '.join(properties)}}}"
        case {"type": "object", "additionalProperties": dict(inner)}:
            return f"values by name, each {_kind(inner, root)}"
        case {"type": "array", "items": items}:
            return f"list of {_kind(items, root)}"
        case {"type": "integer"}:
            return _bounds("integer", schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1), schema)
        case {"format": "uuid"}:
            return "id"
        case {"format": "date-time"}:
            return "time"
        case {"format": "date"}:
            return "date"
        case {"type": "string"}:
            return f"text of at most {schema['maxLength']}" if "maxLength" in schema else "text"
        case {"type": kind}:
            return str(kind)
        case _:
            return "any JSON"


def _bounds(name: str, lowest: int, schema: Schema) -> str:
    has_lowest = "minimum" in schema or "exclusiveMinimum" in schema
    if has_lowest and "maximum" in schema:
        return f"{name} {lowest} to {schema['maximum']}"
    return f"{name} from {lowest}" if has_lowest else name


def _link(name: str) -> str:
    """A link to the section of a message; its anchor is the heading without dots and ticks."""
    return f"[`{name}`](#{name.replace('.', '')})"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
