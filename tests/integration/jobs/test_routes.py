"""The jobs api through HTTP, as the gateway calls it: shapes, roles, and what it refuses."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from yarl import URL

from services.jobs.control.routes import routes as control_routes
from services.jobs.control.store import ControlStore
from services.jobs.control.usecases import ControlDesk
from services.jobs.health.store import HealthStore
from services.jobs.health.usecases import HealthDesk
from services.jobs.models import Order, new_job
from services.jobs.partitions import Partitions
from services.jobs.parts import make_ledger, make_recorder
from services.jobs.recorder import Recorder
from services.jobs.routes import routes
from services.jobs.store import in_ledger
from services.jobs.usecases import JobsDesk
from shared.clock import utc_now
from shared.contracts import jobs
from shared.contracts.base import Audience, Job
from shared.contracts.reports import AttemptError, AttemptReport, Outcome
from shared.db.pool import Pool
from shared.ids import new_id
from shared.web.cursors import Cursors
from shared.web.identity import HEADER, Identity, Role, identity_middleware, sign
from shared.web.paging import CURSORS
from shared.web.server import new_app, serving
from tests.integration.jobs.recording import recorded

KEY = "k" * 32
ADMIN, OPS = Identity(new_id(), Role.ADMIN), Identity(new_id(), Role.OPS)
VENDOR, OTHER = (Identity(new_id(), Role.VENDOR, new_id()) for _ in range(2))
STATES = ("scheduled", "pending", "processing", "retrying", "completed", "failed", "cancelled")


@dataclass
class Api:
    """Calls the api in somebody's name."""

    session: aiohttp.ClientSession
    pool: Pool
    recorder: Recorder

    async def call(
        self, method: str, path: str, *, by: Identity | None = ADMIN, body: object = None, status: int = 200
    ) -> Any:
        """Call, insist on the status, and return the JSON."""
        headers = {}
        if by is not None:
            bare = URL(path).path
            headers[HEADER] = sign(by, service="jobs", key=KEY, method=method, path=bare, request_id="r" * 8)
        async with self.session.request(method, path, headers=headers, json=body) as answer:
            found = await answer.json(content_type=None)
            assert answer.status == status, found
            assert answer.content_type == ("application/json" if status < 400 else "application/problem+json")
            return found

    async def job(
        self, *outcomes: Outcome, job: Job | None = None, vendor_id: UUID | None = None, cause: UUID | None = None
    ) -> str:
        """A job of which these attempts were reported; returns its id."""
        now = utc_now()
        made = new_job(
            Order(job or jobs.CheckLowStock(), target="t"),
            cause=cause or new_id(),
            cause_type="test",
            caused_at=now,
            vendor_id=vendor_id,
        )
        ledger = make_ledger()
        await Partitions(self.pool, utc_now).ensure_for([made.id])
        await in_ledger(self.pool, lambda conn: ledger.insert(conn, [made]))
        await recorded(self.recorder, [report(made.id, number, one) for number, one in enumerate(outcomes, 1)])
        return str(made.id)

    async def stats(self) -> dict[str, int]:
        """The counts, checked against the rows themselves."""
        found: dict[str, int] = (await self.call("GET", "/api/admin/jobs?action=stats"))["stats"]
        counted = await self.pool.fetch("SELECT state, count(*) AS n FROM jobs.jobs GROUP BY state")
        rows = {row["state"]: row["n"] for row in counted}
        assert {state: found[state] for state in STATES} == {state: rows.get(state, 0) for state in STATES}
        assert found["total"] == sum(rows.values())
        return found


@pytest.fixture
async def api(pool: Pool, desk: JobsDesk) -> AsyncIterator[Api]:
    app = new_app(middlewares=[identity_middleware(service="jobs", key=KEY)])
    app[CURSORS] = Cursors(KEY.encode())
    app.add_routes(routes(desk, HealthDesk(pool, HealthStore())))
    app.add_routes(control_routes(ControlDesk(pool, make_ledger(), ControlStore(), utc_now)))
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(app, host="127.0.0.1", port=0))
        session = await stack.enter_async_context(aiohttp.ClientSession(f"http://127.0.0.1:{port}"))
        yield Api(session, pool, make_recorder(pool, make_ledger()))


