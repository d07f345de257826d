"""Reporting as a whole: events and jobs from the real broker, reports as the gateway asks for them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from aiohttp import ClientSession
from pydantic import SecretStr
from yarl import URL

from services.reporting.app import running
from services.reporting.settings import Settings
from shared.contracts.base import Event
from shared.contracts.envelope import Envelope, wrap
from shared.contracts.events import Measure, MeasuresRecorded, ReportRequested, VendorChanged
from shared.contracts.jobs import GenerateReport
from shared.contracts.reports import AttemptReport, Outcome, ReportBatch
from shared.db.pool import Pool
from shared.ids import new_id
from shared.messaging.broker import Broker, open_broker
from shared.messaging.declare import apply
from shared.messaging.reader import parse_event
from shared.messaging.topology import DISPATCH_QUEUE, EVENTS, GENERATE_REPORT, LEDGER_QUEUE, build, parse_tiers
from shared.messaging.work import JobMessage
from shared.web.identity import HEADER, Identity, Role, sign
from tests.eventually import eventually
from tests.integration.reporting.factories import (
    VENDOR_A,
    VENDOR_B,
    enveloped,
    make_cancellation,
    make_line,
    make_order,
)
from tests.servers import Database, Vhost

KEY = "k" * 40
TODAY = datetime.now(UTC).date()
A_DAY = TODAY - timedelta(days=2)


class World:
    """Reporting's neighbours: the catalog that publishes, the ledger that makes jobs, the gateway that asks."""

    def __init__(self, session: ClientSession, base: str, broker: Broker) -> None:
        self._session = session
        self._base = base
        self._broker = broker

    async def call(
        self, role: Role, method: str, path: str, body: object = None, *, vendor_id: UUID | None = VENDOR_A
    ) -> tuple[int, Any, dict[str, str]]:
        """One call as the gateway makes it: status, body, headers."""
        identity = Identity(uuid4(), role, vendor_id if role is Role.VENDOR else None)
        token = sign(
            identity, service="reporting", key=KEY, method=method, path=URL(path).path, request_id="test-request"
        )
        headers = {HEADER: token, "Content-Type": "application/json"}
        data = None if body is None else orjson.dumps(body)
        async with self._session.request(method, self._base + path, headers=headers, data=data) as response:
            raw = await response.read()
            is_json = "json" in response.content_type
            answer = orjson.loads(raw) if is_json else raw.decode(errors="replace")
            return response.status, answer, dict(response.headers)

    async def publish(self, *envelopes: Envelope) -> None:
        """Publish events as a relay does."""
        for envelope in envelopes:
            await self._broker.publisher.publish(envelope, exchange=EVENTS, routing_key=envelope.type)

    async def next_body(self, queue: str) -> bytes:
        """Take the next message of a queue."""
        channel, underlay = await self._broker.consuming.open_channel(confirms=False)

        async def get() -> bytes | None:
            return (await underlay.basic_get(queue, no_ack=True)).body or None

        body = await eventually(get)
        await channel.close()
        assert body is not None
        return body

    async def next_ended(self) -> AttemptReport:
        """The report of the next attempt that ended; the ledger's queue hears of workers and of starts, too."""
        while True:
            body = await self.next_body(LEDGER_QUEUE)
            reports = ReportBatch.model_validate_json(body).reports if body.startswith(b'{"reports"') else ()
            for report in reports:
                if report.outcome is not Outcome.STARTED:
                    return report

    async def order_job(self, job: GenerateReport) -> UUID:
        """Publish a job as the ledger does; returns its id."""
        envelope = wrap(
            job, identifier=new_id(), kind=job.type, source="jobs", subject=None, time=datetime.now(UTC), cause=new_id()
        )
        message = JobMessage(envelope, priority=5, attempt=1, max_attempts=3, fence=1, timeout_ms=30_000)
        await message.publish(self._broker.publisher)
        return envelope.id

    async def do_requested(self) -> None:
        """Turn the next `report.requested` into its job, as the ledger's policy does."""
        event = read_event(await self.next_body(DISPATCH_QUEUE))
        assert isinstance(event, ReportRequested)
        await self.order_job(
            GenerateReport(
                report_id=event.report_id,
                report_type=event.report_type,
                vendor_id=event.vendor_id,
                period_from=event.period_from,
                period_to=event.period_to,
            )
        )


def read_event(body: bytes) -> Event:
    """The event in a message's body."""

    properties = SimpleNamespace(headers={})
    message: Any = SimpleNamespace(body=body, header=SimpleNamespace(properties=properties))
    received = parse_event(message)
    assert received is not None
    return received.event


