"""The scheduler as the gateway calls it, and its events as the ledger reads them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientResponse, ClientSession
from pydantic import SecretStr

from services.scheduler.app import running
from services.scheduler.settings import Settings
from shared.contracts.envelope import Envelope
from shared.ids import derived_id
from shared.messaging.broker import open_broker
from shared.messaging.declare import apply
from shared.messaging.reader import parse_event
from shared.messaging.topology import DISPATCH_QUEUE, build, parse_tiers
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

    async def call(self, method: str, path: str, role: Role = Role.ADMIN) -> tuple[int, dict[str, object]]:
        """One call with a fresh identity token; status and body."""
        token = sign(
            Identity(uuid4(), role), service="scheduler", key=KEY, method=method, path=path, request_id="test-request"
        )
        async with self._session.request(method, self._base + path, headers={HEADER: token}) as response:
            return response.status, await self._body(response)

    async def _body(self, response: ClientResponse) -> dict[str, object]:
        body: dict[str, object] = await response.json(content_type=None)
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
        async with session.get(f"http://127.0.0.1:{ops_port}/readyz") as ready:
            assert ready.status == 200
        yield Caller(session, f"http://127.0.0.1:{http_port}")


async def listed(scheduler: Caller, name: str) -> dict[str, object]:
    status, body = await scheduler.call("GET", "/api/admin/schedules", Role.OPS)
    assert status == 200
    assert body["next"] is None
    items = body["items"]
    assert isinstance(items, list)
    found: dict[str, object] = next(item for item in items if item["name"] == name)
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


async def test_pause_and_resume(scheduler: Caller) -> None:
    for _ in range(2):  # safe to repeat
        status, item = await scheduler.call("POST", "/api/admin/schedules/nightly/pause")
        assert (status, item["enabled"], item["paused"], item["next_runs"]) == (200, False, True, [])
    assert (await listed(scheduler, "nightly"))["paused"] is True
    status, _ = await scheduler.call("POST", "/api/admin/schedules/nightly/run")
    assert status == 202  # by hand also while paused
    status, item = await scheduler.call("POST", "/api/admin/schedules/nightly/resume")
    assert (status, item["enabled"], item["paused"]) == (200, True, False)


@pytest.mark.parametrize(
    ("method", "path", "role", "status"),
    [
        ("GET", "/api/admin/schedules", Role.VENDOR, 403),
        ("POST", "/api/admin/schedules/nightly/run", Role.OPS, 403),
        ("POST", "/api/admin/schedules/nightly/pause", Role.OPS, 403),
        ("POST", "/api/admin/schedules/nightly/resume", Role.OPS, 403),
        ("POST", "/api/admin/schedules/unknown/run", Role.ADMIN, 404),
        ("POST", "/api/admin/schedules/unknown/pause", Role.ADMIN, 404),
        ("POST", "/api/admin/schedules/off/resume", Role.ADMIN, 409),
    ],
)
async def test_refusals(scheduler: Caller, method: str, path: str, role: Role, status: int) -> None:
    answered, body = await scheduler.call(method, path, role)
    assert (answered, body["status"]) == (status, status)