def report(job_id: UUID, attempt: int, outcome: Outcome) -> AttemptReport:
    """What a worker says of an attempt."""
    failed = outcome in (Outcome.RETRYING, Outcome.FAILED)
    return AttemptReport(
        job_id=job_id,
        job_type="check-low-stock",
        attempt=attempt,
        fence=1,
        outcome=outcome,
        worker="w",
        started_at=utc_now(),
        run_ms=5,
        error=AttemptError(error_class="SmtpAway", message="no route") if failed else None,
        retry_at=utc_now() if outcome is Outcome.RETRYING else None,
        result={"n": 1} if outcome is Outcome.COMPLETED else None,
    )


async def test_statistics_name_all_states_and_their_sum(api: Api) -> None:
    answer = await api.call("GET", "/api/admin/jobs?action=stats")
    stats = {"total": 0, "active_workers": 0, **dict.fromkeys(STATES, 0)}
    assert answer == {"success": True, "stats": stats, "oldest_waiting": [], "open_breakers": []}
    await api.job()
    await api.job(Outcome.STARTED)
    await api.job(Outcome.RETRYING)
    await api.job(Outcome.RETRYING, Outcome.COMPLETED)
    await api.job(Outcome.FAILED)
    await api.job(Outcome.CANCELLED)
    stats = await api.stats()
    assert [stats[state] for state in STATES] == [0, 1, 1, 1, 1, 1, 1]


async def test_a_job_is_shown_with_every_attempt(api: Api) -> None:
    cause = new_id()
    job_id = await api.job(Outcome.RETRYING, Outcome.COMPLETED, cause=cause, vendor_id=VENDOR.vendor_id)
    answer = await api.call("GET", f"/api/admin/jobs?action=job&id={job_id}")
    assert answer["success"] is True
    job = answer["job"]
    assert set(job) >= {
        "id",
        "type",
        "priority",
        "state",
        "attempt",
        "max_attempts",
        "payload",
        "cause",
        "vendor_id",
        "created_at",
        "started_at",
        "finished_at",
        "wait_ms",
        "run_ms",
        "result",
        "attempts",
    }
    assert (job["id"], job["type"], job["priority"], job["state"]) == (job_id, "check-low-stock", 2, "completed")
    assert (job["attempt"], job["max_attempts"], job["payload"]) == (2, 3, {"due_at": None})
    assert (job["cause"], job["vendor_id"], job["run_ms"], job["result"]) == (
        str(cause),
        str(VENDOR.vendor_id),
        5,
        {"n": 1},
    )
    assert job["wait_ms"] >= 0
    for name in ("created_at", "started_at", "finished_at"):
        assert job[name].endswith("Z")
        assert datetime.fromisoformat(job[name]) <= datetime.now(UTC)
    first, second = job["attempts"]
    assert (first["number"], first["worker"], first["run_ms"]) == (1, "w", 5)
    assert first["error"] == {"class": "SmtpAway", "message": "no route"}
    assert first["retry_at"] is not None
    assert (second["number"], second["error"], second["retry_at"]) == (2, None, None)


async def test_the_last_completed_and_failed_are_listed_newest_first(api: Api) -> None:
    done = [await api.job(Outcome.COMPLETED) for _ in range(3)]
    lost = [await api.job(Outcome.FAILED) for _ in range(2)]
    await api.job()
    answer = await api.call("GET", "/api/admin/jobs?action=completed")
    assert answer["success"] is True
    assert [job["id"] for job in answer["jobs"]] == done[::-1]
    answer = await api.call("GET", "/api/admin/jobs?action=failed")
    assert [job["id"] for job in answer["jobs"]] == lost[::-1]


async def test_a_list_is_filtered_and_paged(api: Api) -> None:
    cause = new_id()
    ids = [await api.job() for _ in range(4)]
    mail = jobs.SendNotification(kind="x", audience=Audience(kind="admins"), params={})
    other = await api.job(Outcome.FAILED, job=mail, cause=cause)

    first = await api.call("GET", "/api/admin/jobs/list?limit=3")
    assert [job["id"] for job in first["items"]] == [other, *ids[:1:-1]]
    second = await api.call("GET", f"/api/admin/jobs/list?limit=3&cursor={first['next']}")
    assert [job["id"] for job in second["items"]] == ids[1::-1]
    assert second["next"] is None
    for query in (f"cause={cause}", "type=send-notification", "state=failed", "priority=3"):
        found = await api.call("GET", f"/api/admin/jobs/list?{query}")
        assert [job["id"] for job in found["items"]] == [other], query


