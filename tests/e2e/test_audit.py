"""Every deed of an operator, by API or command, is in the audit log under the request that did it."""

from dataclasses import dataclass
from typing import Any, Final

import pytest

from services.catalog.access import ACCESS
from shared.ids import new_id
from shared.web.identity import Role
from shared.web.requests import REQUEST_ID_HEADER
from tests.e2e.marketplace import JSON, PATIENCE_SECONDS, Shop
from tests.eventually import eventually

OPERATORS: Final = frozenset({Role.ADMIN, Role.OPS})
OUTSIDE: Final = {
    ("POST", "/api/admin/reports"),
    ("POST", "/api/admin/reports/{id}/cancel"),
    ("POST", "/api/admin/letters/preview"),
    ("POST", "/api/admin/jobs/states"),
}
"""Change nothing for anybody: they ask for figures, and for what a letter would say."""
HOPELESS: Final = {"type": "generate-report", "payload": {"report_type": "horoscope"}, "max_attempts": 1}
SOON: Final = {"type": "check-low-stock", "payload": {}}
LATER: Final = {**SOON, "run_at": "2099-01-01T00:00:00Z"}
LIGHT: Final = {"reasons": [{"code": "other", "note": "Show the whole chair."}]}
NEW: Final = '"1"'
"""The version of what was just made."""
QUICK: Final = frozenset({None, "entry", "resumed_type"})
"""What is made in no time."""
PASSWORD: Final = "correct horse battery"


@dataclass(frozen=True)
class Deed:
    """A route, what the log calls its deed, and what is sent. `target` is what `Scene` makes for its `{id}`."""

    method: str
    route: str
    action: str
    body: JSON | None = None
    target: str | None = None


DEEDS: Final = (
    Deed("POST", "/api/admin/products/{id}/approve", "product.approved", {}, "pending"),
    Deed("POST", "/api/admin/products/{id}/reject", "product.rejected", LIGHT, "pending"),
    Deed("POST", "/api/admin/approve-product", "product.approved", {"action": "approve"}, "pending"),
    Deed("POST", "/api/admin/products/{id}/suspend", "product.suspended", {"note": "n"}, "approved"),
    Deed("POST", "/api/admin/products/{id}/reinstate", "product.reinstated", {}, "suspended"),
    Deed("POST", "/api/admin/vendors", "vendor.created"),
    Deed("PATCH", "/api/admin/vendors/{id}", "vendor.changed", {"profile": "New"}, "vendor"),
    Deed("POST", "/api/admin/vendors/{id}/suspend", "vendor.suspended", {"note": "n"}, "vendor"),
    Deed("POST", "/api/admin/vendors/{id}/reinstate", "vendor.reinstated", {"note": "n"}, "suspended_vendor"),
    Deed("PUT", "/api/admin/inventory-defaults", "marketplace.threshold_set", {"threshold": 3}),
    Deed("POST", "/api/admin/cache/clear", "cache.cleared", {"mode": "expire"}),
    Deed("POST", "/api/admin/jobs", "jobs.clear_history", {"action": "clear-history"}),
    Deed("POST", "/api/admin/jobs/bulk", "jobs.retry", {"action": "retry", "dry_run": False}),
    Deed("POST", "/api/admin/jobs/enqueue", "job.enqueue", SOON),
    Deed("POST", "/api/admin/jobs/retry", "jobs.retry", {"dry_run": False, "type": "generate-report"}),
    Deed("POST", "/api/admin/jobs/{id}/retry", "job.retry", None, "failed_job"),
    Deed("POST", "/api/admin/jobs/{id}/cancel", "job.cancel", None, "waiting_job"),
    Deed("POST", "/api/admin/job-types/{type}/pause", "job_type.pause", None, "resumed_type"),
    Deed("POST", "/api/admin/job-types/{type}/resume", "job_type.resume", None, "paused_type"),
    Deed("POST", "/api/admin/dead-letters/replay", "dead_letters.replay", {"dry_run": False}, "letter"),
    Deed("POST", "/api/admin/dead-letters/purge", "dead_letters.purge", {"dry_run": False}, "letter"),
    Deed("POST", "/api/admin/dead-letters/{id}/replay", "dead_letter.replay", None, "letter"),
    Deed("DELETE", "/api/admin/dead-letters/{id}", "dead_letter.delete", None, "letter"),
    Deed("POST", "/api/admin/schedules/{name}/run", "schedule.run", None, "entry"),
    Deed("POST", "/api/admin/schedules/{name}/pause", "schedule.pause", None, "entry"),
    Deed("POST", "/api/admin/schedules/{name}/resume", "schedule.resume", None, "paused_entry"),
)


