"""Names of the topology, and who may do what to them."""

import re

import pytest

from shared.contracts.events import EVENT_BY_TYPE, EVENTS
from shared.contracts.jobs import JOBS
from shared.messaging import topology
from shared.messaging.topology import Tier, build, parse_tiers, permissions, wire_priority

TIERS = parse_tiers("10s,1m,5m,30m,2h")
TYPES = [job.type for job in JOBS]
PROCESSES = (
    "gateway",
    "relay",
    "catalog-worker",
    "jobs-api",
    "ledger",
    "notifier",
    "imaging",
    "reporting",
    "scheduler",
)


def test_the_exchanges_are_those_of_the_design() -> None:
    assert {exchange.name: exchange.type for exchange in build(TIERS).exchanges} == {
        "events": "topic",
        "jobs": "topic",
        "jobs.dead": "topic",
        "jobs.reports": "direct",
        **{f"jobs.retry.{tier}": "topic" for tier in ("10s", "1m", "5m", "30m", "2h")},
    }


def test_the_queues_are_those_of_the_design() -> None:
    work = {f"jobs.{kind}{suffix}" for kind in TYPES for suffix in ("", ".dead", *(f".retry.{t.name}" for t in TIERS))}
    readers = {f"events.{reader}{suffix}" for reader in topology.EVENT_READERS for suffix in ("", ".dead")}
    others = {"jobs.ledger", "jobs.ledger.dead", "events.stream", "jobs.control"}
    names = [queue.name for queue in build(TIERS).queues]
    replays = {f"events.replay.{schema}" for schema in ("catalog", "jobs", "notifier", "reporting", "scheduler")}
    assert set(names) == work | readers | replays | others
    assert len(names) == len(set(names))


def test_a_work_queue_has_five_priorities_and_a_dead_letter_exchange() -> None:
    queues = {queue.name: queue.arguments for queue in build(TIERS).queues}
    assert queues["jobs.send-email"] == {
        "x-queue-type": "classic",
        "x-max-priority": 5,
        "x-dead-letter-exchange": "jobs.dead",
    }


