"""Exchanges, queues and bindings as data, and who may do what to them.

Declared idempotently by `declare.py`; nothing here is ever redefined or deleted by a service. Queue names promise
their arguments: a changed argument is a new name and a migration.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal

from shared.contracts import jobs
from shared.contracts.base import Job

EVENTS: Final = "events"
JOBS: Final = "jobs"
DEAD: Final = "jobs.dead"
REPORTS: Final = "jobs.reports"
LEDGER_QUEUE: Final = "jobs.ledger"
DISPATCH_QUEUE: Final = "events.dispatch"
EVENT_STREAM: Final = "events.stream"
CONTROL_STREAM: Final = "jobs.control"
ANNOUNCEMENT: Final = "publisher.seen"
"""The event by which a reader learns what should have reached it."""
UNPARSABLE: Final = "unparsable"
"""The last word of the routing key of what a consumer parks because it cannot read it."""
LOWEST_PRIORITY: Final = 5
PRIORITIES: Final = range(1, LOWEST_PRIORITY + 1)
"""All there are; 1 is the highest."""

ArgumentValue = str | int


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    type: Literal["topic", "direct"]


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue with its arguments."""

    name: str
    arguments: Mapping[str, ArgumentValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """What an exchange puts into a queue."""

    exchange: str
    queue: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class Tier:
    """One delay of the retry ladder; `name` is part of exchange and queue names."""

    name: str
    seconds: int

    @property
    def exchange(self) -> str:
        """Where a job is published that waits this long."""
        return f"jobs.retry.{self.name}"


@dataclass(frozen=True, slots=True)
class WorkQueue:
    """How one job type waits and how often it is tried.

    `attempts` counts the first one. `timeout_seconds` is the hard limit of one attempt. `concurrency` is how many
    one worker process runs at once. `first_tier` is where on the retry ladder the type begins.
    """

    job: type[Job]
    reader: str
    priority: int
    attempts: int
    timeout_seconds: float
    concurrency: int
    first_tier: int = 0

    @property
    def type(self) -> str:
        """The job type: `send-email`."""
        return self.job.type

    @property
    def name(self) -> str:
        """The queue's name."""
        return f"jobs.{self.type}"


SEND_EMAIL = WorkQueue(jobs.SendEmail, "notifier", 2, attempts=3, timeout_seconds=30, concurrency=8)
SEND_NOTIFICATION = WorkQueue(jobs.SendNotification, "notifier", 3, attempts=5, timeout_seconds=15, concurrency=8)
PROCESS_IMAGE = WorkQueue(jobs.ProcessImage, "imaging", 3, attempts=3, timeout_seconds=60, concurrency=2)
GENERATE_REPORT = WorkQueue(jobs.GenerateReport, "reporting", 5, attempts=3, timeout_seconds=300, concurrency=1)
SYNC_INVENTORY = WorkQueue(jobs.SyncInventory, "catalog-worker", 3, attempts=5, timeout_seconds=120, concurrency=2)
CLEANUP_CACHE = WorkQueue(jobs.CleanupCache, "catalog-worker", 4, attempts=2, timeout_seconds=30, concurrency=1)
CHECK_LOW_STOCK = WorkQueue(jobs.CheckLowStock, "catalog-worker", 2, attempts=3, timeout_seconds=60, concurrency=1)
CLEANUP_JOBS = WorkQueue(jobs.CleanupJobs, "ledger", 5, attempts=3, timeout_seconds=300, concurrency=1)

WORK: Final[tuple[WorkQueue, ...]] = (
    SEND_EMAIL,
    SEND_NOTIFICATION,
    PROCESS_IMAGE,
    GENERATE_REPORT,
    SYNC_INVENTORY,
    CLEANUP_CACHE,
    CHECK_LOW_STOCK,
    CLEANUP_JOBS,
)
WORK_BY_TYPE: Final[Mapping[str, WorkQueue]] = {work.type: work for work in WORK}

EVENT_READERS: Final[Mapping[str, tuple[str, ...]]] = {
    "dispatch": (
        "product.submitted",
        "product.approved",
        "product.rejected",
        "product.suspended",
        "product.reinstated",
        "image.added",
        "stock.low_digest",
        "sync.requested",
        "sync.failing",
        "report.requested",
        "report.ready",
        "schedule.due",
        ANNOUNCEMENT,
    ),
    "catalog": ("image.processed", "job.failed", ANNOUNCEMENT),
    "reporting": ("product.*", "order.*", "stock.*", "vendor.changed", "job.failed", "measures.recorded", ANNOUNCEMENT),
    "notifier": ("account.changed",),
    "scheduler": ("job.finished", ANNOUNCEMENT),
}
"""Which events each reader's queue `events.<reader>` is bound to. The notifier asks for nothing again (ADR 6)."""

OUTBOX_SCHEMAS: Final = ("catalog", "jobs", "notifier", "reporting", "scheduler")
"""Who has an outbox, and so can send again what it sent before."""


def replay_queue(schema: str) -> str:
    """Where the relays of a schema hear what they shall send again."""
    return f"events.replay.{schema}"


def replay_routing_key(schema: str) -> str:
    """How `events.replay_requested` reaches the relays of one schema."""
    return f"events.replay_requested.{schema}"


def is_read_by(reader: str, event_type: str) -> bool:
    """Whether the queue `events.<reader>` is bound to a type; its patterns have whole types, and `*` for one word."""
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", r"[^.]+"), event_type) for pattern in EVENT_READERS[reader]
    )


