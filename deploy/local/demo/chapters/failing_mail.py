"""A mail server that refuses one recipient: back-off, a failed job with its errors, and a retry by hand."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from deploy.local.demo.stage import Stage, check

LAMP = "BB-DESK-LAMP"
"""Of vendor 2, whose mailbox is full."""
NOTEBOOK = "PL-NOTE-A5-DOT"
"""Of vendor 3, whose mail goes through meanwhile."""
REPLY = "451 4.2.2 The mailbox is full, try again later"
NOTE = "Please send us the certificate of conformity."


async def fail(stage: Stage) -> None:
    """Two products are suspended; the mail to one vendor fails three times, the other one's is not held up by it."""
    lamp, notebook = stage.seeded[LAMP], stage.seeded[NOTEBOOK]
    await _refuse(stage, stage.vendors[1].email)
    stage.show.fact("smtp", f"answers {stage.vendors[1].email}: {REPLY}")
    try:
        for product in (lamp, notebook):
            await stage.admin.post(f"/api/admin/products/{product['id']}/suspend", {"note": NOTE})
        other = await stage.mail_to(stage.vendors[2], about=f"Suspended: {notebook['title']}")
        failed = await _watch(stage, lamp)
    finally:
        await _refuse(stage)
    refused = [attempt["error"] for attempt in failed["attempts"] if attempt["outcome"] != "completed"]
    check(
        len(refused) == failed["max_attempts"] and all(REPLY in error["message"] for error in refused),
        f"the job kept the errors {refused} of its {failed['max_attempts']} attempts",
    )
    check(failed["payload"]["params"]["product_id"] == lamp["id"], f"the job did not keep its payload: {failed}")
    check(
        datetime.fromisoformat(other["received_at"]) < datetime.fromisoformat(failed["finished_at"]),
        "the other vendor's mail waited for the one that failed",
    )


async def put_right(stage: Stage) -> None:
    """The mailbox has room again; an operator finds the failed job and sends it round once more."""
    lamp, notebook = stage.seeded[LAMP], stage.seeded[NOTEBOOK]
    stage.show.fact("smtp", "takes every recipient again")
    listed = await stage.ops.get("/api/admin/jobs?action=failed")
    job = next((each for each in listed["jobs"] if _is_about(each, lamp, stage)), None)
    check(job is not None, "the failed job is not in the operator's list of failed ones")
    assert job is not None
    await stage.ops.post("/api/admin/jobs", {"action": "retry", "id": job["id"]})

    async def completed() -> Mapping[str, Any] | None:
        again: Mapping[str, Any] = (await stage.ops.get(f"/api/admin/jobs?action=job&id={job['id']}", quiet=True))[
            "job"
        ]
        return again if again["state"] == "completed" else None

    done = await stage.until("the job that was retried by hand is completed", completed)
    stage.show.attempt(done, done["attempts"][-1])
    await stage.mail_to(stage.vendors[1], about=f"Suspended: {lamp['title']}")
    for vendor, product in ((stage.vendors[1], lamp), (stage.vendors[2], notebook)):
        await stage.admin.post(f"/api/admin/products/{product['id']}/reinstate")
        await stage.mail_to(vendor, about=f"Back on sale: {product['title']}")


async def _watch(stage: Stage, product: Mapping[str, Any]) -> Mapping[str, Any]:
    """Show each attempt as it fails; the job once it is given up."""
    shown = 0

    async def given_up() -> Mapping[str, Any] | None:
        nonlocal shown
        page = await stage.ops.get("/api/admin/jobs/list?type=send-email&limit=20", quiet=True)
        job: Mapping[str, Any] | None = next((each for each in page["items"] if _is_about(each, product, stage)), None)
        if job is None:
            return None
        for attempt in job["attempts"][shown:]:
            stage.show.attempt(job, attempt)
        shown = len(job["attempts"])
        check(job["state"] != "completed", "the mail went out although its recipient was refused")
        return job if job["state"] == "failed" else None

    return await stage.until("the refused mail's job is given up", given_up)


def _is_about(job: Mapping[str, Any], product: Mapping[str, Any], stage: Stage) -> bool:
    return (
        job["payload"].get("params", {}).get("product_id") == product["id"]
        and datetime.fromisoformat(job["created_at"]) >= stage.begun_at
    )


async def _refuse(stage: Stage, *addresses: str) -> None:
    body = {"addresses": list(addresses), "reply": REPLY}
    async with stage.http.put(f"{stage.run.mailbox}/api/refusals", json=body) as response:
        check(response.status == 200, f"the mail sink answered {response.status} to its refusals")