async def test_a_vendor_sees_its_own_jobs_alone(api: Api) -> None:
    cause = new_id()
    mine = await api.job(vendor_id=VENDOR.vendor_id, cause=cause)
    await api.job(vendor_id=OTHER.vendor_id, cause=cause)
    await api.job(cause=cause)
    for path in ("/api/vendor/jobs", f"/api/vendor/jobs?cause={cause}"):
        found = await api.call("GET", path, by=VENDOR)
        assert [job["id"] for job in found["items"]] == [mine]


async def test_a_vendor_account_of_no_vendor_sees_nobodys(api: Api) -> None:
    await api.job()
    await api.call("GET", "/api/vendor/jobs", by=Identity(new_id(), Role.VENDOR), status=403)


ADMIN_CALLS = [
    ("GET", "/api/admin/jobs?action=stats", None),
    ("POST", "/api/admin/jobs", {"action": "clear-history"}),
    ("GET", "/api/admin/jobs/list", None),
    ("POST", "/api/admin/jobs/enqueue", {"type": "cleanup-cache", "payload": {}}),
    ("POST", f"/api/admin/jobs/{UUID(int=7)}/retry", None),
]


@pytest.mark.parametrize("role", [Role.VENDOR, Role.CHANNEL, Role.SERVICE])
@pytest.mark.parametrize(("method", "path", "body"), ADMIN_CALLS, ids=[call[1] for call in ADMIN_CALLS])
async def test_job_control_is_for_operators(api: Api, role: Role, method: str, path: str, body: object) -> None:
    await api.call(method, path, by=Identity(new_id(), role, new_id()), body=body, status=403)


async def test_operators_see_and_control_and_admins_have_no_vendors_list(api: Api) -> None:
    job_id = await api.job(Outcome.FAILED)
    await api.call("GET", "/api/admin/jobs?action=stats", by=OPS)
    await api.call("POST", "/api/admin/jobs", by=OPS, body={"action": "retry", "id": job_id})
    await api.call("GET", "/api/vendor/jobs", by=ADMIN, status=403)


async def test_nobody_is_let_in_without_a_token(api: Api) -> None:
    for method, path, body in ADMIN_CALLS:
        await api.call(method, path, by=None, body=body, status=401)
    await api.call("GET", "/no/such/address", by=None, status=401)
    await api.call("GET", "/no/such/address", status=404)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.CANCELLED])
async def test_a_failed_or_cancelled_job_goes_round_again(api: Api, outcome: Outcome) -> None:
    job_id = await api.job(outcome)
    answer = await api.call("POST", "/api/admin/jobs", body={"action": "retry", "id": job_id})
    assert answer["success"] is True
    assert (answer["job"]["state"], answer["job"]["attempt"], answer["job"]["max_attempts"]) == ("pending", 1, 4)
    assert answer["job"]["finished_at"] is None
    assert (await api.stats())["pending"] == 1
    audit = await api.pool.fetchrow("SELECT account_id, role, action, detail FROM jobs.audit")
    assert audit is not None
    assert tuple(audit) == (ADMIN.account_id, "admin", "job.retry", {"type": "check-low-stock", "was": outcome.value})


@pytest.mark.parametrize("outcomes", [(), (Outcome.STARTED,), (Outcome.RETRYING,), (Outcome.COMPLETED,)], ids=str)
async def test_any_other_job_is_left_alone(api: Api, outcomes: Sequence[Outcome]) -> None:
    job_id = await api.job(*outcomes)
    problem = await api.call("POST", f"/api/admin/jobs/{job_id}/retry", status=409)
    assert problem["type"] == "urn:souk:problem:job_not_retryable"


async def test_of_two_who_retry_at_once_one_wins(api: Api) -> None:
    job_id = await api.job(Outcome.FAILED)
    await api.call("POST", f"/api/admin/jobs/{job_id}/retry")
    await api.call("POST", f"/api/admin/jobs/{job_id}/retry", status=409)


