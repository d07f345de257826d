"""`GET /api/admin/audit`: what people did in all services, as one list, and who is missing from it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from pydantic import SecretStr

from services.catalog import audit as ours
from services.catalog.models import Actor
from services.jobs.audit import store as theirs
from services.jobs.settings import Settings as JobsSettings
from services.scheduler import store as schedules
from shared.db.pool import Pool, open_pool, transaction
from shared.ids import new_id
from shared.web.identity import Identity, Role
from shared.web.server import serving
from tests.integration.catalog.conftest import KEY, NOBODY_THERE, Client
from tests.integration.catalog.monitoring.installation import jobs_app, scheduler_app
from tests.servers import Database

ADDRESS = "/api/admin/audit"
WHO = new_id()


@pytest.fixture
async def jobs_pool(database: Database) -> AsyncIterator[Pool]:
    async with open_pool(database.url("jobs"), name="test") as opened:
        yield opened


@pytest.fixture
async def scheduler_pool(database: Database) -> AsyncIterator[Pool]:
    async with open_pool(database.url("scheduler"), name="test") as opened:
        yield opened


@pytest.fixture
async def upstream_urls(database: Database, jobs_pool: Pool, scheduler_pool: Pool) -> AsyncIterator[dict[str, str]]:
    """The jobs api and the scheduler answer, on the same database."""
    settings = JobsSettings(
        amqp_url=SecretStr("amqp://nobody@127.0.0.1:9/"),
        jobs_database_url=SecretStr(database.url("jobs")),
        jobs_key=SecretStr(KEY),
    )
    apps = {"jobs": jobs_app(jobs_pool, settings), "scheduler": scheduler_app(scheduler_pool, key=KEY)}
    urls = dict.fromkeys(("notifier", "reporting"), NOBODY_THERE)
    async with AsyncExitStack() as stack:
        for service, app in apps.items():
            port = await stack.enter_async_context(serving(app, host="127.0.0.1", port=0, grace_seconds=0.1))
            urls[service] = f"http://127.0.0.1:{port}"
        yield urls


async def act_here(pool: Pool, subject: str) -> str:
    """A deed in the catalog."""
    async with transaction(pool) as conn:
        await ours.record(conn, Actor(None, Role.ADMIN), "vendor.suspended", kind="vendor", object_id=subject)
    return subject


async def act_there(pool: Pool, subject: str) -> str:
    """A deed in jobs."""
    async with transaction(pool) as conn:
        await theirs.record(
            conn,
            Identity(WHO, Role.OPS),
            "job.retry",
            about=("job", subject),
            request_id="request-1",
            detail={"was": "failed"},
        )
    return subject


async def run_now(pool: Pool, entry: str) -> str:
    """A deed in the scheduler."""
    async with transaction(pool) as conn:
        await schedules.record(conn, Identity(WHO, Role.ADMIN), "schedule.run", entry, request_id="request-2")
    return entry


async def read(client: Client, query: Mapping[str, str]) -> dict[str, Any]:
    async with client.get(ADDRESS, params=query) as response:
        page: dict[str, Any] = await response.json()
        assert response.status == 200, page
        return page


async def test_the_deeds_of_all_services_are_one_list_in_pages(
    admin: Client, pool: Pool, jobs_pool: Pool, scheduler_pool: Pool
) -> None:
    done = []
    for number in range(3):
        done.append(await run_now(scheduler_pool, f"s{number}"))
        done.append(await act_here(pool, f"v{number}"))
        done.append(await act_there(jobs_pool, f"j{number}"))
        done.append(await act_there(jobs_pool, f"k{number}"))
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await read(admin, {"limit": "2", **cursor})
        assert page["missing"] == []
        seen += page["items"]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert [line["object"]["id"] for line in seen] == done[::-1]
    assert [line["at"] for line in seen] == sorted((line["at"] for line in seen), reverse=True)
    assert [line["service"] for line in seen] == ["jobs", "jobs", "catalog", "scheduler"] * 3
    assert UUID(seen[0].pop("id"))
    assert seen[0].pop("at").endswith("Z")
    assert seen[0] == {
        "service": "jobs",
        "account_id": str(WHO),
        "role": "ops",
        "action": "job.retry",
        "object": {"kind": "job", "id": "k2"},
        "detail": {"was": "failed"},
        "request_id": "request-1",
    }


async def test_the_deeds_about_one_object_are_found_wherever_they_were_done(
    admin: Client, pool: Pool, jobs_pool: Pool, scheduler_pool: Pool
) -> None:
    for subject in ("a", "b & c?"):
        await act_here(pool, subject)
        await act_there(jobs_pool, subject)
        await run_now(scheduler_pool, subject)
    for kind, service in (("job", "jobs"), ("vendor", "catalog"), ("schedule", "scheduler")):
        page = await read(admin, {"kind": kind, "id": "b & c?"})
        assert [(line["service"], line["object"]["id"]) for line in page["items"]] == [(service, "b & c?")]


class TestOthersAreAway:
    """With nobody at the address of the scheduler, and at that of jobs nobody or one who says nothing sensible."""

    @pytest.fixture(params=["nobody", "nonsense", "error"])
    async def upstream_urls(self, request: pytest.FixtureRequest) -> AsyncIterator[dict[str, str]]:
        async def nonsense(_: web.Request) -> web.Response:
            return web.json_response({"items": [{"id": 1}]}, status=200 if request.param == "nonsense" else 500)

        app = web.Application()
        app.router.add_get(ADDRESS, nonsense)
        urls = dict.fromkeys(("jobs", "notifier", "reporting", "scheduler"), NOBODY_THERE)
        async with AsyncExitStack() as stack:
            if request.param != "nobody":
                port = await stack.enter_async_context(serving(app, host="127.0.0.1", port=0, grace_seconds=0.1))
                urls["jobs"] = f"http://127.0.0.1:{port}"
            yield urls

    async def test_the_other_deeds_are_shown_and_it_is_named(self, admin: Client, pool: Pool) -> None:
        await act_here(pool, "v")
        page = await read(admin, {})
        assert [line["object"]["id"] for line in page["items"]] == ["v"]
        assert [missing["service"] for missing in page["missing"]] == ["jobs", "scheduler"]
        assert all(missing["why"].startswith(f"the {missing['service']} service ") for missing in page["missing"])
