"""What an operator sees in RabbitMQ's management API, and what each process may do on the broker."""

import asyncio
from typing import Any
from urllib.parse import quote, urlsplit

import aio_pika
import pytest
from aiormq.exceptions import ChannelAccessRefused

from deploy.local.rabbitmq import MONITOR, Management
from tests.e2e.marketplace import RETRY_TIERS, Stack
from tests.eventually import eventually

JOB_TYPES = (
    "send-email",
    "send-notification",
    "process-image",
    "generate-report",
    "sync-inventory",
    "cleanup-cache",
    "check-low-stock",
    "cleanup-jobs",
)
READERS = ("dispatch", "catalog", "reporting", "notifier")
TIERS = {"1s": 1, "2s": 2, "4s": 4}
VHOST = "souk"


@pytest.fixture(scope="module")
def management(stack: Stack) -> Management:
    """The management API with the sign-in that `make up` prints."""
    shown = stack.run.management
    assert shown is not None
    return Management(shown.url, shown.user, shown.password)


@pytest.fixture(scope="module")
def queues(management: Management) -> dict[str, dict[str, Any]]:
    """Every queue by name."""
    return {queue["name"]: queue for queue in management.queues(VHOST)}


def test_the_queues_of_the_design_are_there_and_others_are_named_alike(
    queues: dict[str, dict[str, Any]],
) -> None:
    assert RETRY_TIERS.split(",") == list(TIERS)
    expected = {"jobs.ledger", "jobs.ledger.dead", "events.stream", "jobs.control"}
    expected |= {f"jobs.{job}{end}" for job in JOB_TYPES for end in ("", ".dead", *(f".retry.{t}" for t in TIERS))}
    expected |= {f"events.{reader}{end}" for reader in READERS for end in ("", ".dead")}
    assert expected <= set(queues)
    assert all(name.startswith(("jobs.", "events.")) for name in queues)
    assert all(queue["durable"] and not queue["exclusive"] and not queue["auto_delete"] for queue in queues.values())


@pytest.mark.parametrize("job", JOB_TYPES)
def test_work_waits_by_priority_and_dies_into_the_dead_exchange(queues: dict[str, dict[str, Any]], job: str) -> None:
    queue = queues[f"jobs.{job}"]
    assert queue["type"] == "classic"
    assert (queue["arguments"]["x-max-priority"], queue["arguments"]["x-dead-letter-exchange"]) == (5, "jobs.dead")
    for tier, seconds in TIERS.items():
        waiting = queues[f"jobs.{job}.retry.{tier}"]
        arguments = waiting["arguments"]
        assert waiting["type"] == "quorum"
        assert arguments["x-message-ttl"] == seconds * 1500
        assert arguments["x-dead-letter-exchange"] == "jobs"
        assert arguments["x-dead-letter-strategy"] == "at-least-once"
        assert arguments["x-overflow"] == "reject-publish"
        assert "x-dead-letter-routing-key" not in arguments


def test_events_and_reports_wait_in_quorum_queues_and_streams_are_bounded(queues: dict[str, dict[str, Any]]) -> None:
    for name in (*(f"events.{reader}" for reader in READERS), "jobs.ledger"):
        assert queues[name]["type"] == "quorum", name
    for name, age in (("events.stream", "24h"), ("jobs.control", "48h")):
        assert (queues[name]["type"], queues[name]["arguments"]["x-max-age"]) == ("stream", age)
        assert queues[name]["arguments"]["x-max-length-bytes"] > 0


async def test_every_reader_is_seen_to_read(management: Management) -> None:
    readers = [*(f"events.{reader}" for reader in READERS), "jobs.ledger"]
    readers += [f"jobs.{job}" for job in JOB_TYPES]

    async def all_read() -> bool:
        found = {queue["name"]: queue for queue in await asyncio.to_thread(management.queues, VHOST)}
        assert [name for name in readers if found[name]["consumers"] < 1] == []
        return True

    await eventually(all_read, 20, every=0.5)  # the figures come some seconds after a start of the broker