@pytest.mark.parametrize("path", [f"/api/admin/jobs/{UUID(int=7)}/retry", "/api/admin/jobs/nonsense/retry"])
async def test_an_unknown_job_is_404(api: Api, path: str) -> None:
    await api.call("POST", path, status=404)
    await api.call("GET", f"/api/admin/jobs?action=job&id={new_id()}", status=404)
    await api.call("POST", "/api/admin/jobs", body={"action": "retry", "id": str(new_id())}, status=404)


REFUSED: list[tuple[str, str, object, str]] = [
    ("GET", "/api/admin/jobs", None, "/action"),
    ("GET", "/api/admin/jobs?action=explode", None, "/action"),
    ("GET", "/api/admin/jobs?action=job", None, "/id"),
    ("GET", "/api/admin/jobs?action=job&id=5", None, "/id"),
    ("GET", "/api/admin/jobs/list?limit=101", None, "/limit"),
    ("GET", "/api/admin/jobs/list?state=odd", None, "/state"),
    ("GET", "/api/admin/jobs/list?priority=0", None, "/priority"),
    ("GET", "/api/admin/jobs/list?cursor=x", None, "/cursor"),
    ("GET", "/api/admin/jobs/list?nonsense=1", None, "/nonsense"),
    ("POST", "/api/admin/jobs", {"action": "retry"}, "/id"),
    ("POST", "/api/admin/jobs", {"action": "explode"}, "/action"),
    ("POST", "/api/admin/jobs", {"action": "clear-history", "id": str(new_id())}, "/id"),
    ("POST", "/api/admin/jobs", {}, "/action"),
    ("POST", "/api/admin/jobs/enqueue", {"type": "no-such", "payload": {}}, "/type"),
    ("POST", "/api/admin/jobs/enqueue", {"type": "cleanup-cache"}, "/payload"),
    ("POST", "/api/admin/jobs/enqueue", {"type": "cleanup-cache", "payload": []}, "/payload"),
    ("POST", "/api/admin/jobs/enqueue", {"type": "cleanup-cache", "payload": {"mode": "x"}}, "/payload/mode"),
    ("POST", "/api/admin/jobs/enqueue", {"type": "cleanup-cache", "payload": {"depth": 1}}, "/payload/depth"),
    ("POST", "/api/admin/jobs/enqueue", {"type": "process-image", "payload": {}}, "/payload/image_id"),
    (
        "POST",
        "/api/admin/jobs/enqueue",
        {"type": "sync-inventory", "payload": {"source_id": str(new_id()), "version": 5}},
        "/payload/version",
    ),
    (
        "POST",
        "/api/admin/jobs/enqueue",
        {"type": "sync-inventory", "payload": {"source_id": str(new_id()), "version": "a\x00"}},
        "/payload/version",
    ),
    (
        "POST",
        "/api/admin/jobs/enqueue",
        {
            "type": "send-email",
            "payload": {"letter": "x", "audience": {"kind": "admins"}, "params": {"n": 10**30}},
        },
        "/payload",
    ),
    ("POST", "/api/admin/jobs/enqueue", {"type": "cleanup-cache", "payload": {}, "priority": 6}, "/priority"),
    ("POST", "/api/admin/jobs/enqueue", {"type": "cleanup-cache", "payload": {}, "max_attempts": 0}, "/max_attempts"),
    ("POST", "/api/admin/jobs/enqueue", {"type": "cleanup-cache", "payload": {}, "run_at": "soon"}, "/run_at"),
    (
        "POST",
        "/api/admin/jobs/enqueue",
        {"type": "cleanup-cache", "payload": {}, "run_at": "2026-01-01T00:00:00"},
        "/run_at",
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "pointer"), REFUSED)
async def test_what_does_not_fit_is_422_with_its_place(
    api: Api, method: str, path: str, body: object, pointer: str
) -> None:
    problem = await api.call(method, path, body=body, status=422)
    assert problem["errors"][0]["pointer"] == pointer
    assert (await api.stats())["total"] == 0