@pytest.fixture
async def world(database: Database, vhost: Vhost, unused_tcp_port_factory: Any) -> AsyncIterator[World]:
    """A whole reporting process between its neighbours."""
    http_port, ops_port = unused_tcp_port_factory(), unused_tcp_port_factory()
    settings = Settings(
        amqp_url=SecretStr(vhost.amqp_url),
        reporting_database_url=SecretStr(database.url("reporting")),
        reporting_key=SecretStr(KEY),
        http_port=http_port,
        ops_port=ops_port,
        retry_tiers="1s",
        grace_seconds=5,
    )
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(open_broker(vhost.amqp_url, name="test"))
        await apply(broker.publishing, build(parse_tiers("1s"), [GENERATE_REPORT]))
        await stack.enter_async_context(running(settings))
        session = await stack.enter_async_context(ClientSession())

        async def ready() -> bool:
            async with session.get(f"http://127.0.0.1:{ops_port}/readyz") as response:
                return response.status == 200

        await eventually(ready)
        yield World(session, f"http://127.0.0.1:{http_port}", broker)


def asked(report_type: str = "daily_sales", first: date = A_DAY, last: date = A_DAY) -> dict[str, object]:
    return {"type": report_type, "period": {"from": first.isoformat(), "to": last.isoformat()}}


def moment(hour: int) -> datetime:
    return datetime(A_DAY.year, A_DAY.month, A_DAY.day, hour, tzinfo=UTC)


async def test_from_events_to_a_report_a_vendor_reads(world: World, pool: Pool) -> None:
    kept = make_order(moment(9), make_line(VENDOR_A, quantity=2, price=1999), make_line(VENDOR_B, price=100))
    lost = make_order(moment(10), make_line(VENDOR_A, quantity=1, price=500, title="=cmd"))
    told = [enveloped(make_cancellation(lost)), enveloped(kept), enveloped(lost)]  # the cancellation first
    zone = VendorChanged(vendor_id=VENDOR_A, version=2, name="A", time_zone="Etc/GMT-1")
    hour = MeasuresRecorded(service="notifier", hour=moment(9), measures=(Measure(name="mails_sent", count=1),))
    told += [enveloped(zone), enveloped(hour)]
    await world.publish(*told, *told)  # and everything twice
    await eventually(lambda: pool.fetchval("SELECT count(*) = 5 FROM reporting.inbox"))
    assert await pool.fetchval("SELECT count(*) FROM reporting.measures") == 1

    status, report, headers = await world.call(Role.VENDOR, "POST", "/api/vendor/reports", asked())
    assert (status, report["state"], report["figures"]) == (201, "pending", None)
    assert report["time_zone"] == "Etc/GMT-1"
    assert report["period"] == {"from": A_DAY.isoformat(), "to": A_DAY.isoformat()}
    path = f"/api/vendor/reports/{report['id']}"
    assert headers["Location"] == path
    assert (await world.call(Role.VENDOR, "GET", f"{path}/file?format=csv"))[0] == 409
    assert (await world.call(Role.VENDOR, "POST", "/api/vendor/reports", asked()))[0] == 200  # the same row
    assert (await world.call(Role.VENDOR, "POST", f"{path}/cancel", vendor_id=VENDOR_B))[0] == 404
    assert (await world.call(Role.OPS, "POST", f"/api/admin/reports/{report['id']}/cancel"))[0] == 403

    await world.do_requested()
    done = await world.next_ended()
    assert (done.outcome, done.error) == (Outcome.COMPLETED, None)
    assert done.result == {
        "report_id": report["id"],
        "report_type": "daily_sales",
        "period": report["period"],
        "orders": 2,
        "units": 3,
        "cancelled_orders": 1,
    }

    status, ready, _ = await world.call(Role.VENDOR, "GET", path)
    assert (status, ready["state"], ready["figures"]["totals"]["orders"]) == (200, "ready", 2)
    assert ready["formats"] == ["html", "csv", "xlsx", "pdf"]
    assert ready["figures"]["totals"]["net"] == [{"amount_minor": 3998, "currency": "EUR"}]
    status, text, headers = await world.call(Role.VENDOR, "GET", f"{path}/file?format=csv")
    assert status == 200
    assert headers["Content-Disposition"] == f'attachment; filename="daily-sales-{A_DAY}-{A_DAY}.csv"'
    assert text.splitlines()[1] == f"{A_DAY},2,3,1,1,44.98,5.00,39.98"
    status, page, headers = await world.call(Role.VENDOR, "GET", f"{path}/file?format=html")
    assert status == 200
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<span>39.98 <small>EUR</small></span>" in page
    status, problem, headers = await world.call(Role.VENDOR, "GET", f"{path}/file?format=pdf")
    assert (status, headers["Content-Type"]) == (200, "application/pdf") or problem["type"].endswith(":pdf_not_made")
    status, problem, _ = await world.call(Role.VENDOR, "POST", f"{path}/cancel")
    assert (status, problem["type"].rpartition(":")[2]) == (409, "report_not_pending")


