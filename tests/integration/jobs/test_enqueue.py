"""Jobs by hand under an idempotency key: in the header or the body, and across midnight."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.jobs.errors import KeyReused
from services.jobs.parts import make_desk
from services.jobs.settings import Settings
from services.jobs.usecases import JobRequest
from shared.clock import utc_now
from shared.db.pool import Pool
from shared.web.identity import HEADER, Identity, sign
from tests.integration.jobs.test_routes import ADMIN, KEY, OPS, Api, api

__all__ = ["api"]

ENQUEUE = "/api/admin/jobs/enqueue"
CLEANUP: Mapping[str, object] = {"type": "cleanup-cache", "payload": {}}


async def enqueue(
    api: Api, key: str | None, *, by: Identity = ADMIN, body: Mapping[str, object] = CLEANUP, status: int = 201
) -> tuple[dict[str, Any], bool]:
    """Enqueue with a key in the header; returns the answer, and whether it says that it was given before."""
    headers = {HEADER: sign(by, service="jobs", key=KEY, method="POST", path=ENQUEUE, request_id="r" * 8)}
    if key is not None:
        headers["Idempotency-Key"] = key
    async with api.session.post(ENQUEUE, headers=headers, json=body) as answer:
        found: dict[str, Any] = await answer.json(content_type=None)
        assert answer.status == status, found
        return found, answer.headers.get("Idempotent-Replayed") == "true"


async def test_a_key_in_the_header_makes_one_job_and_says_so(api: Api) -> None:
    first, was_there = await enqueue(api, "once")
    assert not was_there
    again, was_there = await enqueue(api, "once")
    assert (again["id"], was_there) == (first["id"], True)
    in_body, was_there = await enqueue(api, None, body={**CLEANUP, "idempotency_key": "once"})
    assert (in_body["id"], was_there) == (first["id"], True)
    in_both, was_there = await enqueue(api, "once", body={**CLEANUP, "idempotency_key": "once"})
    assert (in_both["id"], was_there) == (first["id"], True)
    others = [await enqueue(api, "twice"), await enqueue(api, "once", by=OPS), await enqueue(api, None)]
    assert [was_there for _, was_there in others] == [False, False, False]
    assert len({first["id"], *(job["id"] for job, _ in others)}) == 4
    assert (await api.stats())["total"] == 4
    assert await api.pool.fetchval("SELECT count(*) FROM jobs.audit WHERE action = 'job.enqueue'") == 4


async def test_a_key_in_the_header_cannot_stand_for_another_job(api: Api) -> None:
    await enqueue(api, "once")
    problem, _ = await enqueue(api, "once", body={**CLEANUP, "priority": 1}, status=422)
    assert problem["type"] == "urn:souk:problem:idempotency_key_reused"


@pytest.mark.parametrize(
    ("key", "in_body", "pointer"),
    [
        ("", None, ""),
        ("k" * 201, None, ""),
        ("a\tb", None, ""),
        ("schlüssel", None, ""),
        ("a", "b", "/idempotency_key"),
    ],
)
async def test_a_header_that_is_no_key_is_refused(api: Api, key: str, in_body: str | None, pointer: str) -> None:
    problem, _ = await enqueue(api, key, body={**CLEANUP, "idempotency_key": in_body}, status=422)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert (await api.stats())["total"] == 0


class TestMidnight:
    """The id of a job by hand is made of its key and the day; a key holds for 24 hours all the same."""

    async def test_a_key_that_was_used_before_midnight_finds_its_job_after_it(
        self, pool: Pool, settings: Settings
    ) -> None:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        now = midnight - timedelta(seconds=1)
        desk = make_desk(pool, settings, lambda: now)
        asked = JobRequest("cleanup-cache", {}, idempotency_key="once")
        first = await desk.enqueue(asked, by=ADMIN, request_id=None)
        now = midnight + timedelta(seconds=1)
        again = await desk.enqueue(asked, by=ADMIN, request_id=None)
        assert (first.is_new, again.is_new) == (True, False)
        assert again.shown.job.id == first.shown.job.id
        other = JobRequest("cleanup-cache", {}, priority=1, idempotency_key="once")
        with pytest.raises(KeyReused):
            await desk.enqueue(other, by=ADMIN, request_id=None)

    async def test_after_24_hours_a_key_is_free_again(self, pool: Pool, settings: Settings) -> None:
        now = utc_now()
        desk = make_desk(pool, settings, lambda: now)
        asked = JobRequest("cleanup-cache", {}, idempotency_key="once")
        first = await desk.enqueue(asked, by=ADMIN, request_id=None)
        now += timedelta(hours=24, minutes=1)
        again = await desk.enqueue(asked, by=ADMIN, request_id=None)
        assert (again.is_new, again.shown.job.id == first.shown.job.id) == (True, False)