async def test_a_job_is_entered_by_hand(api: Api) -> None:
    image, product = str(new_id()), str(new_id())
    body = {
        "type": "process-image",
        "payload": {"image_id": image, "product_id": product, "source": "blob:x"},
        "priority": 1,
        "max_attempts": 7,
    }
    job = await api.call("POST", "/api/admin/jobs/enqueue", body=body, status=201)
    assert (job["type"], job["priority"], job["max_attempts"], job["state"]) == ("process-image", 1, 7, "pending")
    assert job["payload"] == {"image_id": image, "product_id": product, "source": "blob:x", "round": 1}
    again = await api.call("POST", "/api/admin/jobs/enqueue", body=body, status=201)
    assert again["id"] != job["id"]
    assert (await api.stats())["pending"] == 2
    assert await api.pool.fetchval("SELECT count(*) FROM jobs.audit WHERE action = 'job.enqueue'") == 2


async def test_the_same_key_of_the_same_account_makes_one_job(api: Api) -> None:
    body = {"type": "cleanup-cache", "payload": {}, "idempotency_key": "once"}
    first = await api.call("POST", "/api/admin/jobs/enqueue", body=body, status=201)
    assert (await api.call("POST", "/api/admin/jobs/enqueue", body=body, status=201))["id"] == first["id"]
    other = await api.call("POST", "/api/admin/jobs/enqueue", body=body, by=OPS, status=201)
    assert other["id"] != first["id"]
    assert (await api.stats())["total"] == 2
    assert await api.pool.fetchval("SELECT count(*) FROM jobs.audit") == 2


@pytest.mark.parametrize(
    "changed", [{"type": "check-low-stock"}, {"payload": {"mode": "clear"}}, {"priority": 1}, {"max_attempts": 9}]
)
async def test_a_key_cannot_stand_for_another_job(api: Api, changed: dict[str, object]) -> None:
    body = {"type": "cleanup-cache", "payload": {}, "idempotency_key": "once"}
    await api.call("POST", "/api/admin/jobs/enqueue", body=body, status=201)
    problem = await api.call("POST", "/api/admin/jobs/enqueue", body={**body, **changed}, status=422)
    assert problem["type"] == "urn:souk:problem:idempotency_key_reused"
    assert (await api.stats())["total"] == 1


async def test_a_key_whose_job_was_cleared_away_is_a_conflict(api: Api) -> None:
    body = {"type": "cleanup-cache", "payload": {}, "idempotency_key": "once"}
    job = await api.call("POST", "/api/admin/jobs/enqueue", body=body, status=201)
    await recorded(api.recorder, [report(UUID(job["id"]), 1, Outcome.COMPLETED)])
    await api.call("POST", "/api/admin/jobs", body={"action": "clear-history"})
    problem = await api.call("POST", "/api/admin/jobs/enqueue", body=body, status=409)
    assert problem["type"] == "urn:souk:problem:job_already_cleared"


async def test_a_job_for_later_is_scheduled_and_one_for_before_is_not(api: Api) -> None:
    body: dict[str, object] = {"type": "cleanup-cache", "payload": {}}
    later = (utc_now() + timedelta(hours=1)).isoformat()
    job = await api.call("POST", "/api/admin/jobs/enqueue", body={**body, "run_at": later}, status=201)
    assert (job["state"], datetime.fromisoformat(job["run_at"])) == ("scheduled", datetime.fromisoformat(later))
    before = (utc_now() - timedelta(hours=1)).isoformat()
    job = await api.call("POST", "/api/admin/jobs/enqueue", body={**body, "run_at": before}, status=201)
    assert job["state"] == "pending"
    stats = await api.stats()
    assert (stats["scheduled"], stats["pending"]) == (1, 1)


async def test_clearing_the_history_leaves_open_jobs_and_marks_of_the_others(api: Api) -> None:
    kept = [await api.job(), await api.job(Outcome.RETRYING)]
    gone = [await api.job(one) for one in (Outcome.COMPLETED, Outcome.FAILED, Outcome.CANCELLED)]
    answer = await api.call("POST", "/api/admin/jobs", body={"action": "clear-history"})
    assert answer == {"success": True, "cleared": 3, "more": False}
    assert await api.pool.fetchval("SELECT detail FROM jobs.audit") == {"cleared": 3}
    assert (await api.stats())["total"] == 2
    marks = await api.pool.fetch("SELECT job_id FROM jobs.tombstones")
    assert {str(row["job_id"]) for row in marks} == set(gone)
    listed = await api.call("GET", "/api/admin/jobs/list")
    assert [job["id"] for job in listed["items"]] == kept[::-1]
    await recorded(api.recorder, [report(UUID(gone[0]), 2, Outcome.COMPLETED)])  # a late report
    assert (await api.stats())["total"] == 2