@pytest.mark.parametrize("tier", TIERS, ids=str)
def test_a_retry_queue_outlives_the_longest_jitter_and_loses_nothing(tier: Tier) -> None:
    queues = {queue.name: queue.arguments for queue in build(TIERS).queues}
    assert queues[f"jobs.send-email.retry.{tier.name}"] == {
        "x-queue-type": "quorum",
        "x-message-ttl": tier.seconds * 1500,
        "x-dead-letter-exchange": "jobs",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def test_every_binding_joins_what_exists() -> None:
    whole = build(TIERS)
    exchanges, queues = {e.name for e in whole.exchanges}, {q.name for q in whole.queues}
    assert all(binding.exchange in exchanges and binding.queue in queues for binding in whole.bindings)
    assert len(set(whole.bindings)) == len(whole.bindings)


def test_every_queue_but_the_dead_of_readers_and_the_control_stream_is_bound() -> None:
    whole = build(TIERS)
    unbound = {queue.name for queue in whole.queues} - {binding.queue for binding in whole.bindings}
    # By name, through the default exchange: the reader alone parks there. Control comes with its first writer.
    assert unbound == {
        "jobs.control",
        "jobs.ledger.dead",
        *(f"events.{reader}.dead" for reader in topology.EVENT_READERS),
    }


@pytest.mark.parametrize("kind", TYPES)
def test_a_job_reaches_its_own_queue_alone(kind: str) -> None:
    key = topology.job_routing_key(kind, 3)
    reached = {b.queue for b in build(TIERS).bindings if b.exchange == "jobs" and _matches(b.routing_key, key)}
    assert reached == {f"jobs.{kind}"}


@pytest.mark.parametrize("reader", topology.EVENT_READERS)
def test_every_event_a_reader_is_bound_to_exists(reader: str) -> None:
    for pattern in topology.EVENT_READERS[reader]:
        assert any(_matches(pattern, event.type) for event in EVENTS), pattern


def test_every_job_type_has_one_work_queue() -> None:
    assert [work.job for work in topology.WORK] == list(JOBS)
    assert all(work.reader in PROCESSES for work in topology.WORK)
    assert len(EVENT_BY_TYPE) == len(EVENTS)


@pytest.mark.parametrize(("priority", "wire"), [(1, 5), (2, 4), (3, 3), (4, 2), (5, 1)])
def test_priority_one_is_the_highest_on_the_wire(priority: int, wire: int) -> None:
    assert wire_priority(priority) == wire


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "''"),
        ("10s,", "''"),
        ("10", "'10'"),
        ("10d", "'10d'"),
        ("-10s", "'-10s'"),
        ("1.5s", "'1.5s'"),
        ("\u0661s", "not a number"),  # an Arabic digit: a queue of that name would be nobody's
        ("0s", "between"),
        ("25h", "between"),
        ("99999999999h", "not a number"),
        ("1m,10s", "climb"),
        ("60s,1m", "climb"),
    ],
)
def test_tiers_that_do_not_fit_are_named(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_tiers(text)


def test_tiers_are_read_in_their_units() -> None:
    assert parse_tiers("1s, 2m,3h") == (Tier("1s", 1), Tier("2m", 120), Tier("3h", 10800))


MAY: dict[str, dict[str, set[str]]] = {
    "gateway": {"configure": {"events.stream"}, "write": {"events"}, "read": {"events.stream"}},
    "relay": {
        "configure": {"events.replay.catalog"},
        "write": {"events", "events.replay.catalog"},
        "read": {"events", "events.replay.catalog"},
    },
    "scheduler": {
        "configure": {"events.replay.scheduler"},
        "write": {"events", "events.replay.scheduler"},
        "read": {"events", "events.replay.scheduler"},
    },
    "imaging": {
        "configure": {"jobs.process-image", "jobs.control"},
        "write": {"events", "jobs.reports", "jobs.dead", "jobs.retry.10s"},
        "read": {"jobs.process-image", "jobs.control"},
    },
    "notifier": {
        "configure": {"jobs.send-email", "jobs.send-notification", "events.notifier", "jobs.control"},
        "write": {"events", "jobs.reports", "jobs.dead", "jobs.retry.10s", "amq.default"},
        "read": {"jobs.send-email", "jobs.send-notification", "events.notifier"},
    },
}
NEVER: dict[str, dict[str, set[str]]] = {
    "gateway": {
        "configure": {"events", "jobs", "events.dispatch"},
        "write": {"jobs", "jobs.dead", "jobs.reports", "amq.default"},
        "read": {"events.dispatch", "jobs.send-email", "jobs.ledger", "events.stream.dead"},
    },
    "relay": {
        "configure": {"events", "events.stream", "events.replay.jobs"},
        "write": {"jobs", "jobs.reports", "jobs.ledger", "amq.default", "eventsX", "events.replay.jobs"},
        "read": {"jobs", "events.stream", "jobs.send-email", "events.replay.jobs", "events.dispatch"},
    },
    "imaging": {
        "configure": {"jobs", "jobs.dead", "events", "jobs.send-email", "jobs.process-image.dead"},
        "write": {"jobs", "jobs.ledger", "jobs.send-email", "amq.default"},
        "read": {"jobs.send-email", "jobs.ledger", "jobs.process-image.dead", "events.dispatch", "events.stream"},
    },
    "notifier": {
        "configure": {"events", "jobs.process-image", "jobs.send-emailX", "jobsXsend-email"},
        "write": {"jobs", "jobs.ledger"},
        "read": {"jobs.process-image", "jobs.ledger", "events.catalog", "events.notifier.dead"},
    },
    "jobs-api": {
        "configure": {"jobs", "jobs.ledger"},
        "write": {"jobs", "jobs.reports", "amq.default"},
        "read": {"jobs.ledger", "events.dispatch", "events"},
    },
}
RIGHTS = ("configure", "write", "read")


@pytest.mark.parametrize(("process", "right"), [(p, r) for p in MAY for r in RIGHTS])
def test_a_process_may_do_what_it_needs(process: str, right: str) -> None:
    pattern = getattr(permissions(process), right)
    assert [name for name in sorted(MAY[process][right]) if not re.search(pattern, name)] == []


@pytest.mark.parametrize(("process", "right"), [(p, r) for p in NEVER for r in RIGHTS])
def test_a_process_may_do_nothing_else(process: str, right: str) -> None:
    pattern = getattr(permissions(process), right)
    assert [name for name in sorted(NEVER[process][right]) if re.search(pattern, name)] == []


@pytest.mark.parametrize("process", PROCESSES)
def test_no_process_may_touch_what_is_not_ours(process: str) -> None:
    for right in RIGHTS:
        for name in ("amq.topic", "other", "xjobs", "eventsx", "jobsx"):
            assert not re.search(getattr(permissions(process), right), name), (right, name)


@pytest.mark.parametrize(
    ("reader", "event_type", "expected"),
    [
        ("dispatch", "product.submitted", True),
        ("dispatch", "product.changed", False),
        ("reporting", "product.changed", True),
        ("reporting", "stock.low_digest", True),
        ("reporting", "product.changed.twice", False),
        ("reporting", "xproduct.changed", False),
        ("catalog", "publisher.seen", True),
        ("notifier", "publisher.seen", False),
    ],
)
def test_a_reader_knows_which_types_it_is_bound_to(reader: str, event_type: str, expected: bool) -> None:
    assert topology.is_read_by(reader, event_type) is expected


def test_every_outbox_is_asked_to_send_again_by_one_process() -> None:
    for schema in topology.OUTBOX_SCHEMAS:
        queue = topology.replay_queue(schema)
        assert len([process for process in PROCESSES if queue in topology.queues_read_by(process)]) == 1
        bound = [binding.routing_key for binding in build(TIERS).bindings if binding.queue == queue]
        assert bound == [f"events.replay_requested.{schema}"]


def test_every_work_queue_is_read_by_one_process_alone() -> None:
    for work in topology.WORK:
        readers = [
            process for process in PROCESSES if process != "ledger" and re.search(permissions(process).read, work.name)
        ]
        assert readers == ([] if work.reader == "ledger" else [work.reader])


def _matches(pattern: str, key: str) -> bool:
    """Whether a topic binding takes a routing key: `*` is one word, `#` any number."""
    words = "".join(
        r"(\.?[^.]+)*" if word == "#" else ("" if not index else r"\.") + (r"[^.]+" if word == "*" else re.escape(word))
        for index, word in enumerate(pattern.split("."))
    )
    return re.fullmatch(words, key) is not None