class Scene:
    """Makes what deeds are done to."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def done(self, path: str, body: JSON | None = None) -> JSON:
        return await self._shop.post_once("admin", path, json=body or {})

    async def pending(self) -> str:
        return str((await self._shop.submit())["id"])

    async def approved(self) -> str:
        product = await self.pending()
        await self.done(f"/api/admin/products/{product}/approve")
        return product

    async def suspended(self) -> str:
        product = await self.approved()
        await self.done(f"/api/admin/products/{product}/suspend", {"note": "n"})
        return product

    async def vendor(self) -> str:
        return str((await self.done("/api/admin/vendors", new_vendor()))["id"])

    async def suspended_vendor(self) -> str:
        vendor = await self.vendor()
        await self.done(f"/api/admin/vendors/{vendor}/suspend", {"note": "n"})
        return vendor

    async def waiting_job(self) -> str:
        return str((await self.done("/api/admin/jobs/enqueue", LATER))["id"])

    async def failed_job(self) -> str:
        job = str((await self.done("/api/admin/jobs/enqueue", HOPELESS))["id"])

        async def failed() -> bool:
            found = await self._shop.get("admin", f"/api/admin/jobs?action=job&id={job}")
            return bool(found["job"]["state"] == "failed")

        await eventually(failed, PATIENCE_SECONDS)
        return job

    async def letter(self) -> str:
        job = await self.failed_job()

        async def parked() -> str | None:
            letters = (await self._shop.get("admin", "/api/admin/dead-letters?limit=100"))["items"]
            return next((letter["id"] for letter in letters if letter["job_id"] == job), None)

        return str(await eventually(parked, PATIENCE_SECONDS))

    async def resumed_type(self) -> str:
        await self.done("/api/admin/job-types/cleanup-jobs/resume")
        return "cleanup-jobs"

    async def paused_type(self) -> str:
        await self.done("/api/admin/job-types/cleanup-jobs/pause")
        return "cleanup-jobs"

    async def entry(self) -> str:
        await self.done("/api/admin/schedules/cleanup-jobs/resume")
        return "cleanup-jobs"

    async def paused_entry(self) -> str:
        await self.done("/api/admin/schedules/cleanup-jobs/pause")
        return "cleanup-jobs"


def new_vendor() -> JSON:
    mark = new_id().hex[-12:]
    account = {"email": f"{mark}@example.com", "name": "New", "password": PASSWORD}
    return {"name": f"Shop {mark}", "account": account}


async def line_of(shop: Shop, request_id: str) -> JSON:
    async def found() -> JSON | None:
        lines: list[Any] = (await shop.get("admin", "/api/admin/audit?limit=20"))["items"]
        return next((line for line in lines if line["request_id"] == request_id), None)

    line = await eventually(found, 5)
    assert isinstance(line, dict)
    return line


def test_every_route_of_an_operator_that_changes_something_is_tried() -> None:
    changing = {
        route
        for route, access in ACCESS.items()
        if access.roles and access.roles <= OPERATORS and route[0] != "GET" and route[1].startswith("/api/")
    }
    assert {(deed.method, deed.route) for deed in DEEDS} == changing - OUTSIDE


@pytest.mark.parametrize(
    "deed",
    [
        pytest.param(deed, id=f"{deed.method} {deed.route}", marks=[] if deed.target in QUICK else [pytest.mark.long])
        for deed in DEEDS
    ],
)
async def test_a_deed_is_in_the_log_under_its_request(shop: Shop, deed: Deed) -> None:
    target = "" if deed.target is None else await getattr(Scene(shop), deed.target)()
    path = deed.route.replace("{id}", target).replace("{type}", target).replace("{name}", target)
    body = new_vendor() if deed.route == "/api/admin/vendors" else deed.body
    if deed.route == "/api/admin/approve-product":
        body = {**(body or {}), "product_id": target}
    request_id = f"audit-{new_id()}"
    headers = {**shop.as_("admin"), REQUEST_ID_HEADER: request_id}
    if deed.method == "PATCH":
        headers["If-Match"] = NEW
    async with shop.http.request(deed.method, f"{shop.gateway}{path}", json=body, headers=headers) as answer:
        assert answer.status < 300, await answer.text()
    line = await line_of(shop, request_id)
    assert line["action"] == deed.action
    assert line["role"] == "admin"
    if "{" in deed.route:
        assert line["object"]["id"] == target
    if deed.route.endswith("/pause"):
        await Scene(shop).done(path.replace("/pause", "/resume"))


@pytest.mark.parametrize(
    ("words", "action"),
    [
        (("schedule", "run", "cleanup-jobs"), "schedule.run"),
        (("cache", "clear", "--yes"), "cache.cleared"),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, tuple) else words,
)
async def test_what_the_command_does_is_in_the_log_too(shop: Shop, words: tuple[str, ...], action: str) -> None:
    before = (await shop.get("admin", "/api/admin/audit?limit=1"))["items"]
    done = shop.stack.souk(*words)
    assert done.returncode == 0, done.stderr
    [line] = (await shop.get("admin", "/api/admin/audit?limit=1"))["items"]
    assert (line["action"], [line["id"]] != [each["id"] for each in before]) == (action, True)