LONGEST_TIER_SECONDS: Final = 24 * 3600
_TIER = re.compile(r"([0-9]{1,9})(s|m|h)")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}


def parse_tiers(text: str) -> tuple[Tier, ...]:
    """Read "10s,1m,5m": climbing delays. Raises `ValueError` saying which part does not fit."""
    tiers = []
    for name in (part.strip() for part in text.split(",")):
        match = _TIER.fullmatch(name)
        if match is None:
            raise ValueError(f"retry tier {name!r} is not a number with s, m or h, like 10s")
        seconds = int(match[1]) * _UNIT_SECONDS[match[2]]
        if not 1 <= seconds <= LONGEST_TIER_SECONDS:
            raise ValueError(f"retry tier {name!r} is not between 1s and 24h")
        tiers.append(Tier(name, seconds))
    if any(later.seconds <= earlier.seconds for earlier, later in pairwise(tiers)):
        raise ValueError(f"retry tiers must climb: {text!r}")
    return tuple(tiers)


def wire_priority(priority: int) -> int:
    """The AMQP priority of ours: 1 (highest) becomes 5, 5 becomes 1."""
    return LOWEST_PRIORITY + 1 - priority


def job_routing_key(job_type: str, priority: int) -> str:
    """`send-email.p2`."""
    return f"{job_type}.p{priority}"


@dataclass(frozen=True, slots=True)
class Topology:
    """All that must exist on the broker before the first message."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]

    def only(self, queues: Iterable[str]) -> "Topology":
        """The named queues with their bindings: what their reader declares. Exchanges are the ledger's."""
        names = set(queues)
        return Topology(
            (),
            tuple(queue for queue in self.queues if queue.name in names),
            tuple(binding for binding in self.bindings if binding.queue in names),
        )


def build(tiers: Sequence[Tier], work: Sequence[WorkQueue] = WORK) -> Topology:
    """The whole topology for these retry tiers; tests give fewer work queues, each tier being a quorum queue."""
    exchanges = [
        Exchange(EVENTS, "topic"),
        Exchange(JOBS, "topic"),
        Exchange(DEAD, "topic"),
        Exchange(REPORTS, "direct"),
        *(Exchange(tier.exchange, "topic") for tier in tiers),
    ]
    queues: list[Queue] = []
    bindings: list[Binding] = []
    for queue in work:
        _add_work_queue(queue, tiers, queues, bindings)
    for reader, event_types in EVENT_READERS.items():
        name = f"events.{reader}"
        queues += [Queue(name, _QUORUM), Queue(f"{name}.dead", _PARKED)]
        bindings += [Binding(EVENTS, name, event_type) for event_type in event_types]
    for schema in OUTBOX_SCHEMAS:
        queues.append(Queue(replay_queue(schema), _REPLAY))
        bindings.append(Binding(EVENTS, replay_queue(schema), replay_routing_key(schema)))
    queues += [Queue(LEDGER_QUEUE, _QUORUM), Queue(f"{LEDGER_QUEUE}.dead", _PARKED)]
    bindings += [Binding(REPORTS, LEDGER_QUEUE, "report"), Binding(DEAD, LEDGER_QUEUE, "#")]
    queues += [Queue(EVENT_STREAM, _stream("24h")), Queue(CONTROL_STREAM, _stream("48h"))]
    bindings.append(Binding(EVENTS, EVENT_STREAM, "#"))
    return Topology(tuple(exchanges), tuple(queues), tuple(bindings))