def test_the_exchanges_have_their_kinds(management: Management) -> None:
    found = {each["name"]: each["type"] for each in management.call("GET", "exchanges", VHOST)}
    expected = {"events": "topic", "jobs": "topic", "jobs.dead": "topic", "jobs.reports": "direct"}
    expected |= {f"jobs.retry.{tier}": "topic" for tier in TIERS}
    assert {name: kind for name, kind in found.items() if name and not name.startswith("amq.")} == expected


def test_the_bindings_carry_each_job_to_its_queue(management: Management) -> None:
    bindings = {(b["source"], b["routing_key"], b["destination"]) for b in management.call("GET", "bindings", VHOST)}
    for job in JOB_TYPES:
        assert ("jobs", f"{job}.*", f"jobs.{job}") in bindings
        assert ("jobs.dead", f"{job}.#", f"jobs.{job}.dead") in bindings
        assert {(f"jobs.retry.{tier}", f"{job}.*", f"jobs.{job}.retry.{tier}") for tier in TIERS} <= bindings
    assert {("jobs.dead", "#", "jobs.ledger"), ("events", "#", "events.stream")} <= bindings


def test_there_is_no_guest_and_only_the_operator_is_an_administrator(management: Management) -> None:
    users = {user["name"]: user["tags"] for user in management.call("GET", "users")}
    assert "guest" not in users
    assert {name: tags for name, tags in users.items() if tags} == {
        management.user: ["administrator"],
        MONITOR: ["monitoring"],
    }


# -- least privilege ---------------------------------------------------------------------------------


def address_for(stack: Stack, user: str) -> str:
    """The broker as one process signs in to it."""
    password = (stack.home.secrets / f"broker-{user}").read_text().strip()
    broker = urlsplit(stack.run.amqp_url)
    return broker._replace(netloc=f"{user}:{quote(password, safe='')}@{broker.hostname}:{broker.port}").geturl()


@pytest.mark.parametrize(
    ("user", "queue"),
    [
        ("imaging", "jobs.send-email"),
        ("imaging", "events.catalog"),
        ("notifier", "jobs.process-image"),
        ("reporting", "jobs.ledger"),
        ("catalog-worker", "jobs.send-email"),
        ("relay", "events.dispatch"),
        ("gateway", "jobs.ledger"),
        ("jobs-api", "jobs.ledger"),
        ("scheduler", "events.dispatch"),
    ],
)
async def test_a_process_may_not_read_what_is_not_its_own(stack: Stack, user: str, queue: str) -> None:
    async with await aio_pika.connect(address_for(stack, user)) as connection:
        channel = await connection.channel()
        others = await channel.get_queue(queue, ensure=False)
        with pytest.raises(ChannelAccessRefused, match="ACCESS_REFUSED"):
            await others.get(fail=False)


@pytest.mark.parametrize(
    ("user", "exchange"),
    [
        ("imaging", "jobs"),
        ("notifier", "jobs"),
        ("relay", "jobs"),
        ("relay", "jobs.reports"),
        ("gateway", "jobs"),
        ("scheduler", "jobs"),
        ("jobs-api", "jobs"),
    ],
)
async def test_a_process_may_not_write_where_it_has_nothing_to_say(stack: Stack, user: str, exchange: str) -> None:
    async with await aio_pika.connect(address_for(stack, user)) as connection:
        channel = await connection.channel(publisher_confirms=True)
        target = await channel.get_exchange(exchange, ensure=False)
        with pytest.raises(ChannelAccessRefused, match="ACCESS_REFUSED"):
            await target.publish(aio_pika.Message(b"{}"), routing_key="send-email.p2")


@pytest.mark.parametrize("user", ["imaging", "notifier", "reporting", "catalog-worker", "relay", "gateway", "jobs-api"])
async def test_a_process_may_not_make_a_queue_of_its_own(stack: Stack, user: str) -> None:
    async with await aio_pika.connect(address_for(stack, user)) as connection:
        channel = await connection.channel()
        with pytest.raises(ChannelAccessRefused, match="ACCESS_REFUSED"):
            await channel.declare_queue("jobs.made-up", durable=True)