async def test_a_vendor_sees_its_own_reports_only(world: World) -> None:
    _, mine, _ = await world.call(Role.VENDOR, "POST", "/api/vendor/reports", asked())
    _, theirs, _ = await world.call(Role.VENDOR, "POST", "/api/vendor/reports", asked(), vendor_id=VENDOR_B)
    _, market, _ = await world.call(Role.ADMIN, "POST", "/api/admin/reports", asked("daily_metrics"))
    for other in (theirs, market):
        for rest in ("", "/file?format=csv"):
            status, _, _ = await world.call(Role.VENDOR, "GET", f"/api/vendor/reports/{other['id']}{rest}")
            assert status == 404
    _, listed, _ = await world.call(Role.VENDOR, "GET", "/api/vendor/reports")
    assert [item["id"] for item in listed["items"]] == [mine["id"]]
    assert listed["next"] is None
    for role in (Role.ADMIN, Role.OPS):
        _, first, headers = await world.call(role, "GET", "/api/admin/reports?limit=2")
        assert [item["id"] for item in first["items"]] == [market["id"], theirs["id"]]
        assert 'rel="next"' in headers["Link"]
        _, second, _ = await world.call(role, "GET", f"/api/admin/reports?limit=2&cursor={first['next']}")
        assert [item["id"] for item in second["items"]] == [mine["id"]]
        status, _, _ = await world.call(role, "GET", f"/api/admin/reports/{mine['id']}")
        assert status == 200


async def test_refusals(world: World) -> None:
    tomorrow = TODAY + timedelta(days=2)  # also where it is tomorrow already
    cases: list[tuple[Role, str, str, object, int, list[str]]] = [
        (Role.VENDOR, "POST", "/api/vendor/reports", asked("weekly"), 422, ["/type"]),
        (Role.VENDOR, "POST", "/api/vendor/reports", asked("daily_metrics"), 422, ["/type"]),
        (Role.ADMIN, "POST", "/api/admin/reports", asked("weekly"), 422, ["/type"]),
        (Role.VENDOR, "POST", "/api/vendor/reports", asked(first=TODAY, last=A_DAY), 422, ["/period/from"]),
        (Role.VENDOR, "POST", "/api/vendor/reports", asked(last=tomorrow), 422, ["/period/to"]),
        (Role.VENDOR, "POST", "/api/vendor/reports", {"type": "daily_sales"}, 422, ["/period"]),
        (
            Role.VENDOR,
            "POST",
            "/api/vendor/reports",
            {"type": "daily_sales", "period": {"from": "yesterday", "to": "2026-02-30"}},
            422,
            ["/period/from", "/period/to"],
        ),
        (Role.VENDOR, "POST", "/api/vendor/reports", {**asked(), "vendor_id": str(VENDOR_B)}, 422, ["/vendor_id"]),
        (Role.VENDOR, "GET", "/api/vendor/reports?limit=101", None, 422, ["/limit"]),
        (Role.VENDOR, "GET", "/api/vendor/reports/nonsense", None, 404, []),
        (Role.VENDOR, "GET", "/api/admin/reports", None, 403, []),
        (Role.ADMIN, "GET", "/api/vendor/reports", None, 403, []),
        (Role.OPS, "POST", "/api/admin/reports", asked(), 403, []),
        (Role.CHANNEL, "GET", "/api/vendor/reports", None, 403, []),
    ]
    for role, method, path, body, status, pointers in cases:
        answered, problem, _ = await world.call(role, method, path, body)
        assert answered == status, (role, path, problem)
        assert problem["status"] == status
        assert [error["pointer"] for error in problem.get("errors", [])] == pointers, (path, body, problem)


async def test_the_schedules_job_makes_the_marketplaces_report(world: World) -> None:
    due_at = moment(0) + timedelta(days=1)
    job_id = await world.order_job(GenerateReport(report_type="daily_metrics", due_at=due_at))
    done = await world.next_ended()
    assert (done.job_id, done.outcome) == (job_id, Outcome.COMPLETED)
    _, listed, _ = await world.call(Role.OPS, "GET", "/api/admin/reports")
    [item] = listed["items"]
    assert (item["type"], item["state"], item["vendor_id"]) == ("daily_metrics", "ready", None)
    assert item["period"] == {"from": A_DAY.isoformat(), "to": A_DAY.isoformat()}


async def test_a_job_that_makes_no_sense_is_reported_failed(world: World) -> None:
    await world.order_job(GenerateReport(report_id=uuid4(), report_type="daily_sales"))
    failed = await world.next_ended()
    assert failed.outcome is Outcome.FAILED
    assert failed.error is not None
    assert failed.error.error_class == "UnknownReport"
