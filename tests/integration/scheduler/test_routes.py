"""The scheduler as the gateway calls it, and its events as the ledger reads them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientResponse, ClientSession
from pydantic import SecretStr

from services.scheduler.app import running
from services.scheduler.settings import Settings
from shared.contracts.envelope import Envelope, wrap
from shared.contracts.events import JobFinished
from shared.ids import derived_id
from shared.messaging.broker import open_broker
from shared.messaging.declare import apply
from shared.messaging.reader import parse_event
from shared.messaging.topology import DISPATCH_QUEUE, EVENTS, build, parse_tiers
from shared.web.identity import HEADER, Identity, Role, sign
from tests.eventually import eventually
from tests.servers import Database, Vhost

KEY = "k" * 40
FILE = """
[[entry]]
name = "nightly"
cron = "0 3 * * *"
zone = "Europe/Berlin"
job_type = "generate-report"
payload = { report_type = "daily_metrics" }
overlap = "queue"
priority = 4

[[entry]]
name = "off"
cron = "0 * * * *"
job_type = "cleanup-jobs"
enabled = false
"""


class Caller:
    """Calls the scheduler as the gateway does."""

    def __init__(self, session: ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def call(
        self, method: str, path: str, role: Role = Role.ADMIN, *, query: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """One call with a fresh identity token; status and body."""
        token = sign(
            Identity(uuid4(), role), service="scheduler", key=KEY, method=method, path=path, request_id="test-request"
        )
        async with self._session.request(method, self._base + path + query, headers={HEADER: token}) as response:
            return response.status, await self._body(response)

    async def _body(self, response: ClientResponse) -> dict[str, Any]:
        body: dict[str, Any] = await response.json(content_type=None)
        return body


@pytest.fixture
async def scheduler(
    database: Database, vhost: Vhost, tmp_path_factory: pytest.TempPathFactory, unused_tcp_port_factory: object
) -> AsyncIterator[Caller]:
    """A whole scheduler on its ports."""
    assert callable(unused_tcp_port_factory)
    http_port, ops_port = unused_tcp_port_factory(), unused_tcp_port_factory()
    file = tmp_path_factory.mktemp("schedule") / "schedule.toml"
    file.write_text(FILE)
    settings = Settings(
        amqp_url=SecretStr(vhost.amqp_url),
        scheduler_database_url=SecretStr(database.url("scheduler")),
        scheduler_key=SecretStr(KEY),
        schedule_file=file,
        http_port=http_port,
        ops_port=ops_port,
    )
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(open_broker(vhost.amqp_url, name="test"))
        await apply(broker.publishing, build(parse_tiers("1s"), ()))
        await stack.enter_async_context(running(settings))
        session = await stack.enter_async_context(ClientSession())

        async def is_ready() -> bool:
            async with session.get(f"http://127.0.0.1:{ops_port}/readyz") as ready:
                return ready.status == 200

        await eventually(is_ready)
        yield Caller(session, f"http://127.0.0.1:{http_port}")


async def listed(scheduler: Caller, name: str) -> dict[str, Any]:
    status, body = await scheduler.call("GET", "/api/admin/schedules", Role.OPS)
    assert status == 200
    assert body["next"] is None
    items = body["items"]
    assert isinstance(items, list)
    found: dict[str, Any] = next(item for item in items if item["name"] == name)
    return found


async def test_the_list_shows_what_runs_next(scheduler: Caller) -> None:
    item = await listed(scheduler, "nightly")
    next_runs = item.pop("next_runs")
    assert isinstance(next_runs, list)
    assert len(next_runs) == 5
    first = datetime.fromisoformat(next_runs[0])
    assert first > datetime.now(UTC)
    assert first.tzinfo is not None
    assert item == {
        "name": "nightly",
        "cron": "0 3 * * *",
        "time_zone": "Europe/Berlin",
        "enabled": True,
        "paused": False,
        "job_type": "generate-report",
        "misfire": "skip",
        "overlap": "queue",
        "last_run": None,
        "last_event": None,
    }
    assert (await listed(scheduler, "off"))["enabled"] is False


async def test_run_now_reaches_the_ledgers_queue(scheduler: Caller, vhost: Vhost) -> None:
    status, body = await scheduler.call("POST", "/api/admin/schedules/nightly/run")
    assert status == 202
    due_at = datetime.fromisoformat(str(body["due_at"]))
    assert due_at.microsecond % 1000 == 0
    assert UUID(str(body["event"])) == derived_id(due_at, "schedule.due", "nightly")
    async with open_broker(vhost.amqp_url, name="test") as broker:
        channel, underlay = await broker.consuming.open_channel(confirms=False)

        async def get() -> Envelope | None:
            message = await underlay.basic_get(DISPATCH_QUEUE, no_ack=True)
            received = parse_event(message) if message.body else None
            return received.envelope if received else None

        envelope = await eventually(get)
        await channel.close()
    assert envelope is not None
    assert str(envelope.id) == body["event"]
    assert envelope.data == {
        "vendor_id": None,
        "entry": "nightly",
        "job_type": "generate-report",
        "payload": {"report_type": "daily_metrics"},
        "due_at": body["due_at"],
        "overlap": "queue",
        "priority": 4,
    }
    item = await listed(scheduler, "nightly")
    assert (item["last_run"], item["last_event"]) == (body["due_at"], body["event"])


async def test_a_tick_is_shown_with_its_job_and_who_ran_it(scheduler: Caller, vhost: Vhost) -> None:
    _, run = await scheduler.call("POST", "/api/admin/schedules/nightly/run")
    path = "/api/admin/schedules/nightly"
    _, shown = await scheduler.call("GET", path, Role.OPS)
    [tick], [change] = shown["ticks"], shown["changes"]
    assert (tick["due_at"], tick["event"], tick["cause"]) == (run["due_at"], run["event"], "manual")
    assert (tick["job"], tick["outcome"]) == (None, None)
    assert (change["action"], change["role"], change["account"]) == ("schedule.run", "admin", tick["account"])
    assert (change["detail"]["event"], change["request_id"] is not None) == (run["event"], True)
    job_id, cause = uuid4(), UUID(str(run["event"]))
    event = JobFinished(job_id=job_id, job_type="generate-report", cause_id=cause, outcome="started")
    envelope = wrap(event, identifier=uuid4(), kind=event.type, source="jobs", subject=None, time=datetime.now(UTC))
    async with open_broker(vhost.amqp_url, name="ledger") as broker:
        await broker.publisher.publish(envelope, exchange=EVENTS, routing_key=event.type)

    async def told() -> bool:
        _, page = await scheduler.call("GET", f"{path}/ticks", Role.OPS)
        [item] = page["items"]
        return bool((item["job"], item["outcome"]) == (str(job_id), "started"))

    await eventually(told)


async def test_ticks_come_in_pages(scheduler: Caller) -> None:
    for _ in range(3):
        await scheduler.call("POST", "/api/admin/schedules/nightly/run")
        await asyncio.sleep(0.002)  # two in one millisecond are one
    path = "/api/admin/schedules/nightly/ticks"
    _, first = await scheduler.call("GET", path, query="?limit=2")
    _, second = await scheduler.call("GET", path, query=f"?limit=2&cursor={str(first['next']).replace('+', '%2B')}")
    due = [item["due_at"] for page in (first, second) for item in page["items"]]
    assert (len(due), due, second["next"]) == (3, sorted(due, reverse=True), None)


async def test_pause_and_resume(scheduler: Caller) -> None:
    for _ in range(2):  # safe to repeat
        status, item = await scheduler.call("POST", "/api/admin/schedules/nightly/pause")
        assert (status, item["enabled"], item["paused"], item["next_runs"]) == (200, False, True, [])
    assert (await listed(scheduler, "nightly"))["paused"] is True
    status, _ = await scheduler.call("POST", "/api/admin/schedules/nightly/run")
    assert status == 202  # by hand also while paused
    status, item = await scheduler.call("POST", "/api/admin/schedules/nightly/resume")
    assert (status, item["enabled"], item["paused"]) == (200, True, False)


REFUSALS = [
    ("GET", "/api/admin/schedules", Role.VENDOR, 403),
    ("GET", "/api/admin/schedules/nightly", Role.VENDOR, 403),
    ("GET", "/api/admin/schedules/nightly/ticks", Role.CHANNEL, 403),
    ("POST", "/api/admin/schedules/nightly/run", Role.OPS, 403),
    ("POST", "/api/admin/schedules/nightly/pause", Role.OPS, 403),
    ("POST", "/api/admin/schedules/nightly/resume", Role.OPS, 403),
    ("GET", "/api/admin/schedules/unknown", Role.OPS, 404),
    ("GET", "/api/admin/schedules/unknown/ticks", Role.OPS, 404),
    ("POST", "/api/admin/schedules/unknown/run", Role.ADMIN, 404),
    ("POST", "/api/admin/schedules/unknown/pause", Role.ADMIN, 404),
    ("POST", "/api/admin/schedules/off/resume", Role.ADMIN, 409),
]


async def test_refusals(scheduler: Caller) -> None:
    for method, path, role, status in REFUSALS:
        answered, body = await scheduler.call(method, path, role)
        assert (answered, body["status"]) == (status, status), path