_QUORUM: Final[Mapping[str, ArgumentValue]] = {"x-queue-type": "quorum"}
_PARKED: Final[Mapping[str, ArgumentValue]] = {
    "x-queue-type": "classic",
    # Copies for people to look at; the ledger has the jobs. The oldest go first.
    "x-max-length": 100_000,
    "x-overflow": "drop-head",
}
_REPLAY: Final[Mapping[str, ArgumentValue]] = {
    # Requests are repeated as long as something is missing: an old one, or one too many, may go.
    "x-queue-type": "classic",
    "x-message-ttl": 600_000,
    "x-max-length": 10_000,
}


def _stream(max_age: str) -> Mapping[str, ArgumentValue]:
    return {
        "x-queue-type": "stream",
        "x-max-age": max_age,
        "x-max-length-bytes": 512 * 1024 * 1024,
        "x-stream-max-segment-size-bytes": 16 * 1024 * 1024,
    }


def _add_work_queue(work: WorkQueue, tiers: Sequence[Tier], queues: list[Queue], bindings: list[Binding]) -> None:
    queues += [
        Queue(
            work.name,
            {"x-queue-type": "classic", "x-max-priority": LOWEST_PRIORITY, "x-dead-letter-exchange": DEAD},
        ),
        Queue(f"{work.name}.dead", _PARKED),
    ]
    bindings += [
        Binding(JOBS, work.name, f"{work.type}.*"),
        Binding(DEAD, f"{work.name}.dead", f"{work.type}.#"),
    ]
    for tier in tiers:
        # Quorum with at-least-once dead-lettering: a classic TTL hop loses messages when the broker is killed.
        waiting = Queue(
            f"{work.name}.retry.{tier.name}",
            {
                "x-queue-type": "quorum",
                "x-message-ttl": round(tier.seconds * 1000 * 1.5),
                "x-dead-letter-exchange": JOBS,
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            },
        )
        queues.append(waiting)
        bindings.append(Binding(tier.exchange, waiting.name, f"{work.type}.*"))


@dataclass(frozen=True, slots=True)
class Permissions:
    """RabbitMQ's three regular expressions of one user."""

    configure: str
    write: str
    read: str


_EVERYTHING = r"^(jobs|events)(\..+)?$"


def queues_read_by(process: str) -> tuple[str, ...]:
    """The queues a process consumes; it declares exactly these whenever it connects."""
    return (
        *(work.name for work in WORK if work.reader == process),
        *_OTHER_QUEUES_READ.get(process, ()),
    )


def permissions(process: str) -> Permissions:
    """What the broker user of a process may do: the ledger keeps the topology, the others their own queues.

    Declaring a queue needs configure on it; binding it, write on it and read on the exchange; dead-lettering from
    it, write on the dead-letter exchange (https://www.rabbitmq.com/docs/access-control).
    """
    if process == "ledger":
        return Permissions(_EVERYTHING, rf"{_EVERYTHING}|^amq\.default$", _EVERYTHING)
    queues = queues_read_by(process)
    own = [re.escape(queue) for queue in queues]
    writes, reads = ["events", *own], [*own]
    if any(queue.startswith("events.") for queue in queues):
        reads.append("events")
    if any(work.reader == process for work in WORK):
        writes += [r"jobs\.retry\..+", r"jobs\.dead", r"jobs\.reports"]
        reads.append("jobs")
    if any(f"events.{reader}" in queues for reader in EVENT_READERS):
        writes.append(r"amq\.default")  # an unreadable event goes to the reader's dead queue by name
    return Permissions(_any_of(own), _any_of(writes), _any_of(reads))


_OTHER_QUEUES_READ: Final[Mapping[str, tuple[str, ...]]] = {
    "catalog-worker": ("events.catalog", CONTROL_STREAM),
    "relay": (replay_queue("catalog"),),
    "scheduler": ("events.scheduler", replay_queue("scheduler")),
    "reporting": ("events.reporting", replay_queue("reporting"), CONTROL_STREAM),
    "notifier": ("events.notifier", replay_queue("notifier"), CONTROL_STREAM),
    "imaging": (CONTROL_STREAM,),
    "ledger": (DISPATCH_QUEUE, LEDGER_QUEUE, replay_queue("jobs"), CONTROL_STREAM),
    "gateway": (EVENT_STREAM,),
}


def _any_of(patterns: Sequence[str]) -> str:
    return f"^({'|'.join(patterns)})$" if patterns else "^$"