async def test_the_newest_fifty_failed_jobs_are_shown(api: Api) -> None:
    made = [await api.job(Outcome.FAILED) for _ in range(52)]
    shown = (await api.call("GET", "/api/admin/jobs?action=failed"))["jobs"]
    assert [job["id"] for job in shown] == made[:1:-1]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"type": "send-mail"}, "/type"),
        ({"per_second": 0}, "/per_second"),
        ({"per_second": 1e-300}, "/per_second"),
        ({"per_second": 1e6}, "/per_second"),
        ({"since": "yesterday"}, "/since"),
        ({"since": "2026-01-31T12:00:00"}, "/since"),
        ({"cause": "x\0"}, "/cause"),
        ({"error_class": 1}, "/error_class"),
        ({"dry_run": "no"}, "/dry_run"),
        ({"dryrun": False}, "/dryrun"),
    ],
    ids=str,
)
async def test_a_bulk_retry_that_says_what_cannot_be_is_refused_and_retries_nothing(
    api: Api, body: dict[str, object], pointer: str
) -> None:
    failed = await api.job(Outcome.FAILED)
    problem = await api.call("POST", "/api/admin/jobs/retry", body={"dry_run": False, **body}, status=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert (await api.call("GET", f"/api/admin/jobs?action=job&id={failed}"))["job"]["state"] == "failed"


async def test_a_filter_by_a_type_that_does_not_exist_says_which_do(api: Api) -> None:
    problem = await api.call("GET", "/api/admin/jobs/list?type=send-mail", status=422)
    [error] = problem["errors"]
    assert error["pointer"] == "/type"
    assert "send-email" in error["detail"]


async def test_states_of_many_jobs_are_counted(api: Api) -> None:
    ids = [await api.job(), await api.job(Outcome.FAILED), await api.job(Outcome.FAILED), str(new_id())]
    answer = await api.call("POST", "/api/admin/jobs/states", by=OPS, body={"ids": ids})
    assert answer == {"states": {"pending": 1, "failed": 2}}
    for body in ({"ids": ["x"]}, {}, {"ids": [str(new_id())] * 5001}):
        await api.call("POST", "/api/admin/jobs/states", body=body, status=422)
    await api.call("POST", "/api/admin/jobs/states", by=VENDOR, body={"ids": []}, status=403)


async def test_what_stops_a_type_and_lets_it_go_on_is_told(api: Api) -> None:
    for deed in ("pause", "pause", "resume"):
        await api.call("POST", f"/api/admin/job-types/send-email/{deed}", by=OPS)
    await api.call("POST", "/api/admin/job-types/process-image/pause")
    told = (await api.call("GET", "/api/admin/job-types/events?type=send-email", by=OPS))["items"]
    assert [(each["what"], each["actor"]) for each in told] == [
        ("resumed", f"ops {OPS.account_id}"),
        ("paused", f"ops {OPS.account_id}"),
    ]
    newest = (await api.call("GET", "/api/admin/job-types/events?limit=1"))["items"]
    assert [each["type"] for each in newest] == ["process-image"]
    for query in ("type=x", "limit=0", "what=paused"):
        await api.call("GET", f"/api/admin/job-types/events?{query}", status=422)
    await api.call("GET", "/api/admin/job-types/events", by=VENDOR, status=403)


async def test_clearing_an_empty_history_is_on_record_too(api: Api) -> None:
    answer = await api.call("POST", "/api/admin/jobs", body={"action": "clear-history"})
    assert answer == {"success": True, "cleared": 0, "more": False}
    [line] = await api.pool.fetch("SELECT action, detail FROM jobs.audit")
    assert (line["action"], line["detail"]) == ("jobs.clear_history", {"cleared": 0})
