"""`GET /api/admin/monitoring` through a gateway: its shape, and 200 whatever is away."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from pydantic import SecretStr

from services.catalog.monitoring.models import RULES
from services.jobs.settings import Settings as JobsSettings
from shared.db.pool import open_pool
from shared.web.server import serving
from tests.integration.catalog.conftest import KEY, NOBODY_THERE, Client
from tests.integration.catalog.monitoring.installation import jobs_app, scheduler_app
from tests.servers import Database

ADDRESS = "/api/admin/monitoring"


@pytest.fixture
async def upstream_urls(database: Database) -> AsyncIterator[dict[str, str]]:
    """Jobs and scheduler answer."""
    settings = JobsSettings(
        amqp_url=SecretStr("amqp://nobody@127.0.0.1:9/"),
        jobs_database_url=SecretStr(database.url("jobs")),
        jobs_key=SecretStr(KEY),
    )
    async with AsyncExitStack() as stack:
        jobs_pool = await stack.enter_async_context(open_pool(database.url("jobs"), name="test"))
        scheduler_pool = await stack.enter_async_context(open_pool(database.url("scheduler"), name="test"))
        apps = {"jobs": jobs_app(jobs_pool, settings), "scheduler": scheduler_app(scheduler_pool, key=KEY)}
        ports = {
            name: await stack.enter_async_context(serving(app, host="127.0.0.1", port=0, grace_seconds=0.1))
            for name, app in apps.items()
        }
        yield {
            "notifier": NOBODY_THERE,
            "reporting": NOBODY_THERE,
            **{name: f"http://127.0.0.1:{port}" for name, port in ports.items()},
        }


async def told(client: Client) -> dict[str, Any]:
    """The answer, which is always 200 and never stored."""
    async with client.get(ADDRESS) as response:
        assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
        answer: dict[str, Any] = await response.json()
        return answer


async def test_an_operator_sees_it_all_in_one_answer(ops: Client) -> None:
    answer = await told(ops)
    assert set(answer) == {"health", "cache", "jobs", "observed_at"}
    health = answer["health"]
    assert health["score"] == 100 - sum(term["cost"] for term in health["terms"])
    assert health["status"] in ("excellent", "good", "degraded", "critical")
    assert [term["name"] for term in health["terms"]] == [rule.name for rule in RULES]
    for term in health["terms"]:
        assert set(term) == {"name", "weight", "cost", "value", "unit", "fine", "full", "note", "advice"}
    assert set(answer["cache"]) >= {"hit_rate", "sizes"}
    jobs = answer["jobs"]
    assert (jobs["active_workers"], jobs["stats"]["total"]) == (0, 0)
    tasks = {task["name"]: task for task in jobs["automated_tasks"]}
    assert tasks["cleanup-jobs"]["enabled"] is True
    assert tasks["cleanup-jobs"]["next_run"] > answer["observed_at"]
    assert set(tasks["cleanup-jobs"]) == {"name", "last_run", "next_run", "enabled"}
    costs = {term["name"]: term["cost"] for term in health["terms"]}
    assert (costs["workers"], costs["jobs_service"], costs["database"]) == (20, 0, 0)


async def test_administrators_are_told_too(admin: Client) -> None:
    assert (await told(admin))["health"]["score"] >= 0


class TestNobodyAnswers:
    """With every other service away."""

    @pytest.fixture
    def upstream_urls(self) -> dict[str, str]:
        return dict.fromkeys(("jobs", "notifier", "reporting", "scheduler"), NOBODY_THERE)

    async def test_it_answers_with_what_it_knows(self, ops: Client) -> None:
        answer = await told(ops)
        assert answer["jobs"] == {"active_workers": None, "automated_tasks": None, "stats": None, "work": None}
        costs = {term["name"]: term["cost"] for term in answer["health"]["terms"]}
        assert (costs["database"], costs["outbox"], costs["jobs_service"], costs["scheduler"]) == (0, 0, 10, 5)
