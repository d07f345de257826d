"""Each guard is needed: with it taken out, the same fault that is survived with it is not, and the verdict notices.

Souk has nets below nets; where a second net would catch what the guard lets fall, that one is taken out in both runs.
"""

import json
import signal
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from random import Random

import aiohttp
import pytest

from shared.ids import new_id
from shared.messaging.reporter import REPORT_TYPE
from shared.messaging.topology import JOBS, REPORTS
from tests.e2e.marketplace import Shop
from tests.eventually import eventually
from tests.faults.passing import passed
from tests.faults.stand import Stand
from tests.faults.table import BY_NAME, RESCUE_SECONDS, Fault, nothing
from tests.faults.verdict import Allowed

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
NOTICED_SECONDS = 40.0
"""What is not final so long after the load is lost for want of the guard: in the run before, all was final sooner."""


async def _hold_the_notifier(stand: Stand, _: Random) -> None:
    stand.hurt("notifier", signal.SIGSTOP)


async def _lose_its_queues(stand: Stand, _: Random) -> None:
    """What waits before it and what it holds is gone."""
    for queue in ("jobs.send-email", "jobs.send-notification"):
        await stand.delete_queue(queue)
    stand.hurt("notifier", signal.SIGCONT)


async def _unbind_notifications(stand: Stand, _: Random) -> None:
    await stand.delete_bindings(JOBS, "jobs.send-notification")


QUEUES_GONE = Fault(
    "what waits is gone", _hold_the_notifier, _lose_its_queues, held_seconds=(3.0, 3.0), recovery_seconds=RESCUE_SECONDS
)
UNBOUND = Fault(
    "a binding is gone", _unbind_notifications, nothing, held_seconds=(2.0, 2.0), recovery_seconds=RESCUE_SECONDS
)


@dataclass(frozen=True, slots=True)
class Case:
    """`guard` is taken out of `process`, `nets` (process -> what) of both runs; `notices` is what the verdict says."""

    guard: str
    process: str
    fault: Fault
    notices: str
    nets: Mapping[str, str]


CASES = (
    Case("rescuer", "ledger", QUEUES_GONE, "lost: send-", {}),
    Case("confirm", "relay", BY_NAME["kill the broker"], "lost: send-", {"ledger": "replay"}),
    Case("mandatory", "ledger", UNBOUND, "lost: send-notification", {"ledger": "rescuer"}),
    Case("record", "notifier", BY_NAME["notifier dies before: report-mail"], "twice: mail", {}),
)


@pytest.fixture
async def whole(stand: Stand) -> AsyncIterator[Stand]:
    """The stack, whole again afterwards: every guard in its place and nothing lost left over."""
    try:
        yield stand
    finally:
        stand.disarm()
        await stand.restarted("ledger", "relay", "notifier")


@pytest.mark.parametrize("case", [pytest.param(case, id=case.guard) for case in CASES])
async def test_without_the_guard_the_verdict_notices(whole: Stand, case: Case, chance: Random, seed: int) -> None:
    for process, net in case.nets.items():
        await whole.without(net, process)
    state = chance.getstate()
    fault = replace(case.fault, allowed=Allowed(mail=True))
    kept = await passed(whole, fault, chance)
    assert kept.complaints() == [], f"with the guard; --seed {seed}"
    chance.setstate(state)
    await whole.without(case.guard, case.process)
    hurt = await passed(whole, fault, chance, patience_seconds=NOTICED_SECONDS)
    noticed = [each for each in hurt.complaints() if each.startswith(case.notices)]
    assert noticed, f"without the guard only: {hurt.complaints()}; --seed {seed}"
    whole.disarm()
    await whole.restarted("ledger")


@pytest.mark.parametrize("is_out", [False, True], ids=["with", "without"])
async def test_a_late_report_of_a_superseded_copy_changes_nothing(whole: Stand, is_out: bool) -> None:
    if is_out:
        await whole.without("fence", "ledger")
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http:
        shop = Shop(whole, http)
        await shop.post_once("ops", "/api/admin/job-types/send-notification/pause")
        try:
            job_id = await _retried_job(shop)
            await whole.publish(REPORTS, "report", _late_failure(job_id), _properties())
            await eventually(lambda: _has_history(whole, job_id), 20, every=0.1)
            state = (await shop.get("ops", f"/api/admin/jobs?action=job&id={job_id}"))["job"]["state"]
        finally:
            await shop.post_once("ops", "/api/admin/job-types/send-notification/resume")
        assert state == ("failed" if is_out else "pending")
        await shop.nothing_open()


async def _retried_job(shop: Shop) -> str:
    """A job that was cancelled and then retried by hand: its first copy is superseded."""
    payload = {"kind": "product_submitted", "audience": {"kind": "admins"}, "params": {"title": "Late"}}
    job = await shop.post_once("ops", "/api/admin/jobs/enqueue", json={"type": "send-notification", "payload": payload})
    await shop.post_once("ops", f"/api/admin/jobs/{job['id']}/cancel")
    await shop.post_once("ops", f"/api/admin/jobs/{job['id']}/retry")
    return str(job["id"])


async def _has_history(stand: Stand, job_id: str) -> bool:
    conn = await stand.database()
    try:
        return bool(
            await conn.fetchval("SELECT count(*) FROM jobs.history WHERE job_id = $1 AND worker = 'late'", job_id)
        )
    finally:
        await conn.close()


def _late_failure(job_id: str) -> str:
    report = {
        "job_id": job_id,
        "job_type": "send-notification",
        "attempt": 1,
        "fence": 1,
        "outcome": "failed",
        "worker": "late",
        "started_at": "2026-01-01T00:00:00Z",
        "error": {"error_class": "Late", "message": "told long after it was superseded"},
    }
    return json.dumps({"reports": [report]})


def _properties() -> dict[str, object]:
    return {"message_id": str(new_id()), "type": REPORT_TYPE, "delivery_mode": 2, "content_type": "application/json"}
